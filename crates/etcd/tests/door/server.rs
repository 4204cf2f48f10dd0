//! A door on its own socket, and its clients.

use crate::fake::Fake;
use crate::live::Live;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::{Backend, Dispatcher, Options, Port, ServerTls, Serves};

/// A running door.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves the fake.
    pub async fn start(fake: &Fake) -> Server {
        Server::start_with(fake, Options::default()).await
    }

    /// Serves the replica.
    pub async fn live(live: &Live) -> Server {
        Server::of_backend(live.clone(), live.dispatcher.clone(), Options::default()).await
    }

    pub async fn start_with(fake: &Fake, options: Options) -> Server {
        Server::of_backend(fake.clone(), fake.dispatcher.clone(), options).await
    }

    /// Serves the fake over TLS.
    pub async fn secure(fake: &Fake, tls: ServerTls, options: Options) -> Server {
        Server::of_port(fake.clone(), fake.dispatcher.clone(), options, (Some(Arc::new(tls)), Serves::default())).await
    }

    /// Serves a part of the fake.
    pub async fn part(fake: &Fake, serves: Serves) -> Server {
        Server::of_port(fake.clone(), fake.dispatcher.clone(), Options::default(), (None, serves)).await
    }

    pub async fn of_backend<B: Backend>(backend: B, dispatcher: Arc<Dispatcher>, options: Options) -> Server {
        Server::of_port(backend, dispatcher, options, (None, Serves::default())).await
    }

    async fn of_port<B: Backend>(
        backend: B,
        dispatcher: Arc<Dispatcher>,
        options: Options,
        (tls, serves): (Option<Arc<ServerTls>>, Serves),
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(volvox_etcd::serve(
            vec![Port { listener, tls, serves }],
            backend,
            dispatcher,
            options,
            shutdown,
        ));
        Server { address, stop: Some(stop), task }
    }

    /// Stops it, and waits until it has.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        within(self.task).await.unwrap();
    }

    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        within(endpoint.connect()).await.unwrap()
    }

    pub async fn kv(&self) -> pb::kv_client::KvClient<Channel> {
        pb::kv_client::KvClient::new(self.channel().await).max_decoding_message_size(usize::MAX)
    }
}

/// Waits, but not forever.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

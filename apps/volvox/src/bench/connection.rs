//! One HTTP/2 connection to a member, shared by several clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, bail};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::Service;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;

use crate::client::Endpoint;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Responses to many clients are in flight at once: flow control must not be the bottleneck.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
/// A page arrives in a few frames. Each frame should fit in one TCP segment, header included: on loopback a segment
/// holds 65,483 bytes, and any excess would need a segment of its own.
const FRAME_BYTES: u32 = 60 << 10;

/// A connection that is reopened when it breaks.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    endpoint_index: usize,
    sender: Mutex<Option<SendRequest<Body>>>,
}

/// Sends requests over one open connection: a gRPC transport without any layer.
#[derive(Clone)]
pub struct Wire(SendRequest<Body>);

impl Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// The calls of a loop over one connection.
pub struct Client {
    /// The generated client's calls.
    pub key_values: KvClient<Wire>,
    /// Ranges, without an object for each pair.
    pub ranges: Grpc<Wire>,
}

/// Opens `count` connections, at least one per member, round-robin over the members.
pub async fn open_all(endpoints: &[Endpoint], count: u32) -> Result<Vec<Link>> {
    let count = (count as usize).max(1);
    let mut links = Vec::with_capacity(count);
    let mut reasons = Vec::new();
    for number in 0..count {
        let endpoint_index = number % endpoints.len();
        let endpoint = endpoints[endpoint_index].clone();
        let shared = Shared { endpoint, endpoint_index, sender: Mutex::new(None) };
        let link = Link { shared: Arc::new(shared) };
        if let Err(reason) = link.wire().await {
            reasons.push(format!("\n  {}: {reason}", link.shared.endpoint));
        }
        links.push(link);
    }
    if !reasons.is_empty() {
        reasons.sort();
        reasons.dedup();
        bail!(
            "bench: not every member can be reached:{}\n\
             see `volvox status`; name the members to load with --endpoints",
            reasons.concat()
        );
    }
    Ok(links)
}

impl Link {
    /// The index of the endpoint that it connects to.
    pub fn endpoint_index(&self) -> usize {
        self.shared.endpoint_index
    }

    /// The target address, in gRPC's form.
    pub fn origin(&self) -> http::Uri {
        self.shared.endpoint.uri()
    }

    /// The open connection, or a new one.
    pub async fn wire(&self) -> Result<Wire, String> {
        let mut sender = self.shared.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(Wire(open.clone()));
        }
        let connected = timeout(CONNECT_TIMEOUT, connect(&self.shared.endpoint)).await;
        let new = connected.map_err(|_| "cannot connect: timed out".to_owned())??;
        *sender = Some(new.clone());
        Ok(Wire(new))
    }

    /// The transport for a loop's operations: the open connection, or a new one.
    pub async fn client(&self) -> Result<Client, String> {
        let wire = self.wire().await?;
        let key_values = KvClient::with_origin(wire.clone(), self.origin()).max_decoding_message_size(usize::MAX);
        let ranges = Grpc::with_origin(wire, self.origin()).max_decoding_message_size(usize::MAX);
        Ok(Client { key_values, ranges })
    }

    /// A client of the key-value service over the open connection, or a new one.
    pub async fn key_values(&self) -> Result<KvClient<Wire>, String> {
        let wire = self.wire().await?;
        Ok(KvClient::with_origin(wire, self.origin()).max_decoding_message_size(usize::MAX))
    }
}

async fn connect(endpoint: &Endpoint) -> Result<SendRequest<Body>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot connect: {error}");
    if let Some(tls) = endpoint.tls() {
        return speak(tls.connect(endpoint.authority()).await.map_err(|error| failed(&error))?).await;
    }
    let stream = TcpStream::connect(endpoint.authority()).await.map_err(|error| failed(&error))?;
    stream.set_nodelay(true).map_err(|error| failed(&error))?;
    speak(stream).await
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Body>, String> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    // Requests that it leaves unanswered notice its end.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

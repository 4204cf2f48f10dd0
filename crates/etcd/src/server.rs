//! Accepts connections, and bounds the cost of each.
//!
//! A connection begins with HTTP/2's preface or is HTTP/1.1; which of the two must be clear in time. A client that
//! sends something else, does not finish a head, or does not answer pings is disconnected. So random bytes, frames with
//! wrong lengths and silent clients cost a closed socket each.

use crate::backend::{Backend, Options};
use crate::context::Door;
use crate::cut_off::watch_leader;
use crate::dispatcher::Dispatcher;
use crate::router;
use crate::stream::{Prefixed, Socket};
use crate::tls::{HANDSHAKE, ServerTls};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use volvox_service::Leaderless;

/// How many bytes of one call may be in flight to the server.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// How many bytes of one connection may be in flight to the server.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How many bytes of one response wait in the connection before the next piece is requested.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// The largest frame that is taken.
const FRAME_BYTES_MAX: u32 = 64 << 10;
/// All header fields of a request together: a token can be long.
const HEADERS_BYTES_MAX: u32 = 1 << 20;
/// The same of an HTTP/1.1 request, which is a probe.
const HTTP1_HEADERS_BYTES_MAX: usize = 16 << 10;
/// The pause after an accept failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves clients on these listeners, on the runtime that calls this, until `shutdown` completes; then tells calls that
/// wait and streams that the server stopped, lets calls end, and returns.
///
/// The dispatcher must receive every event of the node behind `backend`, before and while this runs.
pub async fn serve<B: Backend>(
    listeners: Vec<TcpListener>,
    backend: B,
    dispatcher: Arc<Dispatcher>,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (leaderless_sender, leaderless) = watch::channel(false);
    let (leaders, patience) = (dispatcher.leaders(), Leaderless::new(options.election_timeout));
    let monitor = tokio::spawn(watch_leader(backend.clone(), leaders, patience, leaderless_sender));
    let door = Door::new(backend, Arc::clone(&dispatcher), options, leaderless);
    let permits = Arc::new(Semaphore::new(door.options.connections_max));
    let (closing_sender, closing) = watch::channel(false);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&door), Arc::clone(&permits), closing.clone()));
    }
    shutdown.await;
    accepting.shutdown().await;
    dispatcher.stop();
    // No connection is left when this is the only listener.
    drop(closing);
    closing_sender.send_replace(true);
    if tokio::time::timeout(door.options.stop_timeout, closing_sender.closed()).await.is_err() {
        tracing::warn!("clients did not end their calls in time");
    }
    monitor.abort();
}

async fn accept<B: Backend>(
    listener: TcpListener,
    door: Arc<Door<B>>,
    permits: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            // Refused at once: a client waits for nothing, and tries another member.
            door.metrics.connections_refused.add(1);
            continue;
        };
        // Without this a small answer may wait for the acknowledgement of the one before. A socket that refuses it is
        // a closed one.
        if stream.set_nodelay(true).is_ok() {
            tokio::spawn(connection(stream, Arc::clone(&door), permit, closing.clone()));
        }
    }
}

async fn connection<B: Backend>(
    stream: TcpStream,
    door: Arc<Door<B>>,
    _permit: OwnedSemaphorePermit,
    mut closing: watch::Receiver<bool>,
) {
    door.metrics.connections.add(1);
    let _open = Open(Arc::clone(&door));
    let begun = tokio::select! {
        begun = tokio::time::timeout(door.options.read_timeout, begin(stream, door.options.tls.as_deref())) => begun,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    let Ok(Some((stream, is_http2))) = begun else {
        return;
    };
    let service = service_fn({
        let door = Arc::clone(&door);
        move |request| router::serve(Arc::clone(&door), request)
    });
    let close = async move {
        // An error is the end of the server as well.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    // A client's error ends its connection, and affects no other.
    if is_http2 {
        let mut connection = std::pin::pin!(http2_builder(&door.options).serve_connection(stream, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = close => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let mut connection = std::pin::pin!(http1_builder(&door.options).serve_connection(stream, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = close => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// Counts a connection as long as it is open.
struct Open<B>(Arc<Door<B>>);

impl<B> Drop for Open<B> {
    fn drop(&mut self) {
        self.0.metrics.connections.sub(1);
    }
}

fn http2_builder(options: &Options) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_concurrent_streams(options.streams_max)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.ping_timeout)
        .auto_date_header(false);
    builder
}

fn http1_builder(options: &Options) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.read_timeout)
        .max_buf_size(HTTP1_HEADERS_BYTES_MAX)
        .half_close(false);
    builder
}

/// The handshake, where there is one, and the protocol that the client speaks. `None` when the client did not get that
/// far; a TLS error is worth a log line, because the client's owner will ask.
async fn begin(stream: TcpStream, tls: Option<&ServerTls>) -> Option<(Prefixed, bool)> {
    let socket = match tls {
        None => Socket::Plain(stream),
        Some(tls) => {
            let peer = stream.peer_addr();
            match tls.accept(stream).await {
                Ok(stream) => Socket::Tls(Box::new(stream)),
                Err(reason) => {
                    let remote = peer.map_or_else(|_| "a client".to_owned(), |peer| peer.to_string());
                    // etcd's words, for which operators search.
                    tracing::warn!("remote-addr" = remote, error = reason, "rejected connection on client endpoint");
                    return None;
                }
            }
        }
    };
    let (stream, is_http2) = Prefixed::read(socket).await.ok()?;
    if tls.is_none() && stream.begins_with(HANDSHAKE) {
        tracing::warn!("a client speaks TLS on the client port, which is plain without --cert-file");
    }
    Some((stream, is_http2))
}

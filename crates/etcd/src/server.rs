//! Accepts connections, and bounds what each of them may cost.
//!
//! A connection begins with HTTP/2's preface or is HTTP/1.1; which of them must be clear in time. A client that sends
//! something else, begins a head and does not end it, or does not answer pings is cut off. So random bytes, frames with
//! wrong lengths and clients that fell silent cost a closed socket each.

use crate::backend::{Backend, Options};
use crate::dispatcher::Dispatcher;
use crate::door::{self, Door};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// What HTTP/2 begins with, where it is known beforehand (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// So many bytes of one call may be under way to the server.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// And of one connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// So many bytes of one answer wait in the connection before the next piece is asked for.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// The largest frame that is taken.
const FRAME_BYTES_MAX: u32 = 64 << 10;
/// All header fields of a request together.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// After an accept failed because files ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves clients on these listeners, on the runtime that calls this, until `shutdown` completes; then tells calls that
/// wait and streams that the server stopped, lets calls end, and returns.
///
/// The dispatcher is to be told every event of the node behind `backend`, before and while this runs.
pub async fn serve<B: Backend>(
    listeners: Vec<TcpListener>,
    backend: B,
    dispatcher: Arc<Dispatcher>,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (leaderless_sender, leaderless) = watch::channel(false);
    let leaders = dispatcher.leaders();
    let monitor = tokio::spawn(watch_leader(backend.clone(), leaders, options.election_timeout * 3, leaderless_sender));
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
    // No connection is left when nobody but this one listens.
    drop(closing);
    closing_sender.send_replace(true);
    if tokio::time::timeout(door.options.stop_timeout, closing_sender.closed()).await.is_err() {
        tracing::warn!("clients did not end their calls in time");
    }
    monitor.abort();
}

/// Says when there has been no leader for so long. An election that fails does not make the wait begin anew.
async fn watch_leader<B: Backend>(
    backend: B,
    mut leaders: watch::Receiver<u64>,
    patience: Duration,
    leaderless: watch::Sender<bool>,
) {
    loop {
        until_leader(&backend, &mut leaders, false).await;
        if tokio::time::timeout(patience, until_leader(&backend, &mut leaders, true)).await.is_err() {
            leaderless.send_replace(true);
            until_leader(&backend, &mut leaders, true).await;
            leaderless.send_replace(false);
        }
    }
}

/// Waits until there is a leader, or until there is none.
async fn until_leader<B: Backend>(backend: &B, leaders: &mut watch::Receiver<u64>, wanted: bool) {
    loop {
        leaders.mark_unchanged();
        if backend.view().status.leader.is_some() == wanted {
            return;
        }
        if leaders.changed().await.is_err() {
            // Nobody will tell any more.
            std::future::pending::<()>().await;
        }
    }
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
        begun = tokio::time::timeout(door.options.read_timeout, begin(stream)) => begun,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    let Ok(Ok((stream, is_http2))) = begun else {
        return;
    };
    let service = service_fn({
        let door = Arc::clone(&door);
        move |request| door::serve(Arc::clone(&door), request)
    });
    let close = async move {
        // An error is the end of the server as well.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    // What a client did wrong ends its connection, and is nobody else's affair.
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
        .max_buf_size(HEADERS_BYTES_MAX as usize)
        .half_close(false);
    builder
}

/// Reads until it is clear which protocol the client speaks.
async fn begin(mut stream: TcpStream) -> io::Result<(Prefixed, bool)> {
    let mut head = [0; PREFACE.len()];
    let mut length = 0;
    loop {
        let more = stream.read(&mut head[length..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        length += more;
        let is_preface = head[..length] == PREFACE[..length];
        if !is_preface || length == head.len() {
            return Ok((Prefixed { head, start: 0, end: length, stream: TokioIo::new(stream) }, is_preface));
        }
    }
}

/// A stream of which some bytes were read already.
struct Prefixed {
    head: [u8; PREFACE.len()],
    start: usize,
    end: usize,
    stream: TokioIo<TcpStream>,
}

impl Read for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting = self.end - self.start;
        if waiting == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = waiting.min(buffer.remaining());
        buffer.put_slice(&self.head[self.start..self.start + length]);
        self.start += length;
        Poll::Ready(Ok(()))
    }
}

impl Write for Prefixed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}

//! The receiving half of links: the peer port, and one task per connection.

use crate::error::LinkError;
use crate::frame::{FrameBuffer, Kind, put_frame};
use crate::handshake::{self, Introduction, STRANGER_BUFFER_BYTES};
use crate::http;
use crate::inbox::{Inbox, Superseded};
use crate::site::Site;
use crate::stream::Stream;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use volvox_core::{Bytes, Decode, Duration, NodeId, Reader, decode_all};

/// Accepts for as long as this is polled; when it is dropped, every connection ends.
pub(crate) async fn accept_links<M: Decode + Send + 'static>(
    listener: TcpListener,
    inbox: Arc<Inbox<M>>,
    site: Arc<Site>,
) {
    let mut connections = JoinSet::new();
    let mut strangers: VecDeque<Stranger> = VecDeque::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                site.log_link("cannot accept", None, "", &LinkError::Io(error));
                // Usually no file descriptors are left, and an immediate retry does not help.
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        site.tallies.connections_accepted.add(1);
        strangers.retain(|stranger| !stranger.known.load(Ordering::Relaxed) && !stranger.task.is_finished());
        if strangers.len() >= site.limits.strangers_max
            && let Some(oldest) = strangers.pop_front()
        {
            // The newest wins: a silent connection cannot keep out a peer that reconnects.
            site.tallies.connections_refused.add(1);
            oldest.task.abort();
        }
        if connections.len() >= site.limits.connections_max {
            site.tallies.connections_refused.add(1);
            drop(socket);
            continue;
        }
        let known = Arc::new(AtomicBool::new(false));
        let task = connections.spawn(serve(socket, address, Arc::clone(&inbox), Arc::clone(&site), Arc::clone(&known)));
        strangers.push_back(Stranger { known, task });
        // Let it send its Hello before the next is accepted, or a burst would push it out unread.
        yield_now().await;
    }
}

/// A connection that has not identified itself.
struct Stranger {
    known: Arc<AtomicBool>,
    task: AbortHandle,
}

async fn serve<M: Decode + Send + 'static>(
    socket: TcpStream,
    address: SocketAddr,
    inbox: Arc<Inbox<M>>,
    site: Arc<Site>,
    known: Arc<AtomicBool>,
) {
    let limit = site.limits.handshake_time_max;
    let mut from = None;
    let shaken = match timeout(limit, shake_hands(socket, &site, &mut from)).await {
        Ok(shaken) => shaken,
        Err(_) => Err(LinkError::TimedOut(limit)),
    };
    let (stream, buffer, peer, order) = match shaken {
        Ok(Some(shaken)) => shaken,
        Ok(None) => return,
        Err(error) => {
            site.tallies.connections_refused.add(1);
            site.log_link("a connection was refused", from, &address.to_string(), &error);
            return;
        }
    };
    known.store(true, Ordering::Relaxed);
    let close = Arc::new(Notify::new());
    if inbox.register(peer.node, order, Arc::clone(&close)).is_err() {
        site.tallies.connections_refused.add(1);
        return;
    }
    tracing::info!(node = %site.me, peer = %peer.node, incarnation = %peer.incarnation, %address, "link from the peer");
    site.poke(peer.node);
    // The entry is removed also when the task is aborted.
    let _registration = Registration { inbox: &inbox, from: peer.node, order };
    let error = tokio::select! {
        received = receive(stream, buffer, peer.node, order, &inbox, &site) => match received {
            Ok(never) => match never {},
            Err(error) => error,
        },
        () = close.notified() => LinkError::Superseded,
    };
    if matches!(error, LinkError::Frame(_) | LinkError::Decode(_) | LinkError::Unexpected) {
        site.tallies.bad_frames.add(1);
    }
    site.log_link("the link from the peer ended", Some(peer.node), &address.to_string(), &error);
}

struct Registration<'a, M> {
    inbox: &'a Inbox<M>,
    from: NodeId,
    order: u64,
}

impl<M> Drop for Registration<'_, M> {
    fn drop(&mut self) {
        self.inbox.unregister(self.from, self.order);
    }
}

/// The stream of an identified peer with what it has sent so far, its introduction, and the number of the connection.
type Shaken = (Stream, FrameBuffer, Introduction, u64);

/// `None` for a connection that was an HTTP request, which is answered.
async fn shake_hands(socket: TcpStream, site: &Site, from: &mut Option<NodeId>) -> Result<Option<Shaken>, LinkError> {
    socket.set_nodelay(true)?;
    let mut stream = match &site.tls {
        None => Stream::Plain(socket),
        Some(tls) => tls.accept(socket).await?,
    };
    let mut buffer = FrameBuffer::new(STRANGER_BUFFER_BYTES);
    if let Some(answers) = site.answers.get()
        && http::is_request(&mut stream, &mut buffer).await?
    {
        http::serve(&mut stream, &mut buffer, answers).await?;
        return Ok(None);
    }
    let (hello, order) = handshake::accept(&mut stream, &mut buffer, site, from).await?;
    buffer.rest_at(READ_BUFFER_BYTES);
    Ok(Some((stream, buffer, hello, order)))
}

const READ_BUFFER_BYTES: usize = 64 << 10;
/// Bodies up to this size are decoded in place: they contain no byte string worth sharing.
const SMALL_BODY_BYTES: usize = 64;

/// Reads until the connection ends; everything that one read brought is handed up at once.
async fn receive<M: Decode>(
    mut stream: Stream,
    mut buffer: FrameBuffer,
    from: NodeId,
    order: u64,
    inbox: &Inbox<M>,
    site: &Site,
) -> Result<std::convert::Infallible, LinkError> {
    let silence = site.limits.silence_max;
    let mut checks = interval(silence / 3);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silent_checks = 0;
    let mut batch = Vec::new();
    let mut pongs = Vec::new();
    loop {
        let read = parse(&mut buffer, &mut batch, &mut pongs, site.limits.frame_bytes_max);
        if !batch.is_empty() {
            let taken =
                inbox.deliver(from, order, &mut batch, site).await.map_err(|Superseded| LinkError::Superseded)?;
            site.tallies.messages_in.add(taken.messages);
            site.count_in(from, taken.bytes);
            site.tallies.dropped_by_faults.add(taken.dropped);
            site.wake.notify_one();
        }
        read?;
        if !pongs.is_empty() {
            timeout(silence, stream.write_all(&pongs)).await.map_err(|_| LinkError::Silent(silence))??;
            timeout(silence, stream.flush()).await.map_err(|_| LinkError::Silent(silence))??;
            pongs.clear();
        }
        tokio::select! {
            read = buffer.read_from(&mut stream) => {
                if read? == 0 {
                    return Err(LinkError::Closed);
                }
                silent_checks = 0;
            }
            _ = checks.tick() => {
                // Counted, not measured: after a pause of this process itself, the peer gets its full time.
                silent_checks += 1;
                if silent_checks > 4 {
                    return Err(LinkError::Silent(silence));
                }
            }
        }
    }
}

/// Takes every whole frame. Messages decoded before a bad frame are kept: they arrived in order.
fn parse<M: Decode>(
    buffer: &mut FrameBuffer,
    batch: &mut Vec<(M, usize)>,
    pongs: &mut Vec<u8>,
    limit: usize,
) -> Result<(), LinkError> {
    while let Some((kind, body)) = buffer.next(limit)? {
        match kind {
            Kind::Message => batch.push((decode_message(body)?, body.len())),
            Kind::Ping if body.len() == 8 => {
                put_frame(Kind::Pong, pongs, |out| out.extend_from_slice(body));
            }
            _ => return Err(LinkError::Unexpected),
        }
    }
    Ok(())
}

/// The byte strings of a larger message share one copy of its frame.
fn decode_message<M: Decode>(body: &[u8]) -> Result<M, LinkError> {
    if body.len() <= SMALL_BODY_BYTES {
        return Ok(decode_all(body)?);
    }
    let shared = Bytes::from(body);
    let mut reader = Reader::shared(&shared);
    let message = M::decode(&mut reader)?;
    reader.finish()?;
    Ok(message)
}

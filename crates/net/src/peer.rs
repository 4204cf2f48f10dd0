//! The sending half of a link: a bounded queue, and the task that keeps a connection and writes.
//!
//! The node loop encodes the messages of a turn into a buffer of its own, one a peer, and hands the buffer over at the
//! end of the turn: whatever waits leaves in one write.

use crate::counters::Tally;
use crate::error::LinkError;
use crate::frame::{FrameBuffer, Kind, put_frame};
use crate::handshake::{self, STRANGER_BUFFER_BYTES};
use crate::site::Site;
use crate::stream::Stream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use volvox_core::{Duration, Incarnation, Instant, NodeId};

/// One peer that we send to.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: String,
    queue: Mutex<Queue>,
    ready: Notify,
    /// Wakes the task from its pause between attempts.
    pub(crate) poke: Notify,
    /// What waits and what is being written.
    queued_bytes: AtomicUsize,
    queued_messages: AtomicUsize,
    connected: AtomicBool,
    pub(crate) dropped: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) bytes_out: Tally,
    pub(crate) bytes_in: Tally,
    /// Nanoseconds; 0 before the first.
    pub(crate) round_trip_nanos: AtomicU64,
    pub(crate) history: Mutex<History>,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    messages: usize,
}

/// What became of the link so far.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) connects: u64,
    pub(crate) last_error: Option<String>,
}

impl Peer {
    pub(crate) fn new(id: NodeId, address: String) -> Peer {
        Peer {
            id,
            address,
            queue: Mutex::default(),
            ready: Notify::new(),
            poke: Notify::new(),
            queued_bytes: AtomicUsize::new(0),
            queued_messages: AtomicUsize::new(0),
            connected: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            bytes_out: Tally::default(),
            bytes_in: Tally::default(),
            round_trip_nanos: AtomicU64::new(0),
            history: Mutex::default(),
        }
    }

    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// Whether one more message may wait beside what the caller holds.
    pub(crate) fn has_room(&self, held_bytes: usize, held_messages: usize, site: &Site) -> bool {
        let limits = &site.limits;
        let bytes_max = if self.connected() { limits.send_queue_bytes_max } else { limits.unconnected_queue_bytes_max };
        self.queued_bytes() + held_bytes < bytes_max
            && self.queued_messages.load(Ordering::Relaxed) + held_messages < limits.send_queue_messages_max
    }

    /// Takes over whole frames; `frames` is empty afterwards and keeps an allocation where it can.
    pub(crate) fn enqueue(&self, frames: &mut Vec<u8>, messages: usize) {
        self.queued_bytes.fetch_add(frames.len(), Ordering::Relaxed);
        self.queued_messages.fetch_add(messages, Ordering::Relaxed);
        self.sent.fetch_add(messages as u64, Ordering::Relaxed);
        let mut queue = self.lock();
        queue.messages += messages;
        if queue.bytes.is_empty() {
            std::mem::swap(&mut queue.bytes, frames);
        } else {
            queue.bytes.append(frames);
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// Everything that waits, in exchange for an empty buffer; says how many messages it holds.
    fn take(&self, buffer: &mut Vec<u8>) -> usize {
        debug_assert!(buffer.is_empty(), "what was taken before is not written yet");
        let mut queue = self.lock();
        std::mem::swap(&mut queue.bytes, buffer);
        std::mem::take(&mut queue.messages)
    }

    /// What was taken has left, or is lost.
    fn settle(&self, buffer: &mut Vec<u8>, messages: usize) {
        self.queued_bytes.fetch_sub(buffer.len(), Ordering::Relaxed);
        self.queued_messages.fetch_sub(messages, Ordering::Relaxed);
        buffer.clear();
        if buffer.capacity() > BUFFER_KEEP_BYTES {
            *buffer = Vec::new();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().expect("no panic holds this lock")
    }
}

/// A buffer that a burst has made larger is given back.
pub(crate) const BUFFER_KEEP_BYTES: usize = 1 << 20;
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// Keeps a connection to `peer` for as long as this is polled.
pub(crate) async fn keep_link(peer: Arc<Peer>, site: Arc<Site>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let began = site.clock.now();
        let mut lived_from = None;
        let error = link_once(&peer, &site, &mut lived_from).await;
        peer.connected.store(false, Ordering::Release);
        peer.history.lock().expect("no panic holds this lock").last_error = Some(error.to_string());
        let what = if lived_from.is_some() { "the link to the peer ended" } else { "no link to the peer" };
        site.log_link(what, Some(peer.id), &peer.address, &error);
        // A link that ended at once is no success: two nodes that displace one another must not spin.
        if lived_from.is_some_and(|from| site.clock.now().since(from) > site.limits.backoff_max) {
            backoff = BACKOFF_MIN;
        }
        let pause = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
        tracing::trace!(node = %site.me, peer = %peer.id, ?pause, attempt = ?site.clock.now().since(began), "pause");
        let _ = timeout(pause, peer.poke.notified()).await;
        backoff = (backoff * 2).min(site.limits.backoff_max);
    }
}

async fn link_once(peer: &Peer, site: &Site, lived_from: &mut Option<Instant>) -> LinkError {
    let limit = site.limits.handshake_time_max;
    let (mut stream, mut buffer, incarnation) = match timeout(limit, connect(peer, site)).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return error,
        Err(_) => return LinkError::TimedOut(limit),
    };
    *lived_from = Some(site.clock.now());
    {
        let mut history = peer.history.lock().expect("no panic holds this lock");
        history.connects += 1;
        let before = history.incarnation.replace(incarnation);
        if before.is_some_and(|before| before != incarnation) {
            // What waits was meant for another life of that node.
            let mut forgotten = Vec::new();
            let messages = peer.take(&mut forgotten);
            peer.settle(&mut forgotten, messages);
        }
    }
    peer.connected.store(true, Ordering::Release);
    tracing::info!(node = %site.me, peer = %peer.id, %incarnation, address = %peer.address, "link to the peer");
    match carry(peer, site, &mut stream, &mut buffer).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn connect(peer: &Peer, site: &Site) -> Result<(Stream, FrameBuffer, Incarnation), LinkError> {
    let failed = |source| LinkError::Connect { address: peer.address.clone(), source };
    let socket = TcpStream::connect(&peer.address).await.map_err(failed)?;
    socket.set_nodelay(true)?;
    let mut stream = match &site.tls {
        None => Stream::Plain(socket),
        Some(tls) => tls.connect(socket, &peer.address, peer.id).await?,
    };
    let mut buffer = FrameBuffer::new(STRANGER_BUFFER_BYTES);
    let welcome = handshake::dial(&mut stream, &mut buffer, peer.id, site).await?;
    Ok((stream, buffer, welcome.incarnation))
}

/// Writes what waits, and pings; ends when the connection does.
async fn carry(
    peer: &Peer,
    site: &Site,
    stream: &mut Stream,
    buffer: &mut FrameBuffer,
) -> Result<std::convert::Infallible, LinkError> {
    let silence = site.limits.silence_max;
    let mut pings = interval(silence / 3);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Counted, not measured: after this process itself stood still, the peer gets its full time to answer.
    let mut unanswered = 0;
    let mut out = Vec::new();
    loop {
        let messages = tokio::select! {
            () = peer.ready.notified() => peer.take(&mut out),
            read = buffer.read_from(stream) => {
                if read? == 0 {
                    return Err(LinkError::Closed);
                }
                unanswered = 0;
                take_pongs(peer, site, buffer)?;
                continue;
            }
            _ = pings.tick() => {
                if unanswered > 3 {
                    return Err(LinkError::Silent(silence));
                }
                unanswered += 1;
                let now = site.clock.now();
                put_frame(Kind::Ping, &mut out, |out| out.extend_from_slice(&now.0.to_le_bytes()));
                let pending = out.len();
                let written = write(stream, &out, silence).await;
                count_out(peer, site, pending);
                out.clear();
                written?;
                continue;
            }
        };
        let written = write(stream, &out, silence).await;
        count_out(peer, site, out.len());
        // Also when writing failed: the messages in flight are lost, and not sent twice.
        peer.settle(&mut out, messages);
        written?;
    }
}

fn count_out(peer: &Peer, site: &Site, bytes: usize) {
    peer.bytes_out.add(bytes as u64);
    site.tallies.bytes_out.add(bytes as u64);
}

async fn write(stream: &mut Stream, bytes: &[u8], stall_max: Duration) -> Result<(), LinkError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        // The limit is on making no progress, so that a slow link may carry a large batch.
        match timeout(stall_max, stream.write(rest)).await {
            Ok(Ok(0)) => return Err(LinkError::Closed),
            Ok(Ok(count)) => rest = &rest[count..],
            Ok(Err(error)) => return Err(LinkError::Io(error)),
            Err(_) => return Err(LinkError::Silent(stall_max)),
        }
    }
    match timeout(stall_max, stream.flush()).await {
        Ok(flushed) => Ok(flushed?),
        Err(_) => Err(LinkError::Silent(stall_max)),
    }
}

fn take_pongs(peer: &Peer, site: &Site, buffer: &mut FrameBuffer) -> Result<(), LinkError> {
    while let Some((kind, body)) = buffer.next(CONTROL_FRAME_BYTES_MAX)? {
        if kind != Kind::Pong {
            return Err(LinkError::Unexpected);
        }
        let sent: [u8; 8] = body.try_into().map_err(|_| LinkError::Unexpected)?;
        let round_trip = site.clock.now().since(Instant(u64::from_le_bytes(sent)));
        peer.round_trip_nanos.store(volvox_core::time::nanos(round_trip).max(1), Ordering::Relaxed);
    }
    Ok(())
}

/// Pings and pongs.
pub(crate) const CONTROL_FRAME_BYTES_MAX: usize = 64;

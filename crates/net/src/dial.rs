//! The dialling half of a link: the task that keeps a connection to a peer, and writes the messages that wait for it.

use crate::error::LinkError;
use crate::frame::{FrameBuffer, Kind, put_frame};
use crate::handshake::{self, STRANGER_BUFFER_BYTES};
use crate::peer::Peer;
use crate::site::Site;
use crate::stream::Stream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use volvox_core::{Duration, Incarnation, Instant};

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
        // A link that ended at once is not a success: two nodes that displace one another must not spin.
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
            // The waiting messages were meant for an earlier life of that node.
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
        Some(tls) => tls.connect(socket, &peer.address, Some(peer.id)).await?,
    };
    let mut buffer = FrameBuffer::new(STRANGER_BUFFER_BYTES);
    let welcome = handshake::dial(&mut stream, &mut buffer, peer.id, site).await?;
    Ok((stream, buffer, welcome.incarnation))
}

/// Writes the waiting messages, and pings; ends with the connection.
async fn carry(
    peer: &Peer,
    site: &Site,
    stream: &mut Stream,
    buffer: &mut FrameBuffer,
) -> Result<std::convert::Infallible, LinkError> {
    let silence = site.limits.silence_max;
    let mut pings = interval(silence / 3);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Counted, not measured: after a pause of this process itself, the peer gets its full time to answer.
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
        // The limit is on the time without progress, so that a slow link may carry a large batch.
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
const CONTROL_FRAME_BYTES_MAX: usize = 64;

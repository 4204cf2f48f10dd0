//! A peer that this node sends to: a bounded queue, and the history of the link.
//!
//! The node loop encodes the messages of a turn into a buffer of its own, one per peer, and hands the buffer over at
//! the end of the turn: whatever waits leaves in one write.

use crate::counters::Tally;
use crate::options::Limits;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;
use volvox_core::{Incarnation, NodeId};

/// One peer that we send to.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: String,
    queue: Mutex<Queue>,
    /// Wakes the task that writes: a message waits.
    pub(crate) ready: Notify,
    /// Wakes the task from its pause between attempts.
    pub(crate) poke: Notify,
    /// The bytes that wait and those that are being written.
    queued_bytes: AtomicUsize,
    queued_messages: AtomicUsize,
    pub(crate) connected: AtomicBool,
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

/// The history of the link.
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

    /// Whether one more message may wait besides those of the caller.
    pub(crate) fn has_room(&self, held_bytes: usize, held_messages: usize, limits: &Limits) -> bool {
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

    /// All waiting frames, in exchange for an empty buffer; returns the number of messages.
    pub(crate) fn take(&self, buffer: &mut Vec<u8>) -> usize {
        debug_assert!(buffer.is_empty(), "the frames taken before are not written yet");
        let mut queue = self.lock();
        std::mem::swap(&mut queue.bytes, buffer);
        std::mem::take(&mut queue.messages)
    }

    /// The frames that were taken are sent, or lost.
    pub(crate) fn settle(&self, buffer: &mut Vec<u8>, messages: usize) {
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

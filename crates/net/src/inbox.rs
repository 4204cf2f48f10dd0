//! Messages that have arrived and wait for the node's next turn.

use crate::faults::{FaultTable, Verdict};
use crate::site::Site;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use volvox_core::{Instant, NodeId};

/// The received messages of one node, with a bound: a delivering connection waits while it is full, and so does the
/// peer behind it, by TCP.
pub(crate) struct Inbox<M> {
    state: Mutex<State<M>>,
    space: Notify,
    messages_max: usize,
    bytes_max: usize,
}

struct State<M> {
    waiting: VecDeque<Arrived<M>>,
    waiting_bytes: usize,
    /// Messages that a fault delays, the first due on top.
    delayed: BinaryHeap<Delayed<M>>,
    delayed_bytes: usize,
    delayed_count: u64,
    /// When the last delayed message of a peer is due: nothing of that peer may overtake it.
    last_due: BTreeMap<NodeId, Instant>,
    /// The one connection of each peer that may deliver.
    connections: BTreeMap<NodeId, Connection>,
}

struct Connection {
    order: u64,
    close: Arc<Notify>,
}

/// A message and its size on the wire.
pub(crate) struct Arrived<M> {
    pub(crate) from: NodeId,
    pub(crate) message: M,
    pub(crate) bytes: usize,
}

/// A message that a fault holds back until a moment; of equal moments, the one that arrived first comes first.
struct Delayed<M> {
    order: Reverse<(Instant, u64)>,
    arrived: Arrived<M>,
}

impl<M> Ord for Delayed<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl<M> PartialOrd for Delayed<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> PartialEq for Delayed<M> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<M> Eq for Delayed<M> {}

/// The connection is no longer the peer's newest.
#[derive(Debug)]
pub(crate) struct Superseded;

/// The result of taking a batch.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Dropped by faults, or because too many are delayed.
    pub(crate) dropped: u64,
}

impl<M> Inbox<M> {
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Inbox<M> {
        let state = State {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            delayed: BinaryHeap::new(),
            delayed_bytes: 0,
            delayed_count: 0,
            last_due: BTreeMap::new(),
            connections: BTreeMap::new(),
        };
        Inbox { state: Mutex::new(state), space: Notify::new(), messages_max, bytes_max }
    }

    /// From now on only this connection delivers for `from`; an earlier one is asked to close. Refused when a newer
    /// connection delivers.
    pub(crate) fn register(&self, from: NodeId, order: u64, close: Arc<Notify>) -> Result<(), Superseded> {
        let mut state = self.lock();
        match state.connections.get(&from) {
            Some(current) if current.order >= order => return Err(Superseded),
            _ => {}
        }
        if let Some(before) = state.connections.insert(from, Connection { order, close }) {
            self.end(&before);
        }
        Ok(())
    }

    /// The connection has ended.
    pub(crate) fn unregister(&self, from: NodeId, order: u64) {
        let mut state = self.lock();
        if state.connections.get(&from).is_some_and(|current| current.order == order) {
            state.connections.remove(&from);
        }
    }

    /// Ends the connection of a node that is no longer a peer.
    pub(crate) fn close(&self, from: NodeId) {
        if let Some(connection) = self.lock().connections.remove(&from) {
            self.end(&connection);
        }
    }

    fn end(&self, connection: &Connection) {
        connection.close.notify_one();
        // It may be waiting to deliver.
        self.space.notify_waiters();
    }

    /// Whether a connection from that peer is up.
    pub(crate) fn hears(&self, from: NodeId) -> bool {
        self.lock().connections.contains_key(&from)
    }

    /// Hands up the messages that one connection read; waits while the inbox is full. `batch` is empty afterwards.
    pub(crate) async fn deliver(
        &self,
        from: NodeId,
        order: u64,
        batch: &mut Vec<(M, usize)>,
        site: &Site,
    ) -> Result<Taken, Superseded> {
        loop {
            // Created before the check, so that space which appears in between is not missed.
            let space = self.space.notified();
            {
                let mut state = self.lock();
                if state.connections.get(&from).is_none_or(|current| current.order != order) {
                    return Err(Superseded);
                }
                if state.waiting.len() < self.messages_max && state.waiting_bytes < self.bytes_max {
                    return Ok(self.take_in(&mut state, from, batch, site));
                }
            }
            space.await;
        }
    }

    fn take_in(&self, state: &mut State<M>, from: NodeId, batch: &mut Vec<(M, usize)>, site: &Site) -> Taken {
        let mut taken = Taken::default();
        let faulty = site.faults.any_on_network() || !state.last_due.is_empty();
        let now = site.clock.now();
        if faulty {
            // Due messages must come before the new ones.
            state.release_due(now);
        }
        for (message, bytes) in batch.drain(..) {
            taken.messages += 1;
            taken.bytes += bytes as u64;
            let arrived = Arrived { from, message, bytes };
            if faulty {
                taken.dropped += u64::from(!state.judge(arrived, &site.faults, now, self.bytes_max));
            } else {
                state.waiting_bytes += bytes;
                state.waiting.push_back(arrived);
            }
        }
        taken
    }

    /// Moves up to `max` messages into `into`, those whose delay is over included; returns how many are left.
    pub(crate) fn take(&self, max: usize, now: Instant, into: &mut Vec<Arrived<M>>) -> usize {
        let mut state = self.lock();
        state.release_due(now);
        let was_full = state.waiting.len() >= self.messages_max || state.waiting_bytes >= self.bytes_max;
        let count = state.waiting.len().min(max);
        let before = into.len();
        into.extend((0..count).filter_map(|_| state.waiting.pop_front()));
        state.waiting_bytes -= into[before..].iter().map(|arrived| arrived.bytes).sum::<usize>();
        let left = state.waiting.len();
        drop(state);
        if was_full && count > 0 {
            self.space.notify_waiters();
        }
        left
    }

    /// When the next delayed message is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.lock().delayed.peek().map(|delayed| delayed.order.0.0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<M>> {
        self.state.lock().expect("no panic holds this lock")
    }
}

impl<M> State<M> {
    /// Whether the message was kept.
    fn judge(&mut self, arrived: Arrived<M>, faults: &FaultTable, now: Instant, bytes_max: usize) -> bool {
        let due = match faults.verdict(arrived.from) {
            Verdict::Drop => return false,
            Verdict::Pass => now,
            Verdict::Delay(by) => now + by,
        };
        let due = due.max(self.last_due.get(&arrived.from).copied().unwrap_or_default());
        if due <= now {
            self.waiting_bytes += arrived.bytes;
            self.waiting.push_back(arrived);
            return true;
        }
        if self.delayed_bytes >= bytes_max {
            return false;
        }
        self.last_due.insert(arrived.from, due);
        self.delayed_bytes += arrived.bytes;
        self.delayed_count += 1;
        self.delayed.push(Delayed { order: Reverse((due, self.delayed_count)), arrived });
        true
    }

    fn release_due(&mut self, now: Instant) {
        while self.delayed.peek().is_some_and(|delayed| delayed.order.0.0 <= now) {
            let Some(Delayed { arrived, .. }) = self.delayed.pop() else { return };
            self.delayed_bytes -= arrived.bytes;
            self.waiting_bytes += arrived.bytes;
            self.waiting.push_back(arrived);
        }
        if self.delayed.is_empty() {
            self.last_due.clear();
        }
    }
}

//! A channel's state for one peer: the stream to it, and the stream from it.

use crate::message::Session;
use alloc::collections::{BTreeMap, VecDeque};
use volvox_core::{Duration, Position};

/// One peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Peer<M> {
    /// Its latest known session.
    pub session: Option<Session>,
    pub outward: Outward<M>,
    pub inward: Inward<M>,
}

/// The stream to the peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Outward<M> {
    /// The peer has delivered everything up to this number.
    pub acknowledged: u64,
    /// The unacknowledged messages: the numbers after `acknowledged`, in order, each with the position that must be
    /// durable first.
    pub queue: VecDeque<(Position, M)>,
    /// How many messages of the queue were sent to the current session.
    pub sent: usize,
    /// The pause before the next retransmission; `None` while the timer is not set.
    pub pause: Option<Duration>,
}

/// The stream from the peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Inward<M> {
    /// The last number delivered.
    pub through: u64,
    /// Messages that arrived before their turn, within the window.
    pub early: BTreeMap<u64, M>,
}

impl<M> Default for Peer<M> {
    fn default() -> Peer<M> {
        Peer {
            session: None,
            outward: Outward { acknowledged: 0, queue: VecDeque::new(), sent: 0, pause: None },
            inward: Inward { through: 0, early: BTreeMap::new() },
        }
    }
}

impl<M> Peer<M> {
    /// One of the two ends restarted: both streams start over. Returns how many messages were lost with the old
    /// session, which may or may not have delivered them.
    pub fn begin_again(&mut self) -> usize {
        let lost = self.outward.sent;
        self.outward.queue.drain(..lost);
        self.outward.sent = 0;
        self.outward.acknowledged = 0;
        self.inward.through = 0;
        self.inward.early.clear();
        lost
    }
}

impl<M> Outward<M> {
    /// Records that the peer has delivered everything up to `through`. Returns whether that is new. A number that was
    /// never sent is ignored.
    pub fn acknowledge(&mut self, through: u64) -> bool {
        let news = through.saturating_sub(self.acknowledged);
        if news == 0 || news > self.sent as u64 {
            return false;
        }
        self.queue.drain(..news as usize);
        self.sent -= news as usize;
        self.acknowledged = through;
        true
    }
}

/// The action for a message of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Deliver it: it is the next one.
    Next,
    /// Keep it for later.
    Early,
    /// Ignore it: it was already delivered, or is beyond the window and will be retransmitted.
    Out,
}

impl<M> Inward<M> {
    pub fn place(&self, number: u64, window: u64) -> Place {
        match number.checked_sub(self.through) {
            Some(1) => Place::Next,
            Some(2..) if number - self.through <= window => Place::Early,
            _ => Place::Out,
        }
    }

    /// The next message, if it has arrived before its turn.
    pub fn take_early(&mut self) -> Option<M> {
        let message = self.early.remove(&(self.through + 1))?;
        self.through += 1;
        Some(message)
    }
}

//! What a channel knows about one peer: the stream to it, and the stream from it.

use crate::message::Session;
use alloc::collections::{BTreeMap, VecDeque};
use volvox_core::{Duration, Position};

/// One peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Peer<M> {
    /// Its latest session, once it was heard of.
    pub session: Option<Session>,
    pub outward: Outward<M>,
    pub inward: Inward<M>,
}

/// What goes to the peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Outward<M> {
    /// The peer handed up everything up to this number.
    pub acknowledged: u64,
    /// Not acknowledged yet: the numbers after `acknowledged`, in order, each with what must be durable before it
    /// may be seen.
    pub queue: VecDeque<(Position, M)>,
    /// How many of the queue were sent to the session known now.
    pub sent: usize,
    /// How long to wait before the next repetition; `None` while the timer does not run.
    pub pause: Option<Duration>,
}

/// What comes from the peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Inward<M> {
    /// Handed up so far.
    pub through: u64,
    /// Arrived before their turn, within the window.
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
    /// One of the two ends begins a new life: both streams begin again. Returns how many messages were lost with the
    /// old life, because it may have handed them up or not.
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
    /// The peer handed up everything up to `through`. Returns whether that is news. A number that was never sent is a
    /// lie, and changes nothing.
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

/// What to do with a message of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// It is the next one.
    Next,
    /// Keep it for later.
    Early,
    /// It was handed up already, or lies beyond the window: a repetition will come.
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

    /// The next message, when it arrived before its turn.
    pub fn take_early(&mut self) -> Option<M> {
        let message = self.early.remove(&(self.through + 1))?;
        self.through += 1;
        Some(message)
    }
}

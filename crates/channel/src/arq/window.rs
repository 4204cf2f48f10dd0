//! The two ends of one direction: what is under way, and what is expected.

use super::{Config, Message};
use alloc::collections::{BTreeMap, VecDeque};
use volvox_core::Position;

/// The sender's end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Outward<M> {
    /// The number of the first of the queue.
    pub base: u16,
    /// From the first that is not acknowledged: what must be durable before it may be seen, the message, and whether it
    /// was acknowledged by itself.
    pub queue: VecDeque<(Position, M, bool)>,
    /// How many of the queue were sent.
    pub sent: usize,
}

/// The receiver's end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Inward<M> {
    /// The number that is handed up next.
    pub expected: u16,
    /// What arrived before its turn.
    pub early: BTreeMap<u16, M>,
}

impl<M> Default for Outward<M> {
    fn default() -> Outward<M> {
        Outward { base: 0, queue: VecDeque::new(), sent: 0 }
    }
}

impl<M> Default for Inward<M> {
    fn default() -> Inward<M> {
        Inward { expected: 0, early: BTreeMap::new() }
    }
}

impl<M: Clone> Outward<M> {
    /// The message at a place of the queue, with its number and what it waits for.
    pub fn frame(&self, place: usize, config: &Config<()>) -> (u16, Position, Message<M>) {
        let sequence = config.after(self.base, place);
        let (after, message, _) = &self.queue[place];
        (sequence, *after, Message::Data { sequence, message: message.clone() })
    }

    /// Everything up to this place arrived.
    pub fn acknowledge_through(&mut self, place: usize, config: &Config<()>) {
        self.queue.drain(..=place);
        self.sent -= place + 1;
        self.base = config.after(self.base, place + 1);
    }

    /// The message at this place arrived; the window moves behind the first that did not.
    pub fn acknowledge_one(&mut self, place: usize, config: &Config<()>) {
        self.queue[place].2 = true;
        let arrived = self.queue.iter().take(self.sent).take_while(|(_, _, acknowledged)| *acknowledged).count();
        if arrived > 0 {
            self.acknowledge_through(arrived - 1, config);
        }
    }
}

impl<M> Inward<M> {
    /// The next message, when it is there.
    pub fn take_next(&mut self, config: &Config<()>) -> Option<M> {
        let message = self.early.remove(&self.expected)?;
        self.expected = config.after(self.expected, 1);
        Some(message)
    }
}

//! The two ends of one direction: the messages in flight, and the expected ones.

use super::{Config, Message};
use alloc::collections::{BTreeMap, VecDeque};
use volvox_core::Position;

/// The sender's end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Outward<M> {
    /// The number of the first of the queue.
    pub base: u16,
    /// From the first unacknowledged message: the position that must be durable first, the message, and whether it was
    /// acknowledged individually.
    pub queue: VecDeque<(Position, M, bool)>,
    /// How many messages of the queue were sent.
    pub sent: usize,
}

/// The receiver's end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Inward<M> {
    /// The number that is delivered next.
    pub expected: u16,
    /// The messages that arrived before their turn.
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
    /// The message at a place of the queue, with its number and the position that it waits for.
    pub fn frame(&self, place: usize, config: &Config<()>) -> (u16, Position, Message<M>) {
        let sequence = config.after(self.base, place);
        let (after, message, _) = &self.queue[place];
        (sequence, *after, Message::Data { sequence, message: message.clone() })
    }

    /// Records that everything up to this place arrived.
    pub fn acknowledge_through(&mut self, place: usize, config: &Config<()>) {
        self.queue.drain(..=place);
        self.sent -= place + 1;
        self.base = config.after(self.base, place + 1);
    }

    /// Records that the message at this place arrived; the window advances to the first that did not.
    pub fn acknowledge_one(&mut self, place: usize, config: &Config<()>) {
        self.queue[place].2 = true;
        let arrived = self.queue.iter().take(self.sent).take_while(|(_, _, acknowledged)| *acknowledged).count();
        if arrived > 0 {
            self.acknowledge_through(arrived - 1, config);
        }
    }
}

impl<M> Inward<M> {
    /// The next message, if it has arrived.
    pub fn take_next(&mut self, config: &Config<()>) -> Option<M> {
        let message = self.early.remove(&self.expected)?;
        self.expected = config.after(self.expected, 1);
        Some(message)
    }
}

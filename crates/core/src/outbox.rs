//! The durability gate: sends and events wait here until the records that they reveal are on disk.
//!
//! Every world applies the same gate, so that the simulator tests the order that production has.

use crate::identity::Position;
use alloc::collections::VecDeque;

/// Items that wait for durability. Those that wait for the same position leave in the order in which they came.
#[derive(Clone, Debug)]
pub struct Outbox<T> {
    durable: Position,
    waiting: VecDeque<(Position, T)>,
}

impl<T> Outbox<T> {
    /// A gate for a log whose records up to `durable` are on disk.
    pub fn new(durable: Position) -> Outbox<T> {
        Outbox { durable, waiting: VecDeque::new() }
    }

    /// The last position known to be durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// The number of waiting items.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the item if it may leave at once; keeps it otherwise.
    pub fn offer(&mut self, after: Position, item: T) -> Option<T> {
        if after <= self.durable {
            return Some(item);
        }
        // Positions mostly rise, so the place is mostly the end.
        let mut place = self.waiting.len();
        self.waiting.push_back((after, item));
        while place > 0 && self.waiting[place - 1].0 > after {
            self.waiting.swap(place - 1, place);
            place -= 1;
        }
        None
    }

    /// Records that the records up to `through` are durable.
    pub fn advance(&mut self, through: Position) {
        self.durable = self.durable.max(through);
    }

    /// Takes the next item that may leave.
    pub fn pop(&mut self) -> Option<T> {
        match self.waiting.front() {
            Some((after, _)) if *after <= self.durable => self.waiting.pop_front().map(|(_, item)| item),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_leave_in_order_of_their_positions() {
        let mut outbox = Outbox::new(Position(2));
        assert_eq!(outbox.offer(Position(2), "now"), Some("now"));
        assert_eq!(outbox.offer(Position(5), "late"), None);
        assert_eq!(outbox.offer(Position(4), "first"), None);
        assert_eq!(outbox.offer(Position(4), "second"), None);
        assert_eq!(outbox.pop(), None);
        outbox.advance(Position(4));
        assert_eq!((outbox.pop(), outbox.pop(), outbox.pop()), (Some("first"), Some("second"), None));
        outbox.advance(Position(9));
        assert_eq!(outbox.pop(), Some("late"));
    }
}

//! The boots of one incarnation: each has a number, and sequences of its own.

use super::Replica;
use crate::message::Record;
use volvox_core::{Context, Position};

/// The boot of this incarnation, and whether its record is durable: before that, nothing is proposed.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    number: u64,
    position: Position,
    is_durable: bool,
}

impl Boot {
    /// A node that was never started.
    pub fn none() -> Boot {
        Boot { number: 0, position: Position::NONE, is_durable: false }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether sequences of this boot may be used.
    pub fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// A boot before this one was found on the disk.
    pub fn on_found(&mut self, number: u64) {
        self.number = self.number.max(number);
    }

    /// The process starts.
    pub fn begin(&mut self, cx: &mut Context<'_, Replica>) {
        self.number += 1;
        self.position = cx.persist(Record::Boot { number: self.number });
    }

    /// Whether that made the record of the boot durable.
    pub fn on_persisted(&mut self, through: Position) -> bool {
        let is_new = !self.is_durable && through >= self.position;
        self.is_durable |= is_new;
        is_new
    }
}

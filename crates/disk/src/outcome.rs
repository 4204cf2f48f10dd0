//! The possible outcomes of opening a folder.

use crate::identity::Identity;
use core::fmt;
use core::ops::Range;
use volvox_core::{Bytes, Position};

/// The outcome of opening a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// There never was a log. [`crate::Log::start_life`] begins one.
    Fresh,
    /// All records are there.
    Intact,
    /// A write was in progress when the last life ended. It was never acknowledged, and is cut.
    TornTail {
        /// The segment that contained it.
        segment: u64,
        /// The offset in the segment.
        bytes: Range<u64>,
        /// The position that its first record would have had.
        first: Position,
    },
    /// Something that was durable is missing. The node must not continue under its old identity:
    /// [`crate::Log::start_life`] begins another life.
    Lost(Loss),
}

/// The loss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The identity file.
    Identity,
    /// The manifest of the current checkpoint.
    Manifest,
    /// A part of the current checkpoint.
    Part {
        /// Its number.
        number: u64,
    },
    /// A segment of the log is missing, or the end of its file.
    Segment {
        /// Its number.
        number: u64,
    },
    /// Records that were durable but do not verify.
    Records {
        /// The first.
        first: Position,
        /// The last that is known to have existed.
        last: Position,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Identity => write!(f, "the identity file is missing or damaged"),
            Loss::Manifest => write!(f, "the manifest of the checkpoint is missing or damaged"),
            Loss::Part { number } => write!(f, "part {number} of the checkpoint is missing or damaged"),
            Loss::Segment { number } => write!(f, "segment {number} of the log is missing or cut short"),
            Loss::Records { first, last } => write!(f, "the records {first} to {last} are damaged"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Fresh => write!(f, "the folder is empty"),
            Outcome::Intact => write!(f, "all records are there"),
            Outcome::TornTail { segment, bytes, first } => {
                let Range { start, end } = bytes;
                write!(f, "cut an unfinished write of {first} at bytes {start} to {end} of segment {segment}")
            }
            Outcome::Lost(loss) => write!(f, "lost: {loss}"),
        }
    }
}

/// The content recovered from a folder.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The owner of the log. `None` when the folder is new, or when the owner itself is lost.
    pub identity: Option<Identity>,
    /// The last record that the checkpoint covers.
    pub covers: Position,
    /// The parts of the checkpoint in their order, all verified; [`crate::Log::read_part`] reads them.
    pub parts: Vec<u64>,
    /// Every record after `covers`, oldest first. None when something was lost: a node must not build on a part.
    pub records: Vec<(Position, Bytes)>,
    /// The position that the next record will have.
    pub next_position: Position,
    /// The outcome.
    pub outcome: Outcome,
}

impl Recovered {
    /// A folder without any recovered content.
    pub(crate) fn nothing(outcome: Outcome, identity: Option<Identity>) -> Recovered {
        let (parts, records) = (Vec::new(), Vec::new());
        Recovered { identity, covers: Position::NONE, parts, records, next_position: Position(1), outcome }
    }
}

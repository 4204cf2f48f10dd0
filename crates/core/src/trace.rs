//! The trace: one line of text per effect, the same in golden files, logs, counterexamples and on the console.
//!
//! ```text
//! 0.000ms n1 persist p2 entries [1] t1 commit=0
//! 0.000ms n1 -> n2 Append t1 prev=0@0 [1] commit=0
//! 0.000ms n2 timer Election in 731ms
//! ```
//! This format is public API.

use crate::effect::Effect;
use crate::identity::{NodeId, Position};
use crate::time::Instant;
use core::fmt;
use core::fmt::{Debug, Display};

/// A line of the trace: an effect of `node` at `at`.
pub struct Line<'a, M, T, R, E> {
    /// The time, on the world's clock.
    pub at: Instant,
    /// The node.
    pub node: NodeId,
    /// The effect.
    pub effect: &'a Effect<M, T, R, E>,
}

impl<M: Display, T: Debug, R: Display, E: Display> fmt::Display for Line<'_, M, T, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.at, self.node)?;
        match self.effect {
            Effect::Send { to, message, after } => {
                write!(f, "-> {to} {message}")?;
                waits(*after, f)
            }
            Effect::Emit { event, after } => {
                write!(f, "event {event}")?;
                waits(*after, f)
            }
            Effect::Persist { position, record } => write!(f, "persist {position} {record}"),
            Effect::SetTimer { timer, after } => write!(f, "timer {timer:?} in {after:?}"),
            Effect::CancelTimer { timer } => write!(f, "cancel {timer:?}"),
            Effect::CheckpointPart { part } => {
                write!(f, "checkpoint part {} of {} bytes", part.number, part.data.len())
            }
            Effect::CheckpointDone { covers, parts } => {
                write!(f, "checkpoint through {covers} in {} parts", parts.len())
            }
            Effect::Note(note) => write!(f, "note {note}"),
        }
    }
}

fn waits(after: Position, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if after == Position::NONE { Ok(()) } else { write!(f, " after {after}") }
}

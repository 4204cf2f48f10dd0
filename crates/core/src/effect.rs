//! Effects: what a step asks of the world, as plain data.
//!
//! A step is atomic: its effects stay in a buffer, in program order, until the handler has returned. The world can then
//! print, hash, delay or drop them.

use crate::bytes::Bytes;
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::identity::{NodeId, Position};
use crate::process::Process;
use core::fmt;
use core::time::Duration;

/// The size limit of a checkpoint part.
pub const PART_BYTES_MAX: usize = 1 << 20;

/// One immutable piece of a checkpoint.
///
/// A number names a part within one incarnation and is never reused for other content, so a part that is already on
/// disk is not written again.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Part {
    /// Its name, unique within the incarnation.
    pub number: u64,
    /// At most [`PART_BYTES_MAX`] bytes, in the process's own format.
    pub data: Bytes,
}

impl Encode for Part {
    fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
        self.number.encode(out);
        self.data.encode(out);
    }
}

impl Decode for Part {
    fn decode(input: &mut Reader<'_>) -> Result<Part, DecodeError> {
        let part = Part { number: u64::decode(input)?, data: Bytes::decode(input)? };
        if part.data.len() > PART_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        Ok(part)
    }
}

/// A remark in the trace, such as why a message was ignored, or that a limit was reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Note {
    /// The event, in a few fixed words.
    pub text: &'static str,
    /// A number that belongs to it; 0 if none.
    pub value: u64,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            0 => f.write_str(self.text),
            value => write!(f, "{} {value}", self.text),
        }
    }
}

/// One effect of a step. Generic over the payloads and not over the process, so that derives work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect<M, T, R, E> {
    /// Send `message` to `to` once the records up to `after` are durable. A link delivers at most once.
    Send {
        /// The receiver; never the sender itself.
        to: NodeId,
        /// The message.
        message: M,
        /// The position that must be durable before the effect may become visible.
        after: Position,
    },
    /// Emit an event to the outside, once the records up to `after` are durable.
    Emit {
        /// The event.
        event: E,
        /// The position that must be durable before the effect may become visible.
        after: Position,
    },
    /// Write a record. It gets this position, and is durable once `on_persisted` reports it.
    Persist {
        /// Its position: one more than that of the record before it.
        position: Position,
        /// The record.
        record: R,
    },
    /// Start or restart a timer.
    SetTimer {
        /// The timer.
        timer: T,
        /// The delay, on the monotonic clock.
        after: Duration,
    },
    /// Stop a timer; it will not fire.
    CancelTimer {
        /// The timer.
        timer: T,
    },
    /// Write a checkpoint part.
    CheckpointPart {
        /// The part.
        part: Part,
    },
    /// Make a checkpoint current, once its parts and all records persisted so far are durable: these parts, in this
    /// order, replace the records up to `covers`, which may then be deleted. Parts that it does not name are deleted.
    ///
    /// Records persisted after it may depend on it, as the log after an installed snapshot does: a world counts those
    /// records as durable only once the checkpoint is current. It may write them earlier.
    CheckpointDone {
        /// The last record that the parts replace.
        covers: Position,
        /// All parts of the checkpoint, including those kept from the previous one.
        parts: alloc::vec::Vec<u64>,
    },
    /// A remark for the trace.
    Note(Note),
}

impl<M, T, R, E> Effect<M, T, R, E> {
    /// The same effect over other payloads.
    pub fn map<M2, T2, R2, E2>(
        self,
        message_of: impl FnOnce(M) -> M2,
        timer_of: impl FnOnce(T) -> T2,
        record_of: impl FnOnce(R) -> R2,
        event_of: impl FnOnce(E) -> E2,
    ) -> Effect<M2, T2, R2, E2> {
        match self {
            Effect::Send { to, message, after } => Effect::Send { to, message: message_of(message), after },
            Effect::Emit { event, after } => Effect::Emit { event: event_of(event), after },
            Effect::Persist { position, record } => Effect::Persist { position, record: record_of(record) },
            Effect::SetTimer { timer, after } => Effect::SetTimer { timer: timer_of(timer), after },
            Effect::CancelTimer { timer } => Effect::CancelTimer { timer: timer_of(timer) },
            Effect::CheckpointPart { part } => Effect::CheckpointPart { part },
            Effect::CheckpointDone { covers, parts } => Effect::CheckpointDone { covers, parts },
            Effect::Note(note) => Effect::Note(note),
        }
    }
}

/// The effects of a process.
pub type EffectOf<P> =
    Effect<<P as Process>::Message, <P as Process>::Timer, <P as Process>::Record, <P as Process>::Event>;

//! Effects: what a step asked of the world, as plain data.
//!
//! A step is atomic: its effects lie in a buffer, in program order, until the handler has returned. The world can then
//! print, hash, delay or drop them.

use crate::bytes::Bytes;
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::identity::{NodeId, Position};
use crate::process::Process;
use core::fmt;
use core::time::Duration;

/// The most that one checkpoint part may hold.
pub const PART_BYTES_MAX: usize = 1 << 20;

/// One immutable piece of a checkpoint.
///
/// A part is named by its number within one incarnation: a number never comes back with other content, so a part that
/// is already on disk is not written again.
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

/// A remark in the trace: why a message was ignored, that a limit was reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Note {
    /// What happened, in a few fixed words.
    pub text: &'static str,
    /// A number that goes with it; 0 when there is none.
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
        /// What is sent.
        message: M,
        /// What must be durable before anybody may see it.
        after: Position,
    },
    /// Tell whoever runs this process, once the records up to `after` are durable.
    Emit {
        /// What is told.
        event: E,
        /// What must be durable before anybody may see it.
        after: Position,
    },
    /// Write a record. It has this position, and is durable when `on_persisted` says so.
    Persist {
        /// Its place: one more than the record before it.
        position: Position,
        /// What is written.
        record: R,
    },
    /// Start a timer, or start it anew.
    SetTimer {
        /// Which.
        timer: T,
        /// How long from now, on the monotonic clock.
        after: Duration,
    },
    /// Stop a timer; it will not fire.
    CancelTimer {
        /// Which.
        timer: T,
    },
    /// Write a checkpoint part.
    CheckpointPart {
        /// The part.
        part: Part,
    },
    /// Make a checkpoint current, once its parts and all records persisted so far are durable: these parts, in this
    /// order, stand for the records up to `covers`, which may then be cut. Parts that it does not name are deleted.
    ///
    /// What is persisted behind it may rest on it, as the log behind an installed snapshot does: a world counts those
    /// records as durable only once the checkpoint is current. It may write them earlier.
    CheckpointDone {
        /// The last record that the parts stand for.
        covers: Position,
        /// All parts of the checkpoint, also those kept from the one before.
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

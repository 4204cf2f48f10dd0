//! Log entries.

use crate::configuration::Configuration;
use crate::index::{Index, Term};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::codec::put_varint;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Reader};

/// The most entries that one message or record may hold.
pub const ENTRIES_MAX: usize = 4_096;

/// The most bytes of data that one entry may hold.
pub const ENTRY_BYTES_MAX: usize = 16 << 20;

/// The most bytes of data that the entries of one message or record may hold together.
pub const ENTRIES_BYTES_MAX: usize = 32 << 20;

/// One entry of the replicated log (Raft 5.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// The term of the leader that appended it.
    pub term: Term,
    /// Its place.
    pub index: Index,
    /// The content.
    pub payload: Payload,
}

/// The content of an entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Payload {
    /// Nothing: what a new leader appends first, so that it can commit the entries of earlier terms (Raft 8).
    Empty,
    /// The caller's data.
    Data(Bytes),
    /// The configuration from here on: in force when appended, not when committed (Raft 6).
    Configuration(Configuration),
}

impl Entry {
    /// The weight of this entry against limits in bytes: its data and overhead.
    pub fn weight(&self) -> usize {
        const OVERHEAD: usize = 64;
        match &self.payload {
            Payload::Data(data) => OVERHEAD + data.len(),
            Payload::Empty | Payload::Configuration(_) => OVERHEAD,
        }
    }
}

/// Appends a run of entries: the first index, then each entry's term and payload.
pub(crate) fn encode_entries(entries: &[Entry], out: &mut Vec<u8>) {
    put_varint(entries.len() as u64, out);
    let Some(first) = entries.first() else { return };
    first.index.encode(out);
    for entry in entries {
        entry.term.encode(out);
        entry.payload.encode(out);
    }
}

/// Decodes a run of entries, which is bounded, without gaps, and whose terms never decrease.
pub(crate) fn decode_entries(input: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    let count = input.count()?;
    if count > ENTRIES_MAX {
        return Err(DecodeError::TooLong);
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut index = Index::decode(input)?;
    if index == Index::ZERO {
        return Err(DecodeError::Invalid("index"));
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let mut bytes_left = ENTRIES_BYTES_MAX;
    for _ in 0..count {
        let term = Term::decode(input)?;
        if term == Term::ZERO || entries.last().is_some_and(|last| term < last.term) {
            return Err(DecodeError::Invalid("term"));
        }
        let payload = Payload::decode(input)?;
        if let Payload::Data(data) = &payload {
            bytes_left = bytes_left.checked_sub(data.len()).ok_or(DecodeError::TooLong)?;
        }
        entries.push(Entry { term, index, payload });
        index = index.next();
    }
    Ok(entries)
}

impl Encode for Payload {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Payload::Empty => out.push(0),
            Payload::Data(data) => {
                out.push(1);
                data.encode(out);
            }
            Payload::Configuration(configuration) => {
                out.push(2);
                configuration.encode(out);
            }
        }
    }
}

impl Decode for Payload {
    fn decode(input: &mut Reader<'_>) -> Result<Payload, DecodeError> {
        Ok(match input.u8()? {
            0 => Payload::Empty,
            1 => {
                let data = Bytes::decode(input)?;
                if data.len() > ENTRY_BYTES_MAX {
                    return Err(DecodeError::TooLong);
                }
                Payload::Data(data)
            }
            2 => Payload::Configuration(Configuration::decode(input)?),
            other => return Err(DecodeError::Unknown("payload", u64::from(other))),
        })
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Empty => f.write_str("empty"),
            Payload::Data(data) => write!(f, "{data:?}"),
            Payload::Configuration(configuration) => write!(f, "{configuration}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} {}", self.index, self.term.0, self.payload)
    }
}

/// The indices of a run of entries in the form of a trace: `[]`, `[5]` or `[5..7]`.
pub(crate) struct Span<'a>(pub &'a [Entry]);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("[]"),
            [only] => write!(f, "[{}]", only.index),
            [first, .., last] => write!(f, "[{}..{}]", first.index, last.index),
        }
    }
}

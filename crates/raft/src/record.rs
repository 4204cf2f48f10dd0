//! The records of a member.

use crate::configuration::{Configuration, Member};
use crate::entry::{Entry, Span, decode_entries, encode_entries};
use crate::index::{Index, Term};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, Kinds, Reader};

/// The version of the encodings in this file: the first byte of each.
const VERSION: u8 = 1;

/// A record. The last `Hard` counts; entries replace the log from their first index on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The state that must survive so that no term has two leaders (Raft figure 2, "persistent state").
    Hard {
        /// The current term.
        term: Term,
        /// The candidate that this member voted for in that term.
        vote: Option<Member>,
        /// The commit index when this was written: after a restart, the entries up to it are applied first.
        commit: Index,
    },
    /// Entries of the log, without gaps.
    Entries {
        /// The entries.
        entries: Vec<Entry>,
        /// The commit index when this was written.
        commit: Index,
    },
    /// From here on the log depends on a received snapshot. If the checkpoint with it is not current after a restart,
    /// the entries and commit indices from here on are void; they were revealed to no other node.
    Rests {
        /// The last entry that the snapshot holds.
        index: Index,
    },
    /// After such a restart: what follows continues the log before the last `Rests`.
    Void,
}

impl Kinds for Record {
    const KINDS: &'static [&'static str] = &["Hard", "Entries", "Rests", "Void"];

    fn kind(&self) -> &'static str {
        match self {
            Record::Hard { .. } => "Hard",
            Record::Entries { .. } => "Entries",
            Record::Rests { .. } => "Rests",
            Record::Void => "Void",
        }
    }
}

/// The description of a snapshot, which replaces the log up to `index`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct SnapshotMeta {
    /// The last entry that it replaces.
    pub index: Index,
    /// The term of that entry.
    pub term: Term,
    /// The configuration at that entry.
    pub configuration: Configuration,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Hard { term, vote: Some(vote), commit } => write!(f, "hard {term} vote={vote} commit={commit}"),
            Record::Hard { term, vote: None, commit } => write!(f, "hard {term} vote=none commit={commit}"),
            Record::Entries { entries, commit } => {
                let last = entries.last().map_or(Term::ZERO, |entry| entry.term);
                write!(f, "entries {} {last} commit={commit}", Span(entries))
            }
            Record::Rests { index } => write!(f, "rests on snapshot {index}"),
            Record::Void => f.write_str("void"),
        }
    }
}

impl fmt::Display for SnapshotMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term.0)
    }
}

fn version(input: &mut Reader<'_>, what: &'static str) -> Result<(), DecodeError> {
    match input.u8()? {
        VERSION => Ok(()),
        other => Err(DecodeError::Unknown(what, u64::from(other))),
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            Record::Hard { term, vote, commit } => {
                out.push(0);
                term.encode(out);
                vote.encode(out);
                commit.encode(out);
            }
            Record::Entries { entries, commit } => {
                out.push(1);
                commit.encode(out);
                encode_entries(entries, out);
            }
            Record::Rests { index } => {
                out.push(2);
                index.encode(out);
            }
            Record::Void => out.push(3),
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        version(input, "version of a raft record")?;
        Ok(match input.u8()? {
            0 => {
                Record::Hard { term: Term::decode(input)?, vote: Option::decode(input)?, commit: Index::decode(input)? }
            }
            1 => {
                let commit = Index::decode(input)?;
                let entries = decode_entries(input)?;
                if entries.is_empty() {
                    return Err(DecodeError::Invalid("empty record"));
                }
                Record::Entries { entries, commit }
            }
            2 => Record::Rests { index: Index::decode(input)? },
            3 => Record::Void,
            other => return Err(DecodeError::Unknown("raft record", u64::from(other))),
        })
    }
}

impl Encode for SnapshotMeta {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.index.encode(out);
        self.term.encode(out);
        self.configuration.encode(out);
    }
}

impl Decode for SnapshotMeta {
    fn decode(input: &mut Reader<'_>) -> Result<SnapshotMeta, DecodeError> {
        version(input, "version of a snapshot")?;
        Ok(SnapshotMeta {
            index: Index::decode(input)?,
            term: Term::decode(input)?,
            configuration: Configuration::decode(input)?,
        })
    }
}

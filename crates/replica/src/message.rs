//! The messages, records and timers of replicas.

use crate::error::Error;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Bytes, Decode, DecodeError, Encode, MessageKind, Reader};

/// A message between two replicas.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Consensus.
    Raft(volvox_raft::Message),
    /// A follower hands a client's write to the leader of this term, and of this term only: once an entry of a later
    /// term is applied, the write is surely lost, and may be handed over again under the same sequence.
    Forward {
        /// The origin's sequence.
        sequence: u64,
        /// The term of the addressed leader.
        term: u64,
        /// The encoded proposal.
        proposal: Bytes,
    },
    /// The receiver of a `Forward` did not propose it.
    Refused {
        /// The origin's sequence.
        sequence: u64,
        /// The term of the `Forward`.
        term: u64,
        /// The reason; `None`: it does not lead in that term.
        error: Option<Refusal>,
    },
    /// A follower's client asks the leader about a lease.
    LeaseAsk {
        /// The requester's name for the question.
        question: u64,
        /// The lease.
        lease: i64,
        /// Whether to renew it, or only report its remaining time.
        renew: bool,
    },
    /// The leader's answer about a lease.
    LeaseAnswer {
        /// The question.
        question: u64,
        /// Seconds left; -1 when there is no such lease.
        ttl: i64,
        /// Seconds given at the grant; 0 when there is no such lease.
        granted_ttl: i64,
        /// The last entry that the leader had applied: its answer refers to the state after it.
        applied: u64,
    },
}

/// Why a leader does not propose a forwarded write; the request certainly had no effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// The leader is overloaded.
    TooManyRequests,
    /// The learner lags too far behind to vote.
    LearnerNotReady,
    /// Too few members are connected for such a change.
    Unhealthy,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::TooManyRequests => Error::TooManyRequests,
            Refusal::LearnerNotReady => Error::LearnerNotReady,
            Refusal::Unhealthy => Error::Unhealthy,
        }
    }
}

/// The records of a replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// Of consensus.
    Raft(volvox_raft::Record),
    /// The process started for the n-th time in this incarnation: sequences of different starts never collide.
    Boot {
        /// n, from 1.
        number: u64,
    },
}

/// The timers of a replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Of consensus.
    Raft(volvox_raft::Timer),
    /// Check requests that wait too long, and hand over those that found no leader.
    Requests,
    /// Continue applying.
    Apply,
    /// Check for expired leases.
    Leases,
    /// Continue catching watchers up.
    CatchUp,
    /// Send progress to idle watchers.
    Progress,
    /// Write the next part of a checkpoint.
    Checkpoint,
    /// Continue compacting the store.
    Compact,
    /// Bring the Raft configuration into line with the members.
    Reconcile,
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Raft(message) => message.kind(),
            Message::Forward { .. } => "Forward",
            Message::Refused { .. } => "Refused",
            Message::LeaseAsk { .. } => "LeaseAsk",
            Message::LeaseAnswer { .. } => "LeaseAnswer",
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Raft(message) => {
                out.push(0);
                message.encode(out);
            }
            Message::Forward { sequence, term, proposal } => {
                out.push(1);
                sequence.encode(out);
                term.encode(out);
                proposal.encode(out);
            }
            Message::Refused { sequence, term, error } => {
                out.push(2);
                sequence.encode(out);
                term.encode(out);
                out.push(match error {
                    None => 0,
                    Some(Refusal::TooManyRequests) => 1,
                    Some(Refusal::LearnerNotReady) => 2,
                    Some(Refusal::Unhealthy) => 3,
                });
            }
            Message::LeaseAsk { question, lease, renew } => {
                out.push(3);
                question.encode(out);
                lease.encode(out);
                renew.encode(out);
            }
            Message::LeaseAnswer { question, ttl, granted_ttl, applied } => {
                out.push(4);
                question.encode(out);
                ttl.encode(out);
                granted_ttl.encode(out);
                applied.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Raft(Decode::decode(input)?),
            1 => Message::Forward {
                sequence: Decode::decode(input)?,
                term: Decode::decode(input)?,
                proposal: Decode::decode(input)?,
            },
            2 => Message::Refused {
                sequence: Decode::decode(input)?,
                term: Decode::decode(input)?,
                error: match input.u8()? {
                    0 => None,
                    1 => Some(Refusal::TooManyRequests),
                    2 => Some(Refusal::LearnerNotReady),
                    3 => Some(Refusal::Unhealthy),
                    other => return Err(DecodeError::Unknown("refusal", u64::from(other))),
                },
            },
            3 => Message::LeaseAsk {
                question: Decode::decode(input)?,
                lease: Decode::decode(input)?,
                renew: Decode::decode(input)?,
            },
            4 => Message::LeaseAnswer {
                question: Decode::decode(input)?,
                ttl: Decode::decode(input)?,
                granted_ttl: Decode::decode(input)?,
                applied: Decode::decode(input)?,
            },
            other => return Err(DecodeError::Unknown("message", u64::from(other))),
        })
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Raft(record) => {
                out.push(0);
                record.encode(out);
            }
            Record::Boot { number } => {
                out.push(1);
                number.encode(out);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        Ok(match input.u8()? {
            0 => Record::Raft(Decode::decode(input)?),
            1 => Record::Boot { number: Decode::decode(input)? },
            other => return Err(DecodeError::Unknown("record", u64::from(other))),
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Raft(message) => write!(f, "{message}"),
            Message::Forward { sequence, term, proposal } => {
                write!(f, "Forward #{sequence} t{term} {} bytes", proposal.len())
            }
            Message::Refused { sequence, term, error: None } => write!(f, "Refused #{sequence} t{term} not the leader"),
            Message::Refused { sequence, term, error: Some(error) } => {
                write!(f, "Refused #{sequence} t{term} {error:?}")
            }
            Message::LeaseAsk { question, lease, renew } => write!(f, "LeaseAsk #{question} {lease:x} renew={renew}"),
            Message::LeaseAnswer { question, ttl, granted_ttl, applied } => {
                write!(f, "LeaseAnswer #{question} {ttl} of {granted_ttl} at {applied}")
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Raft(record) => write!(f, "{record}"),
            Record::Boot { number } => write!(f, "boot {number}"),
        }
    }
}

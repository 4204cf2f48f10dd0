//! The messages between members. The variants of [`Body`] are a summary of the protocol.

use crate::configuration::Member;
use crate::entry::{Entry, Span, decode_entries, encode_entries};
use crate::index::{Index, Term};
use crate::record::SnapshotMeta;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Incarnation, MessageKind, PART_BYTES_MAX, Reader};

/// The version of the encoding: the first byte of every message.
const VERSION: u8 = 1;

/// The most parts that a snapshot may have: 1 TiB in parts of 1 MiB.
pub const PARTS_MAX: u32 = 1 << 20;

/// A message in its envelope.
///
/// A node that lost its disk returns as a new incarnation, which is not bound by the promises of the previous one. So
/// every message names the incarnations of its sender and its receiver.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// The incarnation of the sender.
    pub from: Incarnation,
    /// The incarnation of the receiver; 0 means any.
    pub to: Incarnation,
    /// The sender's current term (Raft 5.1).
    pub term: Term,
    /// The content.
    pub body: Body,
}

/// The content of a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Body {
    /// Would you vote for me in the next term? Changes nothing at the receiver (thesis 9.6).
    PreVote {
        /// The last entry of the sender's log.
        last_index: Index,
        /// Its term.
        last_term: Term,
    },
    /// The answer to `PreVote`.
    PreVoteReply {
        /// Whether the answer is yes.
        granted: bool,
    },
    /// Vote for me in this term (Raft 5.2).
    Vote {
        /// The last entry of the sender's log (Raft 5.4.1).
        last_index: Index,
        /// Its term.
        last_term: Term,
        /// Whether the leader itself asked for this election: then a member that hears from a leader may vote
        /// nevertheless (thesis 3.10).
        transfer: bool,
    },
    /// The answer to `Vote`. A granted vote is on the voter's disk when this is sent.
    VoteReply {
        /// Whether the sender votes for the receiver in this term.
        granted: bool,
    },
    /// Entries to append after `prev_index`, if that entry is of `prev_term` (Raft 5.3). Without entries it asks
    /// whether the logs agree so far, or announces a new commit index.
    Append {
        /// The entry before the first of `entries`.
        prev_index: Index,
        /// Its term.
        prev_term: Term,
        /// The entries, without gaps.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: Index,
    },
    /// The sender's log agrees with the leader's up to here, on its disk.
    Appended {
        /// The last such entry.
        matched: Index,
    },
    /// The entry before an `Append` is missing or of another term (Raft 5.3, the last paragraphs).
    Conflict {
        /// The `prev_index` of the `Append` that was refused.
        prev_index: Index,
        /// The term of the sender's entry there; 0 when its log is shorter.
        conflict_term: Term,
        /// The first index of that term in the sender's log, or the index after its last entry.
        conflict_index: Index,
    },
    /// The leader is alive. Also asks for a confirmation of leadership, for reads (Raft 8).
    Heartbeat {
        /// The index up to which the receiver may commit: never beyond what it acknowledged.
        commit: Index,
        /// Counts heartbeats: the reply names it.
        round: u64,
    },
    /// The answer to `Heartbeat`, which does not wait for the disk.
    HeartbeatReply {
        /// The round that is answered.
        round: u64,
        /// The last of the leader's entries that the sender holds, durable or not: if it is less than what was sent, a
        /// message was lost.
        verified: Index,
        /// The last of them that is durable: makes up for a lost `Appended`.
        durable: Index,
    },
    /// A follower asks the leader for an index at which reads are linearizable (thesis 6.4).
    ReadIndex {
        /// The follower's name for the question.
        id: u64,
    },
    /// The answer to `ReadIndex`.
    ReadIndexReply {
        /// The follower's name for the question.
        id: u64,
        /// Reads are linearizable once this entry is applied.
        index: Index,
    },
    /// Leadership transfer: campaign at once (thesis 3.10).
    TimeoutNow,
    /// One part of a snapshot (Raft 7).
    Snapshot {
        /// The snapshot.
        meta: SnapshotMeta,
        /// The number of the part, from 0.
        part: u32,
        /// The number of parts.
        total: u32,
        /// The part, in the format of the state machine.
        data: Bytes,
    },
    /// The progress of a snapshot.
    SnapshotReply {
        /// The index of the snapshot.
        index: Index,
        /// The part that the sender wants next; all before it have arrived.
        wanted: u32,
        /// Whether the state machine refused it: then begin with another one.
        refused: bool,
    },
    /// The receiver's message was of an earlier term: the envelope names the sender's.
    Stale,
    /// A node that knows nothing asks to join.
    Join,
    /// A member forwards to its leader that a node asks to join.
    ForwardJoin {
        /// The node that asks.
        member: Member,
    },
}

impl MessageKind for Message {
    const KINDS: &'static [&'static str] = &[
        "PreVote",
        "PreVoteReply",
        "Vote",
        "VoteReply",
        "Append",
        "Appended",
        "Conflict",
        "Heartbeat",
        "HeartbeatReply",
        "ReadIndex",
        "ReadIndexReply",
        "TimeoutNow",
        "Snapshot",
        "SnapshotReply",
        "Stale",
        "Join",
        "ForwardJoin",
    ];

    fn kind(&self) -> &'static str {
        match &self.body {
            Body::PreVote { .. } => "PreVote",
            Body::PreVoteReply { .. } => "PreVoteReply",
            Body::Vote { .. } => "Vote",
            Body::VoteReply { .. } => "VoteReply",
            Body::Append { .. } => "Append",
            Body::Appended { .. } => "Appended",
            Body::Conflict { .. } => "Conflict",
            Body::Heartbeat { .. } => "Heartbeat",
            Body::HeartbeatReply { .. } => "HeartbeatReply",
            Body::ReadIndex { .. } => "ReadIndex",
            Body::ReadIndexReply { .. } => "ReadIndexReply",
            Body::TimeoutNow => "TimeoutNow",
            Body::Snapshot { .. } => "Snapshot",
            Body::SnapshotReply { .. } => "SnapshotReply",
            Body::Stale => "Stale",
            Body::Join => "Join",
            Body::ForwardJoin { .. } => "ForwardJoin",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.term)?;
        match &self.body {
            Body::PreVote { last_index, last_term } => write!(f, " last={last_index}@{}", last_term.0),
            Body::Vote { last_index, last_term, transfer } => {
                write!(f, " last={last_index}@{}", last_term.0)?;
                f.write_str(if *transfer { " transfer" } else { "" })
            }
            Body::PreVoteReply { granted } | Body::VoteReply { granted } => {
                f.write_str(if *granted { " granted" } else { " refused" })
            }
            Body::Append { prev_index, prev_term, entries, commit } => {
                write!(f, " prev={prev_index}@{} {} commit={commit}", prev_term.0, Span(entries))
            }
            Body::Appended { matched } => write!(f, " matched={matched}"),
            Body::Conflict { prev_index, conflict_term, conflict_index } => {
                write!(f, " prev={prev_index} conflict={conflict_index}@{}", conflict_term.0)
            }
            Body::Heartbeat { commit, round } => write!(f, " round={round} commit={commit}"),
            Body::HeartbeatReply { round, verified, durable } => {
                write!(f, " round={round} verified={verified} durable={durable}")
            }
            Body::ReadIndex { id } => write!(f, " #{id}"),
            Body::ReadIndexReply { id, index } => write!(f, " #{id} index={index}"),
            Body::Snapshot { meta, part, total, data } => {
                write!(f, " {meta} part={part}/{total} bytes={}", data.len())
            }
            Body::SnapshotReply { index, wanted, refused } => {
                write!(f, " index={index} wanted={wanted}")?;
                f.write_str(if *refused { " refused" } else { "" })
            }
            Body::ForwardJoin { member } => write!(f, " {member}"),
            Body::TimeoutNow | Body::Stale | Body::Join => Ok(()),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.from.encode(out);
        self.to.encode(out);
        self.term.encode(out);
        match &self.body {
            Body::PreVote { last_index, last_term } => put(0, &[last_index.0, last_term.0], out),
            Body::PreVoteReply { granted } => put(1, &[u64::from(*granted)], out),
            Body::Vote { last_index, last_term, transfer } => {
                put(2, &[last_index.0, last_term.0, u64::from(*transfer)], out);
            }
            Body::VoteReply { granted } => put(3, &[u64::from(*granted)], out),
            Body::Append { prev_index, prev_term, entries, commit } => {
                put(4, &[prev_index.0, prev_term.0, commit.0], out);
                encode_entries(entries, out);
            }
            Body::Appended { matched } => put(5, &[matched.0], out),
            Body::Conflict { prev_index, conflict_term, conflict_index } => {
                put(6, &[prev_index.0, conflict_term.0, conflict_index.0], out);
            }
            Body::Heartbeat { commit, round } => put(7, &[commit.0, *round], out),
            Body::HeartbeatReply { round, verified, durable } => put(8, &[*round, verified.0, durable.0], out),
            Body::ReadIndex { id } => put(9, &[*id], out),
            Body::ReadIndexReply { id, index } => put(10, &[*id, index.0], out),
            Body::TimeoutNow => out.push(11),
            Body::Snapshot { meta, part, total, data } => {
                put(12, &[u64::from(*part), u64::from(*total)], out);
                meta.encode(out);
                data.encode(out);
            }
            Body::SnapshotReply { index, wanted, refused } => {
                put(13, &[index.0, u64::from(*wanted), u64::from(*refused)], out);
            }
            Body::Stale => out.push(14),
            Body::Join => out.push(15),
            Body::ForwardJoin { member } => {
                out.push(16);
                member.encode(out);
            }
        }
    }
}

fn put(tag: u8, numbers: &[u64], out: &mut Vec<u8>) {
    out.push(tag);
    for number in numbers {
        number.encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        match input.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Unknown("version of a raft message", u64::from(other))),
        }
        Ok(Message {
            from: Incarnation::decode(input)?,
            to: Incarnation::decode(input)?,
            term: Term::decode(input)?,
            body: Body::decode(input)?,
        })
    }
}

impl Decode for Body {
    fn decode(input: &mut Reader<'_>) -> Result<Body, DecodeError> {
        Ok(match input.u8()? {
            0 => Body::PreVote { last_index: Index::decode(input)?, last_term: Term::decode(input)? },
            1 => Body::PreVoteReply { granted: bool::decode(input)? },
            2 => Body::Vote {
                last_index: Index::decode(input)?,
                last_term: Term::decode(input)?,
                transfer: bool::decode(input)?,
            },
            3 => Body::VoteReply { granted: bool::decode(input)? },
            4 => {
                let (prev_index, prev_term) = (Index::decode(input)?, Term::decode(input)?);
                let commit = Index::decode(input)?;
                Body::Append { prev_index, prev_term, entries: decode_entries(input)?, commit }
            }
            5 => Body::Appended { matched: Index::decode(input)? },
            6 => Body::Conflict {
                prev_index: Index::decode(input)?,
                conflict_term: Term::decode(input)?,
                conflict_index: Index::decode(input)?,
            },
            7 => Body::Heartbeat { commit: Index::decode(input)?, round: u64::decode(input)? },
            8 => Body::HeartbeatReply {
                round: u64::decode(input)?,
                verified: Index::decode(input)?,
                durable: Index::decode(input)?,
            },
            9 => Body::ReadIndex { id: u64::decode(input)? },
            10 => Body::ReadIndexReply { id: u64::decode(input)?, index: Index::decode(input)? },
            11 => Body::TimeoutNow,
            12 => decode_snapshot(input)?,
            13 => Body::SnapshotReply {
                index: Index::decode(input)?,
                wanted: u32::decode(input)?,
                refused: bool::decode(input)?,
            },
            14 => Body::Stale,
            15 => Body::Join,
            16 => Body::ForwardJoin { member: Member::decode(input)? },
            other => return Err(DecodeError::Unknown("raft message", u64::from(other))),
        })
    }
}

fn decode_snapshot(input: &mut Reader<'_>) -> Result<Body, DecodeError> {
    let (part, total) = (u32::decode(input)?, u32::decode(input)?);
    if part >= total || total > PARTS_MAX {
        return Err(DecodeError::Invalid("snapshot part"));
    }
    let (meta, data) = (SnapshotMeta::decode(input)?, Bytes::decode(input)?);
    if data.len() > PART_BYTES_MAX {
        return Err(DecodeError::TooLong);
    }
    Ok(Body::Snapshot { meta, part, total, data })
}

//! The part of a checkpoint that is neither raft's nor the store's: members, window, and how far the log was applied.

use super::apply::Applied;
use crate::members::{Member, Members};
use crate::message::Record;
use crate::proposal::Window;
use alloc::vec::Vec;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Incarnation, Part, Reader};
use volvox_raft::{Configuration, Index, Member as RaftMember, Raft, SnapshotMeta, Term};

/// The only format so far.
const OWN_PART_VERSION: u8 = 1;

/// Our own parts have this bit set, and not the one above it.
const OWN_PART: u64 = 1 << 62;

/// The content of our own part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Own {
    pub applied: Applied,
    /// How often the process was started in this incarnation.
    pub boot: u64,
}

/// The frame around the store's parts in the first checkpoint of a cluster that begins with a given store.
pub struct Seed {
    /// The parts before the store's, in this order.
    pub parts: Vec<Part>,
    /// The record behind the checkpoint.
    pub record: Record,
}

/// The checkpoint of a cluster that was never run: these members, each in its first life, have agreed on one entry, and
/// the present store is its outcome. Written into the folder of every member, it forms a cluster that resumes.
pub fn seed(members: &[Member]) -> Seed {
    let (index, term) = (Index(1), Term(1));
    let voter = |member: &Member| RaftMember { node: member.id, incarnation: Incarnation::FIRST };
    let configuration = Configuration::of(members.iter().map(voter));
    let members = Members::formed_of(members);
    let own = Own { applied: Applied { index, term, members, window: Window::default() }, boot: 0 };
    let parts = alloc::vec![Raft::checkpoint_part(&SnapshotMeta { index, term, configuration }), own.to_part()];
    // The entry's term is used: no member may stand for election in it again.
    let record = Record::Raft(volvox_raft::Record::Hard { term, vote: None, commit: index });
    Seed { parts, record }
}

impl Own {
    /// Whether a part is ours.
    pub fn is_in(part: &Part) -> bool {
        part.number & OWN_PART != 0
    }

    pub fn to_part(&self) -> Part {
        let data = Bytes::from(self.to_bytes());
        let number = OWN_PART | (volvox_core::fingerprint_of(&data) as u64 >> 2);
        Part { number, data }
    }
}

impl Encode for Own {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(OWN_PART_VERSION);
        self.applied.index.encode(out);
        self.applied.term.encode(out);
        self.boot.encode(out);
        self.applied.members.encode(out);
        self.applied.window.encode(out);
    }
}

impl Decode for Own {
    fn decode(input: &mut Reader<'_>) -> Result<Own, DecodeError> {
        let version = input.u8()?;
        if version != OWN_PART_VERSION {
            return Err(DecodeError::Unknown("version of a replica's part", u64::from(version)));
        }
        let (index, term) = (Decode::decode(input)?, Decode::decode(input)?);
        let boot = Decode::decode(input)?;
        let (members, window) = (Decode::decode(input)?, Decode::decode(input)?);
        Ok(Own { applied: Applied { index, term, members, window }, boot })
    }
}

//! Checkpoints: the state as a list of immutable, numbered parts.
//!
//! ```text
//!   [ meta ] [ auth ]? [ leases ]* [ segment | segment | ... ]* [ tail ]? [ end ]
//! ```
//!
//! - *meta*: revision, compaction point, counters, alarms, and the number of leases and live keys.
//! - *auth*: users and roles, if there ever were any.
//! - *leases*: a page of them. The newest versions of the keys record which keys are attached to a lease.
//! - *segment*: the bytes of one segment of the log as they lie in memory; one part, or several when a record in it is
//!   very large. The tail is written as if it were sealed.
//!
//! **Numbers.** The number of a part is a hash of its content: its kind, which records of the log it holds (first and
//! last original segment, compaction), how many bytes, their digest, and which piece of them. So a number always
//! identifies the same bytes, on any node, at any time:
//! - a part whose number is in the last manifest is already on disk, and is not written again: between two checkpoints
//!   these are all segments that were sealed before the first and not rewritten by compaction since;
//! - a part received from another member may be stored under its number as it is, and one whose number is on disk
//!   already need not be received.
//!
//! Numbers stay below 2^62 ([`PART_NUMBER_MAX`]), so that a caller can add its own parts.
//!
//! A checkpoint is made from a pinned view: parts are produced one at a time, on request, while the store moves on.
//! Numbers without bytes cost nothing for sealed segments.
//!
//! The caller's steps:
//!
//! ```text
//!   checkpoint = view.checkpoint()
//!   each step, some parts:  part = checkpoint.next()
//!                           numbers.push(part.number());  if not in the last manifest: cx.checkpoint(part.to_part())
//!   at the end:             cx.checkpoint_done(covers, numbers)
//! ```

use crate::auth::Auth;
use crate::digest::{digest, mix};
use crate::key_range::KeyRange;
use crate::lease::Lease;
use crate::log::{Segment, SegmentId};
use crate::response::AlarmMember;
use crate::view::View;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Part, Reader};

/// The only format so far.
pub(crate) const PART_VERSION: u8 = 1;
/// The most bytes of content in a part; the rest of 1 MiB is for its header.
pub(crate) const PIECE_BYTES: usize = (1 << 20) - 256;
/// How many leases a page has.
const LEASES_PER_PAGE: usize = 16 * 1024;

/// No part has a larger number: the two bits above are for a caller's own parts.
pub const PART_NUMBER_MAX: u64 = (1 << 62) - 1;

/// The header of a part, before its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub kind: Kind,
    /// Segments: which. All else: the commands applied, twice, and which page of leases.
    pub id: SegmentId,
    /// Bytes of the whole content, of which this is a piece.
    pub length: u64,
    /// Of the whole content.
    pub digest: u64,
    /// The index of the piece, from 0 on.
    pub piece: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Meta,
    Leases,
    Segment,
    End,
    Auth,
}

/// The state that is not in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    pub revision: i64,
    pub compacted: i64,
    pub compactions: u64,
    pub applied: u64,
    pub tail_index: u64,
    pub leases: u64,
    pub keys: u64,
    pub alarms: Vec<AlarmMember>,
}

/// A checkpoint of a pinned view: an iterator over its parts, in the order in which they are restored.
#[derive(Clone)]
pub struct Checkpoint {
    view: View,
    stage: Stage,
    /// Parts of the item that was read last.
    pieces: VecDeque<PartRef>,
    /// Of the parts so far.
    chain: u64,
}

#[derive(Clone)]
enum Stage {
    Meta,
    Auth,
    /// From this lease on.
    Leases(Option<i64>, u64),
    /// From this segment on.
    Segments(usize),
    Tail,
    End,
    Done,
}

/// A part by its number; its bytes are assembled on demand.
#[derive(Clone)]
pub struct PartRef {
    header: Header,
    content: Bytes,
}

impl View {
    /// A checkpoint of this view.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { view: self.clone(), stage: Stage::Meta, pieces: VecDeque::new(), chain: 0 }
    }

    fn meta(&self) -> Meta {
        Meta {
            revision: self.revision,
            compacted: self.compacted,
            compactions: self.compactions,
            applied: self.applied,
            tail_index: self.log.tail_index(),
            leases: self.leases.weight().entries,
            keys: self.index.weight().counted,
            alarms: self.alarms().collect(),
        }
    }
}

impl Checkpoint {
    /// The revision of the pinned view.
    pub fn revision(&self) -> i64 {
        self.view.revision
    }

    /// Makes the pieces of the next item of the checkpoint.
    fn advance(&mut self) {
        let applied = self.view.applied;
        match self.stage {
            Stage::Meta => {
                let id = SegmentId { first: applied, last: applied, generation: 0 };
                self.push(Kind::Meta, id, Bytes::from(self.view.meta().to_bytes()), None);
                self.stage = Stage::Auth;
            }
            Stage::Auth => {
                if *self.view.auth != Auth::default() {
                    let id = SegmentId { first: applied, last: applied, generation: 0 };
                    self.push(Kind::Auth, id, Bytes::from(self.view.auth.to_bytes()), None);
                }
                self.stage = Stage::Leases(Some(i64::MIN), 0);
            }
            Stage::Leases(None, _) => self.stage = Stage::Segments(0),
            Stage::Leases(Some(from), page) => {
                let begin = crate::lease::lease_key(from);
                let range = KeyRange { begin: &begin, end: crate::key_range::RangeEnd::Unbounded };
                let mut rest = self.view.leases.forward(range, false).map(|(_, lease)| *lease);
                let leases: Vec<Lease> = rest.by_ref().take(LEASES_PER_PAGE).collect();
                let next = rest.next().map(|lease| lease.id);
                drop(rest);
                if !leases.is_empty() {
                    let id = SegmentId { first: applied, last: applied, generation: page };
                    self.push(Kind::Leases, id, Bytes::from(leases.to_bytes()), None);
                }
                self.stage = Stage::Leases(next, page + 1);
            }
            Stage::Segments(at) => match self.view.log.segment(at).map(Arc::clone) {
                Some(segment) => {
                    self.push_segment(&segment);
                    self.stage = Stage::Segments(at + 1);
                }
                None => self.stage = Stage::Tail,
            },
            Stage::Tail => {
                if let Some(segment) = self.view.log.tail_segment() {
                    self.push_segment(&segment);
                }
                self.stage = Stage::End;
            }
            Stage::End => {
                let id = SegmentId { first: applied, last: applied, generation: 0 };
                self.push(Kind::End, id, Bytes::from(self.chain.to_bytes()), None);
                self.stage = Stage::Done;
            }
            Stage::Done => {}
        }
    }

    fn push_segment(&mut self, segment: &Segment) {
        self.push(Kind::Segment, segment.id(), segment.data().clone(), Some(segment.digest()));
    }

    fn push(&mut self, kind: Kind, id: SegmentId, content: Bytes, known: Option<u64>) {
        let digest = known.unwrap_or_else(|| digest(&content));
        let length = content.len() as u64;
        for (piece, start) in (0..content.len()).step_by(PIECE_BYTES).enumerate() {
            let header = Header { kind, id, length, digest, piece: piece as u32 };
            let content = content.slice(start..content.len().min(start + PIECE_BYTES));
            self.pieces.push_back(PartRef { header, content });
        }
    }
}

impl Iterator for Checkpoint {
    type Item = PartRef;

    fn next(&mut self) -> Option<PartRef> {
        while self.pieces.is_empty() && !matches!(self.stage, Stage::Done) {
            self.advance();
        }
        let part = self.pieces.pop_front()?;
        self.chain = chain(self.chain, part.number());
        Some(part)
    }
}

/// The summary, at the end, of the parts before it.
pub(crate) fn chain(before: u64, number: u64) -> u64 {
    mix(before ^ number)
}

impl PartRef {
    /// The number of the part.
    pub fn number(&self) -> u64 {
        self.header.number()
    }

    /// The part with its bytes.
    pub fn to_part(&self) -> Part {
        let mut data = Vec::with_capacity(self.content.len() + 64);
        self.header.encode(&mut data);
        data.extend_from_slice(&self.content);
        Part { number: self.number(), data: Bytes::from(data) }
    }
}

impl Header {
    /// A hash of everything in the header.
    pub fn number(&self) -> u64 {
        let fields = [
            self.kind as u64,
            self.id.first,
            self.id.last,
            self.id.generation,
            self.length,
            self.digest,
            u64::from(self.piece),
        ];
        // The two top bits stay clear: they mark the parts of the store's caller.
        fields.iter().fold(u64::from(PART_VERSION), |hash, field| mix(hash ^ mix(*field))) >> 2
    }
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(PART_VERSION);
        out.push(self.kind as u8);
        for number in [self.id.first, self.id.last, self.id.generation, self.length] {
            number.encode(out);
        }
        self.digest.encode(out);
        self.piece.encode(out);
    }
}

impl Decode for Header {
    fn decode(input: &mut Reader<'_>) -> Result<Header, DecodeError> {
        let version = input.u8()?;
        if version != PART_VERSION {
            return Err(DecodeError::Unknown("part version", u64::from(version)));
        }
        let kind = match input.u8()? {
            0 => Kind::Meta,
            1 => Kind::Leases,
            2 => Kind::Segment,
            3 => Kind::End,
            4 => Kind::Auth,
            other => return Err(DecodeError::Unknown("part", u64::from(other))),
        };
        let id = SegmentId { first: input.varint()?, last: input.varint()?, generation: input.varint()? };
        Ok(Header { kind, id, length: input.varint()?, digest: Decode::decode(input)?, piece: Decode::decode(input)? })
    }
}

impl Encode for Meta {
    fn encode(&self, out: &mut Vec<u8>) {
        self.revision.encode(out);
        self.compacted.encode(out);
        for number in [self.compactions, self.applied, self.tail_index, self.leases, self.keys] {
            number.encode(out);
        }
        self.alarms.encode(out);
    }
}

impl Decode for Meta {
    fn decode(input: &mut Reader<'_>) -> Result<Meta, DecodeError> {
        Ok(Meta {
            revision: Decode::decode(input)?,
            compacted: Decode::decode(input)?,
            compactions: Decode::decode(input)?,
            applied: Decode::decode(input)?,
            tail_index: Decode::decode(input)?,
            leases: Decode::decode(input)?,
            keys: Decode::decode(input)?,
            alarms: Decode::decode(input)?,
        })
    }
}

impl Encode for Lease {
    fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.id, self.granted_ttl, self.remaining_ttl] {
            number.encode(out);
        }
    }
}

impl Decode for Lease {
    fn decode(input: &mut Reader<'_>) -> Result<Lease, DecodeError> {
        Ok(Lease {
            id: Decode::decode(input)?,
            granted_ttl: Decode::decode(input)?,
            remaining_ttl: Decode::decode(input)?,
        })
    }
}

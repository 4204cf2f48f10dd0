//! The revision log: every change that is still needed, in order.
//!
//! The log is bytes. A record is encoded once, when the change is applied, and stays so: in memory, in a checkpoint, on
//! the way to a peer; it is decoded where it is read, and its key and value are handed out as slices of the same
//! allocation. The newest records are the *tail*, a short list that grows; when it is large enough it is *sealed* into
//! one immutable [`Segment`]. Compaction replaces segments by smaller ones. A clone of the log costs a few reference
//! counts and never changes again.
//!
//! ```text
//!   sealed: [ 2..1903 ][ 1904..3790 ][ 3791..5602 ]     tail: [ 5603 5604 5605 ...
//! ```
//!
//! A record is found by its revision: a binary search over segments, another inside. Records of one key are chained
//! backwards ([`Record::previous`]), with shortcuts, so the version of a key at an old revision is found from the
//! newest one without an index of versions.

mod pair;
pub(crate) mod record;
pub(crate) mod segment;
mod tail;

use alloc::sync::Arc;
use alloc::vec::Vec;
pub(crate) use pair::Pair;
pub(crate) use record::{COUNTER_MAX, Record, RecordRef, Revision};
pub(crate) use segment::{Segment, SegmentId};
use tail::Tail;
use volvox_core::Bytes;

/// The tail is sealed when it has this many bytes. A segment is a checkpoint part; half a part leaves room for one more
/// record of usual size.
pub(crate) const SEGMENT_BYTES: usize = 512 * 1024;
/// The tail is sealed when it has this many records; this also bounds the records that one step of compaction examines.
pub(crate) const SEGMENT_RECORDS: usize = 4096;

/// The log.
#[derive(Clone, Default)]
pub(crate) struct Log {
    sealed: Arc<Vec<Sealed>>,
    tail: Tail,
    /// Bytes in sealed segments.
    sealed_bytes: u64,
}

/// The ends of the last two searches, the latest first. Adjacent keys were often written one after the other, and so
/// were their records: the search for the next one starts after the last. A key between them that was rewritten is
/// elsewhere, and after it the walk continues where it was, two records further.
#[derive(Clone, Copy, Default)]
pub(crate) struct Near {
    last: Place,
    before: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    segment: usize,
    slot: usize,
}

/// A segment, with what a search looks at close by.
#[derive(Clone)]
struct Sealed {
    first: Revision,
    segment: Arc<Segment>,
}

impl Near {
    /// The search that began at `from` ended at `to`.
    fn step_to(&mut self, from: Place, to: Place) {
        if from != self.last {
            self.before = self.last;
        }
        self.last = to;
    }
}

impl Log {
    /// Appends a record; `record` must be newer than all.
    pub fn push(&mut self, record: &Record, encoded: Bytes) {
        self.tail.push(record.revision, record.census(), encoded);
        if self.tail.bytes() >= SEGMENT_BYTES || self.tail.len() >= SEGMENT_RECORDS {
            self.seal();
        }
    }

    /// Makes a segment of the tail, unless it is empty.
    pub fn seal(&mut self) {
        if let Some(segment) = self.tail.seal() {
            self.push_sealed(Arc::new(segment));
        }
    }

    /// Appends a whole segment, as restored.
    pub fn push_sealed(&mut self, segment: Arc<Segment>) {
        self.sealed_bytes += segment.byte_length() as u64;
        Arc::make_mut(&mut self.sealed).push(Sealed { first: segment.first(), segment });
    }

    /// The record of a revision.
    pub fn find(&self, revision: Revision) -> Option<RecordRef<'_>> {
        if self.is_in_tail(revision) {
            return self.tail.find(revision);
        }
        let Place { segment, slot } = self.place_of(revision)?;
        self.sealed[segment].segment.record_if(slot, revision)
    }

    /// The pair of a revision, for a caller that looks up many; `None` when there is no such record, or it is a
    /// tombstone.
    pub fn pair_near(&self, revision: Revision, near: &mut Near) -> Option<Pair<'_>> {
        if self.is_in_tail(revision) {
            return self.tail.pair(revision);
        }
        for place in [near.last, near.before] {
            let Some(Sealed { segment, .. }) = self.sealed.get(place.segment) else { continue };
            for slot in [place.slot + 1, place.slot + 2] {
                if let Some(pair) = segment.pair_if(slot, revision) {
                    near.step_to(place, Place { slot, ..place });
                    return pair;
                }
            }
        }
        let place = self.place_of(revision)?;
        *near = Near { last: place, before: near.last };
        self.sealed[place.segment].segment.pair_if(place.slot, revision)?
    }

    /// The revision of the oldest record in the tail.
    pub fn tail_first(&self) -> Option<Revision> {
        self.tail.first()
    }

    fn is_in_tail(&self, revision: Revision) -> bool {
        self.tail.first().is_some_and(|first| first <= revision)
    }

    /// The place of a record in the sealed segments, present or not.
    fn place_of(&self, revision: Revision) -> Option<Place> {
        let segment = self.sealed.partition_point(|sealed| sealed.first <= revision).checked_sub(1)?;
        Some(Place { segment, slot: self.sealed[segment].segment.slot_from(revision) })
    }

    /// All records of main revisions from `main` on, oldest first.
    pub fn records_from(&self, main: i64) -> impl Iterator<Item = RecordRef<'_>> {
        let from = Revision { main, sub: 0 };
        // The segment before the first that begins later may hold some too.
        let at = self.sealed.partition_point(|sealed| sealed.first < from).saturating_sub(1);
        let sealed = self.sealed[at..].iter().enumerate().flat_map(move |(nth, sealed)| {
            let slot = if nth == 0 { sealed.segment.slot_from(from) } else { 0 };
            sealed.segment.records_from(slot)
        });
        sealed.chain(self.tail.records_from(from))
    }

    /// How many births and deaths of keys are in main revisions after `main`; at most a few too many.
    pub fn census_length_after(&self, main: i64) -> usize {
        let from = Revision { main: main + 1, sub: 0 };
        let at = self.sealed.partition_point(|sealed| sealed.first < from).saturating_sub(1);
        let sealed: usize = self.sealed[at..].iter().map(|sealed| sealed.segment.census_length()).sum();
        sealed + self.tail.census_length()
    }

    /// The records of main revisions after `main` that are births or deaths.
    pub fn census_after(&self, main: i64) -> impl Iterator<Item = RecordRef<'_>> {
        let from = Revision { main: main + 1, sub: 0 };
        let at = self.sealed.partition_point(|sealed| sealed.first < from).saturating_sub(1);
        let sealed = self.sealed[at..].iter().enumerate().flat_map(move |(nth, sealed)| {
            let slot = if nth == 0 { sealed.segment.slot_from(from) } else { 0 };
            sealed.segment.census_from(slot)
        });
        sealed.chain(self.tail.census_from(from))
    }

    /// Bytes of all records.
    pub fn byte_length(&self) -> u64 {
        self.sealed_bytes + self.tail.bytes() as u64
    }

    /// The sealed segments, oldest first.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &Arc<Segment>> {
        self.sealed.iter().map(|sealed| &sealed.segment)
    }

    /// The `at`-th sealed segment.
    pub fn segment(&self, at: usize) -> Option<&Arc<Segment>> {
        self.sealed.get(at).map(|sealed| &sealed.segment)
    }

    /// Replaces `count` segments from `at` on by one, or by none.
    pub fn replace(&mut self, at: usize, count: usize, with: Option<Segment>) {
        let sealed = Arc::make_mut(&mut self.sealed);
        let with = with.map(|segment| Sealed { first: segment.first(), segment: Arc::new(segment) });
        self.sealed_bytes += with.as_ref().map_or(0, |new| new.segment.byte_length() as u64);
        for old in sealed.splice(at..at + count, with) {
            self.sealed_bytes -= old.segment.byte_length() as u64;
        }
    }

    /// The tail as if it were sealed now; `None` when it is empty.
    pub fn tail_segment(&self) -> Option<Segment> {
        self.tail.as_segment()
    }

    /// The number of the next sealed segment.
    pub fn tail_index(&self) -> u64 {
        self.tail.index()
    }

    /// A log without records whose tail is the `index`-th segment.
    pub fn with_tail_index(index: u64) -> Log {
        Log { tail: Tail::with_index(index), ..Log::default() }
    }

    /// The newest record's revision.
    pub fn last(&self) -> Option<Revision> {
        self.tail.last().or_else(|| self.sealed.last().map(|sealed| sealed.segment.last()))
    }
}

//! An immutable run of records in one allocation.

use super::pair::{self, Pair};
use super::record::{Record, RecordRef, Revision};
use super::{SEGMENT_BYTES, SEGMENT_RECORDS};
use crate::digest::digest;
use alloc::vec::Vec;
use volvox_core::{Bytes, DecodeError};

/// The records of a segment: those of the first to the last original segment that were still needed after the
/// `generation`-th compaction. Generation 0: all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SegmentId {
    pub first: u64,
    pub last: u64,
    pub generation: u64,
}

/// The location of a record: the eight bytes that a search examines, one cache line away.
#[derive(Clone, Copy)]
struct Slot {
    /// Its main revision, as distance from the first one's.
    main: u32,
    /// Its first byte.
    start: u32,
}

/// A sealed part of the log.
pub(crate) struct Segment {
    id: SegmentId,
    data: Bytes,
    digest: u64,
    first: Revision,
    last: Revision,
    slots: Vec<Slot>,
    /// The records that are births or deaths.
    census: Vec<u16>,
}

/// A segment under construction: the metadata of its records, beside their bytes.
pub(super) struct Builder {
    bounds: Option<(Revision, Revision)>,
    slots: Vec<Slot>,
    census: Vec<u16>,
}

impl Builder {
    /// A builder for about `records` records.
    pub fn new(records: usize) -> Builder {
        let records = records.min(SEGMENT_RECORDS);
        Builder { bounds: None, slots: Vec::with_capacity(records), census: Vec::new() }
    }

    /// The next record, which begins at `start`.
    pub fn add(&mut self, revision: Revision, census: i8, start: usize) -> Result<(), DecodeError> {
        let (first, last) = self.bounds.unwrap_or((revision, Revision::default()));
        if revision <= last || self.slots.len() >= SEGMENT_RECORDS {
            return Err(DecodeError::Invalid("order of records"));
        }
        let distance = u32::try_from(revision.main - first.main);
        let main = distance.map_err(|_| DecodeError::Invalid("span of a segment"))?;
        if census != 0 {
            self.census.push(self.slots.len() as u16);
        }
        self.slots.push(Slot { main, start: start as u32 });
        self.bounds = Some((first, revision));
        Ok(())
    }

    pub fn build(self, id: SegmentId, data: Bytes) -> Result<Segment, DecodeError> {
        let (first, last) = self.bounds.ok_or(DecodeError::Invalid("segment without records"))?;
        let Builder { mut slots, mut census, .. } = self;
        slots.shrink_to_fit();
        census.shrink_to_fit();
        Ok(Segment { id, digest: digest(&data), data, first, last, slots, census })
    }
}

impl Segment {
    /// Makes a segment of encoded records, which may be hostile.
    pub fn new(id: SegmentId, data: Bytes) -> Result<Segment, DecodeError> {
        let mut builder = Builder::new(data.len() / 64);
        let mut start = 0;
        while start < data.len() {
            let (record, end) = Record::decode(&data, start)?;
            builder.add(record.revision, record.census(), start)?;
            start = end;
        }
        builder.build(id, data)
    }

    pub fn id(&self) -> SegmentId {
        self.id
    }

    pub fn first(&self) -> Revision {
        self.first
    }

    pub fn last(&self) -> Revision {
        self.last
    }

    pub fn data(&self) -> &Bytes {
        &self.data
    }

    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn byte_length(&self) -> usize {
        self.data.len()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn census_length(&self) -> usize {
        self.census.len()
    }

    /// The encoding of the record in a slot.
    pub fn encoded(&self, slot: usize) -> &[u8] {
        let end = self.slots.get(slot + 1).map_or(self.data.len(), |next| next.start as usize);
        &self.data.as_slice()[self.slots[slot].start as usize..end]
    }

    fn revision(&self, slot: usize) -> Revision {
        pair::revision_at(&self.data, self.slots[slot].start as usize)
    }

    /// The record in a slot.
    pub fn record(&self, slot: usize) -> RecordRef<'_> {
        RecordRef::at(&self.data, self.slots[slot].start as usize)
    }

    /// The record in a slot, if it is that of this revision.
    pub fn record_if(&self, slot: usize, revision: Revision) -> Option<RecordRef<'_>> {
        let found = self.is_of(slot, revision.main).then(|| self.record(slot))?;
        (found.record.revision == revision).then_some(found)
    }

    /// The pair of the record in a slot, if it is that of this revision; `None` for a tombstone.
    #[inline]
    pub fn pair_if(&self, slot: usize, revision: Revision) -> Option<Option<Pair<'_>>> {
        if !self.is_of(slot, revision.main) {
            return None;
        }
        let (found, pair) = Pair::at(&self.data, self.slots[slot].start as usize);
        (found == revision).then_some(pair)
    }

    /// Whether the record in a slot is one of this main revision: most others are ruled out without a look at them.
    #[inline]
    fn is_of(&self, slot: usize, main: i64) -> bool {
        self.slots.get(slot).is_some_and(|slot| i64::from(slot.main) + self.first.main == main)
    }

    /// The first slot whose revision is not below.
    pub fn slot_from(&self, revision: Revision) -> usize {
        if revision <= self.first {
            return 0;
        }
        let Ok(distance) = u32::try_from(revision.main - self.first.main) else {
            return self.len();
        };
        // Where nothing was compacted and each revision changed one key, this is it.
        let guess = distance as usize;
        let before = |slot: &Slot| slot.main < distance;
        if revision.sub == 0
            && guess > 0
            && self.slots.get(guess).is_some_and(|slot| slot.main == distance)
            && before(&self.slots[guess - 1])
        {
            return guess;
        }
        let low = self.slots.partition_point(before);
        let high = low + self.slots[low..].partition_point(|slot| slot.main == distance);
        if revision.sub == 0 {
            return low;
        }
        let (mut low, mut high) = (low, high);
        // Where nothing was compacted, the changes of a revision lie side by side, and this is it. Behind it the wanted
        // one never lies.
        let passed = if distance == 0 { self.first.sub } else { 0 };
        let guess = low + revision.sub.saturating_sub(passed) as usize;
        if guess < high {
            match self.revision(guess) == revision {
                true => return guess,
                false => high = guess,
            }
        }
        while low < high {
            let middle = (low + high) / 2;
            if self.revision(middle) < revision {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub fn records_from(&self, slot: usize) -> impl Iterator<Item = RecordRef<'_>> {
        (slot..self.len()).map(|slot| self.record(slot))
    }

    pub fn census_from(&self, slot: usize) -> impl Iterator<Item = RecordRef<'_>> {
        let at = self.census.partition_point(|census| usize::from(*census) < slot);
        self.census[at..].iter().map(|slot| self.record(usize::from(*slot)))
    }

    /// Whether this and its successor make one segment of usual size.
    pub fn fits_with(&self, next: &Segment) -> bool {
        self.data.len() + next.data.len() <= SEGMENT_BYTES
            && self.len() + next.len() <= SEGMENT_RECORDS
            && next.last.main - self.first.main <= i64::from(u32::MAX)
    }
}

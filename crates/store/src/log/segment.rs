//! An immutable run of records in one allocation.

use super::record::{Record, RecordRef, Revision};
use super::{SEGMENT_BYTES, SEGMENT_RECORDS};
use crate::crc32c;
use alloc::vec::Vec;
use volvox_core::{Bytes, DecodeError};

/// Which records a segment holds: those of the first to the last original segment that were still needed after the
/// `generation`-th compaction. Generation 0: all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SegmentId {
    pub first: u64,
    pub last: u64,
    pub generation: u64,
}

/// A sealed part of the log.
pub(crate) struct Segment {
    id: SegmentId,
    data: Bytes,
    checksum: u32,
    first: Revision,
    last: Revision,
    /// For each record its main revision, as distance from the first one's.
    mains: Vec<u32>,
    /// For each record where it begins.
    starts: Vec<u32>,
    /// Which records are births or deaths.
    census: Vec<u16>,
}

impl Segment {
    /// Makes a segment of encoded records, which may be hostile.
    pub fn new(id: SegmentId, data: Bytes) -> Result<Segment, DecodeError> {
        let checksum = crc32c::extend(0, &data);
        let (mut mains, mut starts, mut census) = (Vec::new(), Vec::new(), Vec::new());
        let mut bounds: Option<(Revision, Revision)> = None;
        let mut start = 0;
        while start < data.len() {
            let (record, end) = Record::decode(&data, start)?;
            let (first, last) = bounds.unwrap_or((record.revision, Revision::default()));
            if record.revision <= last || starts.len() >= SEGMENT_RECORDS {
                return Err(DecodeError::Invalid("order of records"));
            }
            let distance = u32::try_from(record.revision.main - first.main);
            mains.push(distance.map_err(|_| DecodeError::Invalid("span of a segment"))?);
            if record.census() != 0 {
                census.push(starts.len() as u16);
            }
            starts.push(start as u32);
            bounds = Some((first, record.revision));
            start = end;
        }
        let (first, last) = bounds.ok_or(DecodeError::Invalid("segment without records"))?;
        mains.shrink_to_fit();
        starts.shrink_to_fit();
        census.shrink_to_fit();
        Ok(Segment { id, data, checksum, first, last, mains, starts, census })
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

    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    pub fn byte_length(&self) -> usize {
        self.data.len()
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn census_length(&self) -> usize {
        self.census.len()
    }

    /// The encoding of the record in a slot.
    pub fn encoded(&self, slot: usize) -> &[u8] {
        let end = self.starts.get(slot + 1).map_or(self.data.len(), |next| *next as usize);
        &self.data.as_slice()[self.starts[slot] as usize..end]
    }

    /// The record in a slot.
    pub fn record(&self, slot: usize) -> RecordRef<'_> {
        RecordRef::at(&self.data, self.starts[slot] as usize)
    }

    pub fn find(&self, revision: Revision) -> Option<RecordRef<'_>> {
        let slot = self.slot_from(revision);
        let found = (slot < self.len()).then(|| self.record(slot))?;
        (found.record.revision == revision).then_some(found)
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
        if revision.sub == 0
            && guess > 0
            && self.mains.get(guess) == Some(&distance)
            && self.mains[guess - 1] < distance
        {
            return guess;
        }
        let low = self.mains.partition_point(|main| *main < distance);
        let high = low + self.mains[low..].partition_point(|main| *main == distance);
        if revision.sub == 0 {
            return low;
        }
        let (mut low, mut high) = (low, high);
        while low < high {
            let middle = (low + high) / 2;
            if self.record(middle).record.revision < revision {
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

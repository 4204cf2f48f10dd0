//! The part of the log that still grows.
//!
//! It must be appended to while views hold it, and a view must cost nothing. So it is a list of chunks, of which only
//! the last one is ever copied: a step that finds it shared copies at most 64 small entries.

use super::pair::Pair;
use super::record::{RecordRef, Revision};
use super::segment::{Builder, Segment, SegmentId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Bytes;

const CHUNK_RECORDS: usize = 64;

#[derive(Clone, Default)]
pub(super) struct Tail {
    /// The segment that it will be.
    index: u64,
    /// Full chunks.
    chunks: Arc<Vec<Arc<Chunk>>>,
    /// The one that grows.
    open: Arc<Chunk>,
    records: usize,
    bytes: usize,
    census: usize,
}

type Chunk = Vec<Entry>;

#[derive(Clone)]
struct Entry {
    revision: Revision,
    census: i8,
    encoded: Bytes,
}

impl Tail {
    pub fn with_index(index: u64) -> Tail {
        Tail { index, ..Tail::default() }
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    pub fn len(&self) -> usize {
        self.records
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn census_length(&self) -> usize {
        self.census
    }

    pub fn first(&self) -> Option<Revision> {
        self.chunks.first().unwrap_or(&self.open).first().map(|entry| entry.revision)
    }

    pub fn last(&self) -> Option<Revision> {
        self.open.last().or_else(|| self.chunks.last()?.last()).map(|entry| entry.revision)
    }

    pub fn push(&mut self, revision: Revision, census: i8, encoded: Bytes) {
        assert!(self.last().is_none_or(|last| last < revision), "the log is appended to in order");
        let open = Arc::make_mut(&mut self.open);
        if open.capacity() == open.len() {
            open.reserve_exact(CHUNK_RECORDS - open.len());
        }
        self.records += 1;
        self.bytes += encoded.len();
        open.push(Entry { revision, census, encoded });
        self.census += usize::from(census != 0);
        if self.open.len() == CHUNK_RECORDS {
            Arc::make_mut(&mut self.chunks).push(core::mem::take(&mut self.open));
        }
    }

    /// Takes all records out, as a segment.
    pub fn seal(&mut self) -> Option<Segment> {
        let segment = self.as_segment()?;
        *self = Tail::with_index(self.index + 1);
        Some(segment)
    }

    pub fn as_segment(&self) -> Option<Segment> {
        if self.records == 0 {
            return None;
        }
        let mut data = Vec::with_capacity(self.bytes);
        let mut builder = Builder::new(self.records);
        for entry in self.entries_from(0) {
            builder.add(entry.revision, entry.census, data.len()).expect("records are pushed in order");
            data.extend_from_slice(&entry.encoded);
        }
        let id = SegmentId { first: self.index, last: self.index, generation: 0 };
        Some(builder.build(id, Bytes::from(data)).expect("not empty"))
    }

    pub fn find(&self, revision: Revision) -> Option<RecordRef<'_>> {
        self.entry(revision).map(|entry| RecordRef::at(&entry.encoded, 0))
    }

    /// The pair of a revision; `None` when there is no such record, or it is a tombstone.
    pub fn pair(&self, revision: Revision) -> Option<Pair<'_>> {
        self.entry(revision).and_then(|entry| Pair::at(&entry.encoded, 0).1)
    }

    fn entry(&self, revision: Revision) -> Option<&Entry> {
        let slot = self.slot_from(revision);
        let chunk = self.chunks.get(slot / CHUNK_RECORDS).unwrap_or(&self.open);
        chunk.get(slot % CHUNK_RECORDS).filter(|entry| entry.revision == revision)
    }

    pub fn records_from(&self, revision: Revision) -> impl Iterator<Item = RecordRef<'_>> {
        self.entries_from(self.slot_from(revision)).map(|entry| RecordRef::at(&entry.encoded, 0))
    }

    pub fn census_from(&self, revision: Revision) -> impl Iterator<Item = RecordRef<'_>> {
        let entries = self.entries_from(self.slot_from(revision));
        entries.filter(|entry| entry.census != 0).map(|entry| RecordRef::at(&entry.encoded, 0))
    }

    /// The first slot whose revision is not below.
    fn slot_from(&self, revision: Revision) -> usize {
        let full = self.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last.revision < revision));
        let chunk = self.chunks.get(full).unwrap_or(&self.open);
        full * CHUNK_RECORDS + chunk.partition_point(|entry| entry.revision < revision)
    }

    fn entries_from(&self, slot: usize) -> impl Iterator<Item = &Entry> {
        let chunks = self.chunks[slot / CHUNK_RECORDS..].iter().chain(core::iter::once(&self.open));
        chunks.flat_map(|chunk| chunk.iter()).skip(slot % CHUNK_RECORDS)
    }
}

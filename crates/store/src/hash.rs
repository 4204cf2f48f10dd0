//! `HashKV`: one number for the whole history up to a revision, so that members can be compared.

use crate::crc32c;
use crate::error::Error;
use crate::log::RecordRef;
use crate::view::View;
use alloc::boxed::Box;
use alloc::vec::Vec;
use volvox_core::Encode;

/// The hash of the history up to a revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashKv {
    /// CRC-32C. Equal on members with equal `compact_revision` and `hash_revision`, whatever the progress of their
    /// compaction.
    pub hash: u32,
    /// The compaction point; -1 before any.
    pub compact_revision: i64,
    /// The revision of the hash.
    pub hash_revision: i64,
}

impl View {
    /// Hashes the history up to a revision; 0 or less: the newest.
    ///
    /// # Errors
    /// [`Error::FutureRevision`], [`Error::Compacted`].
    pub fn hash_kv(&self, revision: i64) -> Result<HashKv, Error> {
        let mut hasher = self.hasher(revision)?;
        while hasher.step(usize::MAX) {}
        Ok(hasher.finish())
    }

    /// The same in steps, for a caller that must not block: a large store takes seconds.
    ///
    /// # Errors
    /// As [`View::hash_kv`].
    pub fn hasher(&self, revision: i64) -> Result<Hasher<'_>, Error> {
        let revision = self.resolve(revision)?.unwrap_or(self.revision);
        Ok(Hasher {
            view: self,
            revision,
            records: Box::new(self.log.records_from(0)),
            hash: crc32c::extend(0, b"key"),
            scratch: Vec::new(),
        })
    }
}

/// A hash in progress.
pub struct Hasher<'a> {
    view: &'a View,
    revision: i64,
    records: Box<dyn Iterator<Item = RecordRef<'a>> + Send + 'a>,
    hash: u32,
    scratch: Vec<u8>,
}

impl Hasher<'_> {
    /// Hashes `records` records, and returns whether there are more.
    pub fn step(&mut self, records: usize) -> bool {
        for _ in 0..records {
            match self.records.next() {
                Some(found) if found.record.revision.main <= self.revision => self.add(&found),
                _ => return false,
            }
        }
        true
    }

    /// The result, once no step is left.
    pub fn finish(self) -> HashKv {
        HashKv { hash: self.hash, compact_revision: self.view.compacted, hash_revision: self.revision }
    }

    /// Leaves out what compaction removes, removed already or not, and a tombstone exactly at the compaction point.
    fn add(&mut self, found: &RecordRef<'_>) {
        let record = &found.record;
        let compacted = self.view.compacted;
        if record.revision.main <= compacted
            && (record.tombstone || !self.view.survives(found.key(), record, compacted))
        {
            return;
        }
        let out = &mut self.scratch;
        out.clear();
        out.extend_from_slice(&record.revision.main.to_be_bytes());
        out.push(b'_');
        out.extend_from_slice(&u64::from(record.revision.sub).to_be_bytes());
        if record.tombstone {
            out.push(b't');
        }
        found.key().encode(out);
        for number in [record.create_revision, record.version, record.lease] {
            number.encode(out);
        }
        self.hash = crc32c::extend(self.hash, out);
        self.hash = crc32c::extend(self.hash, found.value_slice());
    }
}

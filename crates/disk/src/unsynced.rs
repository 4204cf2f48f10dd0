//! The state between the cache and the disk: writes and changes that no sync has made durable, and the part of them
//! that survives a crash.

use crate::format::SECTOR;
use core::ops::Range;
use std::collections::BTreeMap;
use volvox_core::Rng;

/// A file.
#[derive(Clone, Default, Debug)]
pub(crate) struct Content {
    /// The image that readers see.
    pub seen: Vec<u8>,
    /// The durable image.
    pub safe: Vec<u8>,
    /// The writes between the two, oldest first.
    pub unsynced: Vec<Write>,
}

/// A write that is not yet synced.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub offset: usize,
    pub bytes: Vec<u8>,
}

/// A change of the folder that is not yet synced.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create { name: String, file: u64 },
    Rename { from: String, to: String, file: u64 },
    Remove { name: String },
}

/// The part of the unsynced operations that survives a crash.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    Nothing,
    All,
    /// Those before a point in time.
    First(u64),
    /// Any.
    Subset,
}

impl Content {
    /// Some unsynced sectors become durable, and the rest is lost.
    pub fn keep_sectors(&mut self, rng: &mut Rng, torn_sectors_ppm: u32) {
        let writes = std::mem::take(&mut self.unsynced);
        let sectors = writes.iter().map(|write| write.sectors().count()).sum();
        let kept = Kept::draw(rng, sectors);
        let mut index = 0;
        for write in &writes {
            for mut range in write.sectors() {
                if kept.keeps(index, rng) {
                    if rng.chance_ppm(torn_sectors_ppm) {
                        range.end = range.start + rng.below(range.len() as u64) as usize;
                    }
                    put(&mut self.safe, write.offset + range.start, &write.bytes[range]);
                }
                index += 1;
            }
        }
        // The new length can survive without the data that made it.
        if !writes.is_empty() && rng.below(2) == 0 && self.safe.len() < self.seen.len() {
            self.safe.resize(self.seen.len(), 0);
        }
    }
}

impl Write {
    /// The pieces of the write that lie in one sector each.
    fn sectors(&self) -> impl Iterator<Item = Range<usize>> {
        let (from, to) = (self.offset, self.offset + self.bytes.len());
        (from / SECTOR..to.div_ceil(SECTOR))
            .map(move |sector| (sector * SECTOR).max(from) - from..((sector + 1) * SECTOR).min(to) - from)
    }
}

impl Change {
    pub fn apply(&self, entries: &mut BTreeMap<String, u64>) {
        match self {
            Change::Create { name, file } => {
                entries.insert(name.clone(), *file);
            }
            Change::Rename { from, to, file } => {
                if entries.get(from) == Some(file) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *file);
            }
            Change::Remove { name } => {
                entries.remove(name);
            }
        }
    }
}

impl Kept {
    pub fn draw(rng: &mut Rng, count: usize) -> Kept {
        match rng.below(6) {
            0 => Kept::Nothing,
            1 => Kept::All,
            2 => Kept::First(rng.below(count as u64 + 1)),
            _ => Kept::Subset,
        }
    }

    pub fn keeps(self, index: usize, rng: &mut Rng) -> bool {
        match self {
            Kept::Nothing => false,
            Kept::All => true,
            Kept::First(count) => (index as u64) < count,
            Kept::Subset => rng.below(2) == 0,
        }
    }
}

pub(crate) fn put(bytes: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    let end = offset + piece.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(piece);
}

//! Checkpoints: immutable parts, and the manifest that makes them current.

use crate::directory::{Directory, File};
use crate::error::{AppendError, CheckpointError, ReadPartError};
use crate::format::{Decoded, Manifest, PART_HEADER, PartEntry, decode_part, encode_part};
use crate::log::Log;
use crate::names;
use core::mem;
use std::collections::BTreeMap;
use std::io;
use volvox_core::{Bytes, PART_BYTES_MAX, Part, Position};

/// The most parts that a checkpoint may have: 1 TiB.
pub const PARTS_MAX: usize = 1 << 20;

impl<D: Directory> Log<D> {
    /// Writes one part, durably. It belongs to a checkpoint once [`Log::install_checkpoint`] names it, and is deleted
    /// by a checkpoint or a restart that does not. An existing part is not written again.
    ///
    /// # Panics
    /// When the part exists with other content: a part is immutable.
    pub fn write_part(&mut self, part: &Part) -> Result<(), CheckpointError> {
        self.check_ready()?;
        if part.data.len() > PART_BYTES_MAX {
            let (number, bytes) = (part.number, part.data.len());
            return Err(CheckpointError::TooLarge { number, bytes, limit: PART_BYTES_MAX });
        }
        let (bytes, entry) = encode_part(part.number, &part.data);
        if let Some(there) = self.parts.get(&part.number) {
            assert!(*there == entry, "part {} is written again with other content", part.number);
            return Ok(());
        }
        let result = self.write_part_file(&names::part(part.number), &bytes);
        self.stop_unless_harmless(result)?;
        self.parts.insert(part.number, entry);
        Ok(())
    }

    /// Makes these parts, in this order, replace the records up to `covers`. Then deletes what is no longer needed:
    /// other parts, and segments that hold nothing after `covers`.
    ///
    /// A crash leaves the old checkpoint or the new one: parts and their names are durable before the manifest is
    /// renamed, and the new name of the manifest before anything old is deleted.
    pub fn install_checkpoint(&mut self, covers: Position, parts: &[u64]) -> Result<(), CheckpointError> {
        self.check_ready()?;
        if parts.len() > PARTS_MAX {
            return Err(CheckpointError::TooMany { parts: parts.len(), limit: PARTS_MAX });
        }
        let (low, high) = (self.manifest.covers, self.durable);
        if covers < low || covers > high {
            return Err(CheckpointError::Covers { covers, low, high });
        }
        let entry = |number| self.parts.get(number).copied().ok_or(CheckpointError::NoSuchPart { number: *number });
        let parts = parts.iter().map(entry).collect::<Result<Vec<PartEntry>, CheckpointError>>()?;
        let needed = |segment: &&crate::log::Segment| segment.last > covers;
        let active = self.segments.back().expect("a log that is ready has a segment").number;
        let first_segment = self.segments.iter().find(needed).map_or(active, |segment| segment.number);
        let manifest = Manifest { sequence: self.manifest.sequence + 1, covers, first_segment, parts };
        let result = self.replace_manifest(manifest);
        Ok(self.stop_unless_harmless(result)?)
    }

    /// A part of the current checkpoint.
    pub fn read_part(&self, number: u64) -> Result<Part, ReadPartError> {
        let entry = self.parts.get(&number).copied().ok_or(ReadPartError::NoSuchPart { number })?;
        let name = names::part(number);
        let bytes = match read_part_file(&self.directory, &name, entry) {
            Ok(bytes) => bytes,
            Err(source) => return Err(ReadPartError::Io { file: name, source }),
        };
        match decode_part(&bytes, entry) {
            Decoded::Valid(data) => Ok(Part { number, data: Bytes::from(data) }),
            _ => Err(ReadPartError::Damaged { number }),
        }
    }

    fn write_part_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), AppendError> {
        let file = self.directory.create(name).map_err(|error| AppendError::write(name, error))?;
        if let Err(error) = file.write_at(bytes, 0) {
            // The partly written file may take the space that the disk lacks; if this fails too, opening the log removes it.
            let _ = self.directory.remove(name);
            return Err(AppendError::write(name, error));
        }
        file.sync().map_err(|error| AppendError::sync(name, error))?;
        self.counters.bytes_written += bytes.len() as u64;
        self.counters.other_syncs += 1;
        Ok(())
    }

    fn replace_manifest(&mut self, manifest: Manifest) -> Result<(), AppendError> {
        self.sync_directory()?;
        let bytes = manifest.encode(self.nonce());
        self.replace_file(names::MANIFEST_NEW, &names::manifest(self.first_segment), &bytes)?;
        self.manifest = manifest;
        self.bytes_since_checkpoint = 0;
        // From here on the log says that this manifest exists: should it vanish, the one before cannot pass for it. A
        // disk that has no space for that changes nothing: the next batch says it too.
        if self.unsynced.is_none() && self.has_room_for_empty() {
            self.write_empty(false).or_else(AppendError::unless_full)?;
        }
        self.remove_uncovered().or_else(AppendError::unless_full)
    }

    /// Deletes what the current manifest does not need.
    fn remove_uncovered(&mut self) -> Result<(), AppendError> {
        let kept: BTreeMap<u64, PartEntry> = self.manifest.parts.iter().map(|entry| (entry.number, *entry)).collect();
        let written = mem::replace(&mut self.parts, kept);
        for number in written.into_keys().filter(|number| !self.parts.contains_key(number)).collect::<Vec<u64>>() {
            let name = names::part(number);
            self.directory.remove(&name).map_err(|error| AppendError::write(&name, error))?;
        }
        while let Some(segment) = self.segments.front().copied()
            && segment.number < self.manifest.first_segment
        {
            self.segments.pop_front();
            self.spares.recycle(&self.directory, segment.number, segment.capacity)?;
        }
        Ok(())
    }
}

/// Reads a part's file up to the longest part, and one byte more: a longer file is damaged.
pub(crate) fn read_part_file<D: Directory>(directory: &D, name: &str, entry: PartEntry) -> io::Result<Vec<u8>> {
    let length = PART_HEADER + (entry.length as usize).min(PART_BYTES_MAX);
    let mut bytes = vec![0; length + 1];
    let read = directory.open(name)?.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

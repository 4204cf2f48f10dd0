//! The log itself: batches go in, one write and one fdatasync each.

use crate::batch::Batch;
use crate::counters::Counters;
use crate::directory::{Directory, File};
use crate::error::AppendError;
use crate::format::{BATCH_HEADER, BatchHeader, Manifest, PartEntry, SECTOR, body_checksum, padded};
use crate::identity::Identity;
use crate::names;
use crate::spares::Spares;
use std::collections::{BTreeMap, VecDeque};
use volvox_core::Position;

/// The most bytes of one record.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// The most bytes of one batch, its header and the lengths of its records included.
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// The smallest segment.
pub const SEGMENT_BYTES_MIN: u64 = 4 << 10;
/// The largest segment. No file is read beyond this.
pub const SEGMENT_BYTES_MAX: u64 = 128 << 20;
/// Two sectors at the end of a segment that no batch of records takes: an idle batch and the seal always fit.
const RESERVED: u64 = 2 * SECTOR as u64;
/// A buffer that one large batch has grown beyond this is freed.
const BUFFER_BYTES_KEPT: usize = 4 << 20;

/// How the log uses the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The length of a segment, in whole sectors. A batch that needs more gets a segment of its own length.
    pub segment_bytes: u64,
    /// How many superfluous segments are kept for reuse after a checkpoint.
    pub spare_segments_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, spare_segments_max: 4 }
    }
}

/// A write-ahead log with its checkpoints, in one folder.
///
/// It belongs to one thread. After an error that is not harmless ([`AppendError::TooLarge`], [`AppendError::Full`])
/// it refuses everything.
#[derive(Debug)]
pub struct Log<D: Directory> {
    pub(crate) directory: D,
    pub(crate) options: Options,
    pub(crate) state: State,
    pub(crate) identity: Option<Identity>,
    /// The first segment of this life, by which its manifest is named.
    pub(crate) first_segment: u64,
    /// The highest segment number in the folder when it was opened, for a new life, which must not reuse it.
    pub(crate) highest_segment: u64,
    pub(crate) next: Position,
    pub(crate) durable: Position,
    /// The last batch is not yet proven durable by a later one.
    pub(crate) window_open: bool,
    pub(crate) manifest: Manifest,
    /// Every part on disk, those of the manifest and those written since.
    pub(crate) parts: BTreeMap<u64, PartEntry>,
    /// The segments that are still needed, the active one last.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) active: Option<Active<D::File>>,
    pub(crate) spares: Spares<D::File>,
    pub(crate) unsynced: Option<Unsynced>,
    pub(crate) bytes_since_checkpoint: u64,
    /// For records that come as slices.
    pub(crate) buffer: Batch,
    pub(crate) counters: Counters,
}

/// The permitted operations of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// There is no life yet, or the last one lost records: only [`Log::start_life`].
    Lifeless,
    /// Everything.
    Ready,
    /// Nothing: a write or a sync failed.
    Stopped,
}

/// A segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub number: u64,
    /// The last position in it, or before it when it has none.
    pub last: Position,
    /// The length of its file.
    pub capacity: u64,
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active<F> {
    pub number: u64,
    pub file: F,
    pub capacity: u64,
    /// The place of the next batch.
    pub end: u64,
}

/// A batch between its write and its sync.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsynced {
    last: Position,
    count: u64,
    bytes: u64,
}

impl<D: Directory> Log<D> {
    /// Makes records durable as one batch: one write, one fdatasync. Returns their first and last positions.
    ///
    /// # Panics
    /// When there is no record, when the last outcome was [`crate::Outcome::Fresh`] or [`crate::Outcome::Lost`] and no
    /// life was started, or between [`Log::write`] and [`Log::sync`]: mistakes of the caller.
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Position, Position), AppendError> {
        let positions = self.write(records)?;
        self.sync()?;
        Ok(positions)
    }

    /// Makes the records of a batch durable, as [`Log::append`] does, without copying them. Whatever the outcome, the batch
    /// is as it was.
    ///
    /// # Panics
    /// As [`Log::append`].
    pub fn append_batch(&mut self, batch: &mut Batch) -> Result<(Position, Position), AppendError> {
        self.check_ready()?;
        let result = self.write_batch(batch);
        let positions = self.stop_unless_harmless(result)?;
        self.sync()?;
        Ok(positions)
    }

    /// The first half of [`Log::append`]: the records are written, but not yet durable.
    pub fn write<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Position, Position), AppendError> {
        self.check_ready()?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let result = collect(records, &mut buffer).and_then(|()| self.write_batch(&mut buffer));
        if buffer.capacity() <= BUFFER_BYTES_KEPT {
            self.buffer = buffer;
        }
        self.stop_unless_harmless(result)
    }

    /// The second half of [`Log::append`]: makes the written records durable.
    pub fn sync(&mut self) -> Result<(), AppendError> {
        self.check_running()?;
        let Some(batch) = self.unsynced.take() else { return Ok(()) };
        let active = self.active.as_mut().expect("a batch was written, so there is a segment");
        if let Err(error) = active.file.sync() {
            let failed = AppendError::sync(&names::segment(active.number), error);
            return self.stop_unless_harmless(Err(failed));
        }
        active.end += batch.bytes;
        self.durable = batch.last;
        self.segments.back_mut().expect("the active segment").last = batch.last;
        self.window_open = true;
        self.bytes_since_checkpoint += batch.bytes;
        self.counters.batches += 1;
        self.counters.batch_syncs += 1;
        self.counters.records += batch.count;
        Ok(())
    }

    /// When nothing waits to be appended: one empty batch, which proves the last one durable, so that its damage can
    /// never be mistaken for a torn write. Does nothing when that is proven already; returns whether it wrote.
    pub fn write_idle(&mut self) -> Result<bool, AppendError> {
        self.check_ready()?;
        if !self.window_open {
            return Ok(false);
        }
        let result = match self.has_room_for_empty() {
            true => self.write_empty(false),
            // The seal of the old segment is an empty batch too.
            false => self.roll(SECTOR as u64),
        };
        self.stop_unless_harmless(result)?;
        Ok(true)
    }

    /// Work that should not keep an acknowledgement waiting: a step of at most 1 MiB towards the next segment. To be
    /// called when nothing waits, and under load after the acknowledgements of every few batches were delivered; the
    /// unfinished rest is made when the segment is full, at once. Does nothing when the next segment is there, or on a
    /// full disk.
    pub fn maintain(&mut self) -> Result<(), AppendError> {
        self.check_ready()?;
        let result = self.spares.grow(&self.directory, &mut self.counters);
        self.stop_unless_harmless(result)
    }

    /// The owner of the log, if it can be read.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// The position that the next record will have.
    pub fn next_position(&self) -> Position {
        self.next
    }

    /// The last position known durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// The bytes appended since the last checkpoint: they should trigger the next.
    pub fn bytes_since_checkpoint(&self) -> u64 {
        self.bytes_since_checkpoint
    }

    /// The counters since the log was opened.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The folder.
    pub fn directory(&self) -> &D {
        &self.directory
    }

    fn write_batch(&mut self, batch: &mut Batch) -> Result<(Position, Position), AppendError> {
        assert!(self.unsynced.is_none(), "a batch is written only after the one before it was synced");
        assert!(batch.count > 0, "a batch of no records is written by write_idle");
        check_sizes(batch)?;
        let length = batch.bytes.len();
        let bytes = padded(length);
        if !self.has_room(bytes as u64) {
            self.roll(bytes as u64)?;
        }
        let active = self.active.as_ref().expect("a log that is ready has a segment");
        let body = &batch.bytes[BATCH_HEADER..];
        let header = BatchHeader {
            segment: active.number,
            segment_bytes: active.capacity,
            first: self.next,
            synced_through: self.durable,
            manifest: self.manifest.sequence,
            count: batch.count,
            body_length: body.len() as u32,
            body_crc: body_checksum(body),
            sealed: false,
        };
        header.encode(self.nonce(), &mut batch.bytes);
        // The sector after the batch is zeroed with it: there the log ends, whatever data an earlier use left.
        batch.bytes.resize(bytes + SECTOR, 0);
        let written = active.file.write_at(&batch.bytes, active.end);
        batch.bytes.truncate(length);
        written.map_err(|error| AppendError::write(&names::segment(active.number), error))?;
        self.counters.bytes_written += (bytes + SECTOR) as u64;
        self.next = header.last().next();
        self.unsynced = Some(Unsynced { last: header.last(), count: u64::from(batch.count), bytes: bytes as u64 });
        Ok((header.first, header.last()))
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.active.as_ref().is_some_and(|active| active.end + bytes + RESERVED <= active.capacity)
    }

    /// Whether there is room for a batch without records and for the seal.
    pub(crate) fn has_room_for_empty(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.end + RESERVED <= active.capacity)
    }

    /// Continues in a new segment that has room for a batch of `bytes`.
    ///
    /// The order makes a crash harmless at every point: the new file and its name are durable before the seal says
    /// that it exists, and the seal is durable before anything in the new file is acknowledged.
    fn roll(&mut self, bytes: u64) -> Result<(), AppendError> {
        let number = self.active.as_ref().map_or(self.first_segment, |active| active.number + 1);
        let active = self.place_segment(number, bytes + RESERVED)?;
        self.write_empty(true)?;
        self.segments.push_back(Segment { number, last: self.durable, capacity: active.capacity });
        self.active = Some(active);
        Ok(())
    }

    /// Makes an empty segment, durable with its name.
    pub(crate) fn place_segment(&mut self, number: u64, bytes: u64) -> Result<Active<D::File>, AppendError> {
        let bytes = self.options.segment_bytes.max(bytes);
        let spare = self.spares.prepare(&self.directory, bytes, &mut self.counters)?;
        let (from, to) = (names::spare(spare.number), names::segment(number));
        let file = self.directory.open(&from).map_err(|error| AppendError::write(&from, error))?;
        file.write_at(&[0; SECTOR], 0).map_err(|error| AppendError::write(&from, error))?;
        file.sync().map_err(|error| AppendError::sync(&from, error))?;
        self.directory.rename(&from, &to).map_err(|error| AppendError::write(&to, error))?;
        self.spares.used(spare);
        self.counters.bytes_written += SECTOR as u64;
        self.counters.other_syncs += 1;
        self.sync_directory()?;
        Ok(Active { number, file, capacity: spare.bytes, end: 0 })
    }

    /// Writes and syncs a batch without records at the end of the active segment.
    pub(crate) fn write_empty(&mut self, sealed: bool) -> Result<(), AppendError> {
        assert!(self.unsynced.is_none(), "an empty batch is written only after the one before it was synced");
        let nonce = self.nonce();
        let active = self.active.as_mut().expect("a log that is ready has a segment");
        let header = BatchHeader {
            segment: active.number,
            segment_bytes: active.capacity,
            first: self.next,
            synced_through: self.durable,
            manifest: self.manifest.sequence,
            count: 0,
            body_length: 0,
            body_crc: body_checksum(&[]),
            sealed,
        };
        let mut sectors = [0; 2 * SECTOR];
        header.encode(nonce, &mut sectors);
        // Behind an idle batch the log ends, as behind any other; nothing comes behind a seal.
        let bytes = if sealed { SECTOR } else { 2 * SECTOR };
        let name = names::segment(active.number);
        active.file.write_at(&sectors[..bytes], active.end).map_err(|error| AppendError::write(&name, error))?;
        active.file.sync().map_err(|error| AppendError::sync(&name, error))?;
        active.end += SECTOR as u64;
        self.counters.bytes_written += bytes as u64;
        self.counters.other_syncs += 1;
        self.window_open = false;
        Ok(())
    }

    pub(crate) fn sync_directory(&mut self) -> Result<(), AppendError> {
        self.directory.sync().map_err(|error| AppendError::sync("the folder", error))?;
        self.counters.other_syncs += 1;
        Ok(())
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.identity.expect("a log that is ready has an identity").nonce
    }

    pub(crate) fn check_running(&self) -> Result<(), AppendError> {
        if self.state == State::Stopped { Err(AppendError::Stopped) } else { Ok(()) }
    }

    pub(crate) fn check_ready(&self) -> Result<(), AppendError> {
        assert!(self.state != State::Lifeless, "this log has no life: call start_life first");
        self.check_running()
    }

    /// After a failure whose effect on the disk is unknown nothing more may be written.
    pub(crate) fn stop_unless_harmless<T>(&mut self, result: Result<T, AppendError>) -> Result<T, AppendError> {
        if result.as_ref().is_err_and(|error| !error.is_harmless()) {
            self.state = State::Stopped;
        }
        result
    }
}

/// Copies records into a batch, not more than one may hold.
fn collect<'a>(records: impl IntoIterator<Item = &'a [u8]>, batch: &mut Batch) -> Result<(), AppendError> {
    for record in records {
        batch.push(|out| out.extend_from_slice(record));
        check_sizes(batch)?;
    }
    Ok(())
}

fn check_sizes(batch: &Batch) -> Result<(), AppendError> {
    if batch.largest > RECORD_BYTES_MAX {
        return Err(AppendError::TooLarge { bytes: batch.largest, limit: RECORD_BYTES_MAX });
    }
    let bytes = batch.bytes.len();
    if bytes > BATCH_BYTES_MAX {
        return Err(AppendError::TooLarge { bytes, limit: BATCH_BYTES_MAX });
    }
    Ok(())
}

//! Files that wait to become segments.
//!
//! A write into space that the file system has already given us needs no metadata, so its fdatasync waits for one flush
//! and not for the journal too. A spare is such space: written full of zeros in small steps while the log continues, or
//! a segment whose records a checkpoint has taken over.

use crate::counters::Counters;
use crate::directory::{Directory, File};
use crate::error::AppendError;
use crate::names;

/// The bytes that one call of [`Spares::grow`] writes.
const STEP: usize = 1 << 20;
static ZEROS: [u8; STEP] = [0; STEP];

/// A file of zeros, or with the data of an earlier use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spare {
    /// Part of its name.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
}

/// The spares of a log.
#[derive(Debug)]
pub(crate) struct Spares<F> {
    segment_bytes: u64,
    limit: usize,
    next_number: u64,
    ready: Vec<Spare>,
    growing: Option<Growing<F>>,
    /// The disk was full; growing waits until space is freed.
    paused: bool,
}

#[derive(Debug)]
struct Growing<F> {
    number: u64,
    file: F,
    written: u64,
    target: u64,
}

impl<F: File> Spares<F> {
    /// None yet; the numbers of new ones begin at `next_number`.
    pub fn new(segment_bytes: u64, limit: usize, next_number: u64) -> Spares<F> {
        Spares { segment_bytes, limit, next_number, ready: Vec::new(), growing: None, paused: false }
    }

    /// Keeps a spare that was found in the folder, if it is usable; returns whether it was kept.
    pub fn adopt(&mut self, spare: Spare) -> bool {
        let useful = spare.bytes == self.segment_bytes && self.ready.len() < self.limit;
        if useful {
            self.ready.push(spare);
        }
        useful
    }

    /// Turns a segment that is no longer needed into a spare, or removes it.
    pub fn recycle<D: Directory<File = F>>(
        &mut self,
        directory: &D,
        segment: u64,
        bytes: u64,
    ) -> Result<(), AppendError> {
        self.paused = false;
        let name = names::segment(segment);
        let spare = Spare { number: self.next_number, bytes };
        if !self.adopt(spare) {
            return directory.remove(&name).map_err(|error| AppendError::write(&name, error));
        }
        self.next_number += 1;
        let renamed = directory.rename(&name, &names::spare(spare.number));
        renamed.map_err(|error| AppendError::write(&name, error))
    }

    /// A spare of at least `bytes`, made now if there is none. It stays among the spares until [`Spares::used`].
    pub fn prepare<D: Directory<File = F>>(
        &mut self,
        directory: &D,
        bytes: u64,
        counters: &mut Counters,
    ) -> Result<Spare, AppendError> {
        self.paused = false;
        loop {
            if let Some(spare) = self.ready.iter().find(|spare| spare.bytes >= bytes) {
                return Ok(*spare);
            }
            self.step(directory, bytes, false, counters)?;
        }
    }

    /// The spare has become a segment.
    pub fn used(&mut self, spare: Spare) {
        self.ready.retain(|other| *other != spare);
    }

    /// Grows the next spare by a step, unless there is one.
    pub fn grow<D: Directory<File = F>>(&mut self, directory: &D, counters: &mut Counters) -> Result<(), AppendError> {
        if !self.ready.is_empty() || self.paused || self.limit == 0 {
            return Ok(());
        }
        match self.step(directory, 0, true, counters) {
            // No caller waits for this spare. The space that it took was given back, and a caller that needs it gets the error.
            Err(AppendError::Full) => {
                self.paused = true;
                Ok(())
            }
            result => result,
        }
    }

    fn step<D: Directory<File = F>>(
        &mut self,
        directory: &D,
        bytes: u64,
        sync_each: bool,
        counters: &mut Counters,
    ) -> Result<(), AppendError> {
        let mut growing = match self.growing.take() {
            Some(growing) => growing,
            None => self.begin(directory)?,
        };
        growing.target = growing.target.max(bytes);
        let name = names::spare(growing.number);
        let length = (growing.target - growing.written).min(STEP as u64) as usize;
        if let Err(error) = growing.file.write_at(&ZEROS[..length], growing.written) {
            // Half a spare is useless and may take the space that the disk lacks; if even this fails, opening the log removes it.
            let _ = directory.remove(&name);
            return Err(AppendError::write(&name, error));
        }
        counters.bytes_written += length as u64;
        growing.written += length as u64;
        let done = growing.written == growing.target;
        if sync_each || done {
            growing.file.sync().map_err(|error| AppendError::sync(&name, error))?;
            counters.other_syncs += 1;
        }
        match done {
            true => self.ready.push(Spare { number: growing.number, bytes: growing.target }),
            false => self.growing = Some(growing),
        }
        Ok(())
    }

    fn begin<D: Directory<File = F>>(&mut self, directory: &D) -> Result<Growing<F>, AppendError> {
        let number = self.next_number;
        let name = names::spare(number);
        let file = directory.create(&name).map_err(|error| AppendError::write(&name, error))?;
        self.next_number += 1;
        Ok(Growing { number, file, written: 0, target: self.segment_bytes })
    }
}

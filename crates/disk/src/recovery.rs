//! Opening a folder: it determines which records survived and which are lost, and cuts a torn tail.
//!
//! First everything is read and judged, and nothing is written. Only a log that lost nothing is then repaired: whatever
//! is left of a torn write is made unreadable, and records that no later batch proves are written once more.

use crate::checkpoint::read_part_file;
use crate::counters::Counters;
use crate::directory::{Directory, File};
use crate::error::OpenError;
use crate::format::{
    BatchHeader, Decoded, IDENTITY_LENGTH, MANIFEST_ENTRY, MANIFEST_HEADER, Manifest, SECTOR, StoredIdentity, VERSION,
    decode_part,
};
use crate::identity::Identity;
use crate::log::{Active, Log, Options, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, Segment, State};
use crate::names::{self, Names};
use crate::outcome::{Loss, Outcome, Recovered};
use crate::scan::{Chain, Found, NewerBatch, whole_body};
use crate::spares::{Spare, Spares};
use crate::{AppendError, PARTS_MAX};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use volvox_core::Position;

/// Reading ends early: with an error, or because something was lost or never there.
enum Stop {
    Error(OpenError),
    Outcome {
        outcome: Outcome,
        identity: Option<Identity>,
        /// The highest segment that the old life asks for, whether it is there or not. The first segment of the next
        /// life must not be mistaken for it.
        highest_segment: u64,
    },
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Stop {
        Stop::Error(error)
    }
}

impl StoredIdentity {
    fn lost(&self, loss: Loss, highest_segment: u64) -> Stop {
        Stop::Outcome { outcome: Outcome::Lost(loss), identity: Some(self.identity), highest_segment }
    }
}

/// Everything that was read of a log that lost nothing.
struct Survey<F> {
    stored: StoredIdentity,
    manifest: Manifest,
    chain: Chain,
    segments: Vec<(Segment, F)>,
    /// The index of the segment where the log continues, and the offset in it.
    active: usize,
    end: u64,
    torn: Option<Outcome>,
}

impl<D: Directory> Log<D> {
    /// Reads what a folder holds, and cuts a torn tail. When something was lost, nothing is changed.
    ///
    /// # Panics
    /// When the options are invalid: a segment is 4 KiB to 128 MiB long, in whole sectors.
    pub fn open(directory: D, options: Options) -> Result<(Log<D>, Recovered), OpenError> {
        let sectors = options.segment_bytes.is_multiple_of(SECTOR as u64);
        assert!(
            sectors && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&options.segment_bytes),
            "a segment of {options:?}"
        );
        let list = directory.list().map_err(|source| failed("list", "the folder", source))?;
        let names = Names::sort(&list);
        let mut log = Log::lifeless(directory, options, &names);
        match survey(&log.directory, &names) {
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Outcome { outcome, identity, highest_segment }) => {
                log.identity = identity;
                log.highest_segment = log.highest_segment.max(highest_segment);
                Ok((log, Recovered::nothing(outcome, identity)))
            }
            Ok(survey) => {
                let outcome = survey.torn.clone().unwrap_or(Outcome::Intact);
                let recovered = log.revive(survey, &names, outcome)?;
                Ok((log, recovered))
            }
        }
    }

    fn lifeless(directory: D, options: Options, names: &Names) -> Log<D> {
        let next_spare = names.spares.last().map_or(1, |number| number + 1);
        Log {
            directory,
            spares: Spares::new(options.segment_bytes, options.spare_segments_max, next_spare),
            options,
            state: State::Lifeless,
            identity: None,
            first_segment: 0,
            highest_segment: names.segments.iter().chain(&names.manifests).copied().max().unwrap_or(0),
            next: Position(1),
            durable: Position::NONE,
            window_open: false,
            manifest: Manifest::none(0),
            parts: BTreeMap::new(),
            segments: VecDeque::new(),
            active: None,
            unsynced: None,
            bytes_since_checkpoint: 0,
            buffer: crate::batch::Batch::default(),
            counters: Counters::default(),
        }
    }

    /// Makes a log of the recovered records, and repairs the folder.
    fn revive(&mut self, survey: Survey<D::File>, names: &Names, outcome: Outcome) -> Result<Recovered, OpenError> {
        let Survey { stored, manifest, mut chain, mut segments, active, end, torn } = survey;
        let proven = chain.proven;
        mend(&segments, &chain, stored.identity.nonce, active, end)?;
        let superfluous = segments.split_off(active + 1);
        let (segment, file) = segments.pop().expect("the active segment");
        self.state = State::Ready;
        self.identity = Some(stored.identity);
        self.first_segment = stored.first_segment;
        self.next = chain.verified.next();
        self.durable = chain.verified;
        self.window_open = chain.verified > proven;
        self.parts = manifest.parts.iter().map(|entry| (entry.number, *entry)).collect();
        self.segments = segments.into_iter().map(|(segment, _)| segment).chain([segment]).collect();
        self.active = Some(Active { number: segment.number, file, capacity: segment.capacity, end });
        let after_covers = chain.linked.iter().filter(|found| found.header.last() > manifest.covers);
        self.bytes_since_checkpoint = after_covers.map(|found| found.header.padded()).sum();
        self.manifest = manifest;
        if self.window_open || torn.is_some() {
            self.close_window().map_err(|error| mending_failed(segment.number, error))?;
        }
        let superfluous: Vec<u64> = superfluous.iter().map(|(segment, _)| segment.number).collect();
        self.tidy(names, &superfluous)?;
        Ok(Recovered {
            identity: self.identity,
            covers: self.manifest.covers,
            parts: self.manifest.parts.iter().map(|entry| entry.number).collect(),
            records: core::mem::take(&mut chain.records),
            next_position: self.next,
            outcome,
        })
    }

    /// Ends the log with an empty batch, replacing any old data. Where there is no room left for one, the window stays
    /// open as before, and the old data is zeroed.
    fn close_window(&mut self) -> Result<(), AppendError> {
        if self.has_room_for_empty() {
            return self.write_empty(false);
        }
        let active = self.active.as_ref().expect("a revived log has a segment");
        let name = names::segment(active.number);
        if active.end + SECTOR as u64 <= active.capacity {
            active.file.write_at(&[0; SECTOR], active.end).map_err(|error| AppendError::write(&name, error))?;
        }
        active.file.sync().map_err(|error| AppendError::sync(&name, error))
    }

    /// Deletes what the log does not need. Names that a killed process left uncertain are made durable first, else a
    /// crash could bring back a manifest whose parts were deleted.
    fn tidy(&mut self, names: &Names, superfluous: &[u64]) -> Result<(), OpenError> {
        self.directory.sync().map_err(|source| failed("sync", "the folder", source))?;
        self.counters.other_syncs += 1;
        let manifests = names.manifests.iter().filter(|life| **life != self.first_segment);
        let parts = names.parts.iter().filter(|number| !self.parts.contains_key(number));
        let segments = names.segments.iter();
        let segments = segments.filter(|number| **number < self.manifest.first_segment || superfluous.contains(number));
        let mut old: Vec<String> = names.unfinished.iter().map(|name| (*name).to_owned()).collect();
        old.extend(manifests.map(|life| names::manifest(*life)));
        old.extend(parts.map(|number| names::part(*number)));
        old.extend(segments.map(|number| names::segment(*number)));
        for number in &names.spares {
            let name = names::spare(*number);
            let file = self.directory.open(&name).map_err(|source| failed("open", &name, source))?;
            let bytes = file.length().map_err(|source| failed("measure", &name, source))?;
            if !self.spares.adopt(Spare { number: *number, bytes }) {
                old.push(name);
            }
        }
        for name in old {
            self.directory.remove(&name).map_err(|source| failed("remove", &name, source))?;
        }
        Ok(())
    }
}

/// Reads everything and changes nothing.
fn survey<D: Directory>(directory: &D, names: &Names) -> Result<Survey<D::File>, Stop> {
    let stored = read_identity(directory, names)?;
    let manifest = match read_manifest(directory, names, &stored)? {
        Some(manifest) => manifest,
        None => return Err(stored.lost(Loss::Manifest, stored.first_segment)),
    };
    let lost = |loss| stored.lost(loss, manifest.first_segment);
    for entry in &manifest.parts {
        let file = names::part(entry.number);
        let missing = !names.parts.contains(&entry.number);
        let bytes = if missing { Ok(Vec::new()) } else { read_part_file(directory, &file, *entry) };
        match decode_part(&bytes.map_err(|source| failed("read", &file, source))?, *entry) {
            Decoded::Valid(_) => {}
            Decoded::Newer(found) => return Err(newer(file, found).into()),
            Decoded::Damaged => return Err(lost(Loss::Part { number: entry.number })),
        }
    }
    let mut chain = Chain::new(stored.identity.nonce, manifest.covers);
    let mut segments = Vec::new();
    let mut buffer = Vec::new();
    let needed = names.segments.iter().copied().filter(|number| *number >= manifest.first_segment);
    for (number, expected) in needed.zip(manifest.first_segment..) {
        if number != expected {
            return Err(lost(Loss::Segment { number: expected }));
        }
        segments.push(read_segment(directory, number, &mut buffer, &mut chain)?);
    }
    if segments.is_empty() {
        return Err(lost(Loss::Segment { number: manifest.first_segment }));
    }
    judge(stored, manifest, chain, segments)
}

fn read_identity<D: Directory>(directory: &D, names: &Names) -> Result<StoredIdentity, Stop> {
    if !names.identity {
        // A crash while the first life began leaves at most an empty segment.
        let mut empty = names.manifests.is_empty() && names.parts.is_empty();
        for number in &names.segments {
            empty = empty && is_zero(directory, &names::segment(*number))?;
        }
        let outcome = if empty { Outcome::Fresh } else { Outcome::Lost(Loss::Identity) };
        return Err(Stop::Outcome { outcome, identity: None, highest_segment: 0 });
    }
    let bytes = read_file(directory, names::IDENTITY, IDENTITY_LENGTH + 1)?;
    match StoredIdentity::decode(&bytes) {
        Decoded::Valid(stored) => Ok(stored),
        Decoded::Newer(found) => Err(newer(names::IDENTITY.to_owned(), found).into()),
        Decoded::Damaged => {
            let outcome = Outcome::Lost(Loss::Identity);
            Err(Stop::Outcome { outcome, identity: None, highest_segment: 0 })
        }
    }
}

/// The current manifest, or the one that means no checkpoint; `None` when there is one that does not verify.
fn read_manifest<D: Directory>(
    directory: &D,
    names: &Names,
    stored: &StoredIdentity,
) -> Result<Option<Manifest>, Stop> {
    if !names.manifests.contains(&stored.first_segment) {
        return Ok(Some(Manifest::none(stored.first_segment)));
    }
    let name = names::manifest(stored.first_segment);
    let bytes = read_file(directory, &name, MANIFEST_HEADER + MANIFEST_ENTRY * PARTS_MAX + 1)?;
    match Manifest::decode(&bytes, stored.identity.nonce) {
        Decoded::Valid(manifest) if manifest.first_segment >= stored.first_segment => Ok(Some(manifest)),
        Decoded::Newer(found) => Err(newer(name, found).into()),
        _ => Ok(None),
    }
}

/// Adds a segment to the chain.
fn read_segment<D: Directory>(
    directory: &D,
    number: u64,
    buffer: &mut Vec<u8>,
    chain: &mut Chain,
) -> Result<(Segment, D::File), OpenError> {
    let name = names::segment(number);
    let file = directory.open(&name).map_err(|source| failed("open", &name, source))?;
    let length = file.length().map_err(|source| failed("measure", &name, source))?.min(SEGMENT_BYTES_MAX);
    let capacity = length - length % SECTOR as u64;
    buffer.clear();
    buffer.resize(capacity as usize, 0);
    let read = file.read_at(buffer, 0).map_err(|source| failed("read", &name, source))?;
    chain.read(number, &buffer[..read]).map_err(|NewerBatch(found)| newer(name, found))?;
    Ok((Segment { number, last: chain.verified, capacity }, file))
}

/// Whether a log that was read has lost anything, and where it continues if not.
fn judge<F: File>(
    stored: StoredIdentity,
    manifest: Manifest,
    chain: Chain,
    segments: Vec<(Segment, F)>,
) -> Result<Survey<F>, Stop> {
    let lost = |loss| stored.lost(loss, manifest.first_segment);
    if chain.manifest > manifest.sequence {
        return Err(lost(Loss::Manifest));
    }
    if chain.verified < chain.proven {
        return Err(lost(Loss::Records { first: chain.verified.next(), last: chain.proven }));
    }
    if let Some(number) = chain.cut_short {
        return Err(lost(Loss::Segment { number }));
    }
    let (number, end) = match chain.linked.last() {
        None => (manifest.first_segment, 0),
        Some(last) if last.header.sealed => (last.header.segment + 1, 0),
        Some(last) => (last.header.segment, last.end()),
    };
    let active = (number - manifest.first_segment) as usize;
    let Some((segment, file)) = segments.get(active) else {
        return Err(lost(Loss::Segment { number }));
    };
    let mut sector = [0; SECTOR];
    let read = file.read_at(&mut sector, end).map_err(|error| failed("read", &names::segment(number), error))?;
    let stray = strays_behind(&chain, number, end).next();
    let torn = match stray {
        Some(found) if found.header.segment == number => Some((number, end..found.end().min(segment.capacity))),
        Some(found) => Some((found.header.segment, found.offset..found.end())),
        // A write that left no readable header, or the last batch damaged while the node was down.
        None if sector[..read] != [0; SECTOR][..read] => Some((number, end..segment.capacity)),
        None => None,
    };
    let first = chain.verified.next();
    let torn = torn.map(|(segment, bytes)| Outcome::TornTail { segment, bytes, first });
    Ok(Survey { stored, manifest, chain, segments, active, end, torn })
}

/// The headers behind the end of the log that a later recovery could read.
fn strays_behind(chain: &Chain, segment: u64, end: u64) -> impl Iterator<Item = &Found> {
    chain.stray.iter().filter(move |found| (found.header.segment, found.offset) >= (segment, end))
}

/// Makes the verdict durable: headers behind the end are zeroed, and batches that nothing proves are written again.
/// After a failed fsync the page cache can show what the disk does not hold; only writing it again makes the next fsync
/// meaningful.
fn mend<F: File>(
    segments: &[(Segment, F)],
    chain: &Chain,
    nonce: u64,
    active: usize,
    end: u64,
) -> Result<(), OpenError> {
    let number = segments[active].0.number;
    for (segment, file) in segments {
        let name = names::segment(segment.number);
        let mut touched = false;
        let unproven = |found: &&Found| found.header.segment == segment.number && found.header.last() > chain.proven;
        for found in chain.linked.iter().filter(unproven) {
            rewrite(file, found, nonce).map_err(|source| failed("rewrite", &name, source))?;
            touched = true;
        }
        for found in strays_behind(chain, number, end).filter(|found| found.header.segment == segment.number) {
            file.write_at(&[0; SECTOR], found.offset).map_err(|source| failed("mend", &name, source))?;
            touched = true;
        }
        if touched {
            file.sync().map_err(|source| failed("sync", &name, source))?;
        }
    }
    Ok(())
}

fn rewrite<F: File>(file: &F, found: &Found, nonce: u64) -> io::Result<()> {
    let mut bytes = vec![0; found.header.padded() as usize];
    let read = file.read_at(&mut bytes, found.offset)?;
    let header = BatchHeader::decode(&bytes[..read.min(SECTOR)], nonce, found.header.segment);
    if header != Decoded::Valid(found.header) || whole_body(&bytes[..read], &found.header).is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it reads differently a second time"));
    }
    file.write_at(&bytes[..read], found.offset)
}

fn is_zero<D: Directory>(directory: &D, name: &str) -> Result<bool, OpenError> {
    let file = directory.open(name).map_err(|source| failed("open", name, source))?;
    let mut chunk = vec![0; 64 << 10];
    let mut offset = 0;
    while offset < SEGMENT_BYTES_MAX {
        let read = file.read_at(&mut chunk, offset).map_err(|source| failed("read", name, source))?;
        if chunk[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read < chunk.len() {
            return Ok(true);
        }
        offset += read as u64;
    }
    Ok(true)
}

/// Reads a file, but no more of it than `limit`.
fn read_file<D: Directory>(directory: &D, name: &str, limit: usize) -> Result<Vec<u8>, OpenError> {
    let file = directory.open(name).map_err(|source| failed("open", name, source))?;
    let length = file.length().map_err(|source| failed("measure", name, source))?;
    let mut bytes = vec![0; length.min(limit as u64) as usize];
    let read = file.read_at(&mut bytes, 0).map_err(|source| failed("read", name, source))?;
    bytes.truncate(read);
    Ok(bytes)
}

fn failed(action: &'static str, file: &str, source: io::Error) -> OpenError {
    OpenError::Io { action, file: file.to_owned(), source }
}

fn newer(file: String, found: u32) -> OpenError {
    OpenError::NewerVersion { file, found, supported: VERSION }
}

fn mending_failed(segment: u64, error: AppendError) -> OpenError {
    let source = match error {
        AppendError::WriteFailed { source, .. } | AppendError::SyncFailed { source, .. } => source,
        other => io::Error::new(io::ErrorKind::StorageFull, other),
    };
    failed("mend", &names::segment(segment), source)
}

//! The bytes of every file: drawn in the crate's header, written and checked here.
//!
//! Everything is little-endian. Nothing is used before its checksum was verified, and no memory is allocated for a
//! length before that length was compared with the size of the file.

use crate::identity::Identity;
use core::ops::Range;
use volvox_core::{Incarnation, NodeId, Position};

/// The unit that a disk writes whole or not at all, and the alignment of batches.
pub(crate) const SECTOR: usize = 512;
/// The version of every file that this program writes.
pub(crate) const VERSION: u32 = 1;
/// The length of a batch header.
pub(crate) const BATCH_HEADER: usize = 76;
/// The length of an identity file.
pub(crate) const IDENTITY_LENGTH: usize = 56;
/// The length of a manifest without its entries.
pub(crate) const MANIFEST_HEADER: usize = 56;
/// The length of a manifest entry.
pub(crate) const MANIFEST_ENTRY: usize = 16;
/// The length of the header before a part's data.
pub(crate) const PART_HEADER: usize = 24;

const BATCH_MAGIC: [u8; 4] = *b"VxLg";
const IDENTITY_MAGIC: [u8; 4] = *b"VxId";
const MANIFEST_MAGIC: [u8; 4] = *b"VxMf";
const PART_MAGIC: [u8; 4] = *b"VxPt";
/// Magic, version and the checksum of both: the one thing that no version may change.
const HEAD: usize = 12;
const SEALED: u32 = 1;
/// No log lives long enough to reach this, so that sums of a hostile file's numbers do not overflow.
const POSITION_MAX: u64 = 1 << 60;
/// As for positions: no segment has a higher number.
const SEGMENT_NUMBER_MAX: u64 = 1 << 48;

/// The verdict on a piece of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decoded<T> {
    /// It verifies.
    Valid(T),
    /// A newer program wrote it; this is its version.
    Newer(u32),
    /// Anything else.
    Damaged,
}

/// The header before the records of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BatchHeader {
    /// The segment it was written to: batches left in a recycled file by its earlier use have another number.
    pub segment: u64,
    /// How long the file of the segment is: a shorter one has lost its end.
    pub segment_bytes: u64,
    /// The position of the first record; of the next one, when there is none.
    pub first: Position,
    /// The last position known durable when the batch was written.
    pub synced_through: Position,
    /// The sequence number of the manifest that was current.
    pub manifest: u64,
    /// The number of records.
    pub count: u32,
    /// Their size in bytes.
    pub body_length: u32,
    /// Their checksum.
    pub body_crc: u32,
    /// Nothing follows in this segment; the log continues in the next, which exists.
    pub sealed: bool,
}

impl BatchHeader {
    /// The position of the last record; the one before `first` when there is none.
    pub fn last(&self) -> Position {
        Position(self.first.0 - 1 + u64::from(self.count))
    }

    /// How many bytes of the segment the batch takes.
    pub fn padded(&self) -> u64 {
        padded(BATCH_HEADER + self.body_length as usize) as u64
    }

    /// Writes the header.
    pub fn encode(&self, nonce: u64, out: &mut [u8]) {
        assert!(self.first.0 > 0 && self.synced_through < self.first, "a batch proves only what is before it");
        put_head(out, BATCH_MAGIC, VERSION, nonce);
        put_u64(out, 16, nonce);
        put_u64(out, 24, self.segment);
        put_u64(out, 32, self.first.0);
        put_u64(out, 40, self.synced_through.0);
        put_u64(out, 48, self.manifest);
        put_u32(out, 56, self.count);
        put_u32(out, 60, self.body_length);
        put_u32(out, 64, self.body_crc);
        put_u32(out, 68, if self.sealed { SEALED } else { 0 });
        put_u32(out, 72, (self.segment_bytes / SECTOR as u64) as u32);
        let crc = checksum(nonce, &out[16..BATCH_HEADER]);
        put_u32(out, 12, crc);
    }

    /// Reads the header of a batch of this life and this segment.
    pub fn decode(sector: &[u8], nonce: u64, segment: u64) -> Decoded<BatchHeader> {
        match check_head(sector, BATCH_MAGIC, nonce) {
            Decoded::Valid(()) if sector.len() >= BATCH_HEADER => {}
            Decoded::Newer(version) => return Decoded::Newer(version),
            _ => return Decoded::Damaged,
        }
        if get_u32(sector, 12) != checksum(nonce, &sector[16..BATCH_HEADER]) {
            return Decoded::Damaged;
        }
        let flags = get_u32(sector, 68);
        let header = BatchHeader {
            segment: get_u64(sector, 24),
            segment_bytes: u64::from(get_u32(sector, 72)) * SECTOR as u64,
            first: Position(get_u64(sector, 32)),
            synced_through: Position(get_u64(sector, 40)),
            manifest: get_u64(sector, 48),
            count: get_u32(sector, 56),
            body_length: get_u32(sector, 60),
            body_crc: get_u32(sector, 64),
            sealed: flags & SEALED != 0,
        };
        let sound = get_u64(sector, 16) == nonce
            && header.segment == segment
            && header.synced_through < header.first
            && header.first.0 <= POSITION_MAX
            && u64::from(header.count) * 4 <= u64::from(header.body_length)
            && (header.count > 0 || header.body_length == 0)
            && flags & !SEALED == 0;
        if sound { Decoded::Valid(header) } else { Decoded::Damaged }
    }
}

/// The checksum of a batch's body.
pub(crate) fn body_checksum(body: &[u8]) -> u32 {
    crc32c::crc32c(body)
}

/// The range of each record in a body; `None` when the lengths do not add up to the body.
pub(crate) fn record_ranges(body: &[u8], count: u32) -> Option<Vec<Range<usize>>> {
    if u64::from(count) * 4 > body.len() as u64 {
        return None;
    }
    let mut ranges = Vec::with_capacity(count as usize);
    let mut at = 0;
    for _ in 0..count {
        let length = body.get(at..at + 4)?;
        let start = at + 4;
        at = start.checked_add(get_u32(length, 0) as usize).filter(|end| *end <= body.len())?;
        ranges.push(start..at);
    }
    (at == body.len()).then_some(ranges)
}

/// An identity as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StoredIdentity {
    /// The owner of the log.
    pub identity: Identity,
    /// The number of this life's first segment; lower ones are left over from an earlier life.
    pub first_segment: u64,
}

impl StoredIdentity {
    /// The file.
    pub fn encode(&self) -> [u8; IDENTITY_LENGTH] {
        let mut out = [0; IDENTITY_LENGTH];
        put_head(&mut out, IDENTITY_MAGIC, VERSION, 0);
        put_u64(&mut out, 16, self.identity.cluster);
        put_u64(&mut out, 24, self.identity.node.0);
        put_u64(&mut out, 32, self.identity.incarnation.0);
        put_u64(&mut out, 40, self.identity.nonce);
        put_u64(&mut out, 48, self.first_segment);
        let crc = checksum(0, &out[16..]);
        put_u32(&mut out, 12, crc);
        out
    }

    /// Reads the file.
    pub fn decode(bytes: &[u8]) -> Decoded<StoredIdentity> {
        match check_head(bytes, IDENTITY_MAGIC, 0) {
            Decoded::Valid(()) if bytes.len() == IDENTITY_LENGTH => {}
            Decoded::Newer(version) => return Decoded::Newer(version),
            _ => return Decoded::Damaged,
        }
        if get_u32(bytes, 12) != checksum(0, &bytes[16..]) {
            return Decoded::Damaged;
        }
        let identity = Identity {
            cluster: get_u64(bytes, 16),
            node: NodeId(get_u64(bytes, 24)),
            incarnation: Incarnation(get_u64(bytes, 32)),
            nonce: get_u64(bytes, 40),
        };
        match get_u64(bytes, 48) {
            first_segment @ 1..=SEGMENT_NUMBER_MAX => Decoded::Valid(StoredIdentity { identity, first_segment }),
            _ => Decoded::Damaged,
        }
    }
}

/// The entry of one part in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartEntry {
    /// Its number.
    pub number: u64,
    /// The size of its data in bytes.
    pub length: u32,
    /// The checksum of its data.
    pub crc: u32,
}

/// The current checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Manifest {
    /// One more than the manifest before it; 0 means that there never was a checkpoint.
    pub sequence: u64,
    /// The last record that the parts cover.
    pub covers: Position,
    /// The oldest segment that is still needed.
    pub first_segment: u64,
    /// The parts, in their order.
    pub parts: Vec<PartEntry>,
}

impl Manifest {
    /// The manifest of a life that has made no checkpoint.
    pub fn none(first_segment: u64) -> Manifest {
        Manifest { sequence: 0, covers: Position::NONE, first_segment, parts: Vec::new() }
    }

    /// The file.
    pub fn encode(&self, nonce: u64) -> Vec<u8> {
        let mut out = vec![0; MANIFEST_HEADER + MANIFEST_ENTRY * self.parts.len()];
        put_head(&mut out, MANIFEST_MAGIC, VERSION, 0);
        put_u64(&mut out, 16, nonce);
        put_u64(&mut out, 24, self.sequence);
        put_u64(&mut out, 32, self.covers.0);
        put_u64(&mut out, 40, self.first_segment);
        put_u32(&mut out, 48, self.parts.len() as u32);
        for (index, part) in self.parts.iter().enumerate() {
            let at = MANIFEST_HEADER + MANIFEST_ENTRY * index;
            put_u64(&mut out, at, part.number);
            put_u32(&mut out, at + 8, part.length);
            put_u32(&mut out, at + 12, part.crc);
        }
        let crc = checksum(0, &out[16..]);
        put_u32(&mut out, 12, crc);
        out
    }

    /// Reads the file.
    pub fn decode(bytes: &[u8], nonce: u64) -> Decoded<Manifest> {
        match check_head(bytes, MANIFEST_MAGIC, 0) {
            Decoded::Valid(()) if bytes.len() >= MANIFEST_HEADER => {}
            Decoded::Newer(version) => return Decoded::Newer(version),
            _ => return Decoded::Damaged,
        }
        let entries = &bytes[MANIFEST_HEADER..];
        let sound = get_u32(bytes, 12) == checksum(0, &bytes[16..])
            && get_u64(bytes, 16) == nonce
            && get_u64(bytes, 24) > 0
            && get_u64(bytes, 32) <= POSITION_MAX
            && (1..=SEGMENT_NUMBER_MAX).contains(&get_u64(bytes, 40))
            && get_u32(bytes, 52) == 0
            && get_u32(bytes, 48) as usize == entries.len() / MANIFEST_ENTRY
            && entries.len().is_multiple_of(MANIFEST_ENTRY);
        if !sound {
            return Decoded::Damaged;
        }
        let parts = entries.chunks_exact(MANIFEST_ENTRY).map(|entry| PartEntry {
            number: get_u64(entry, 0),
            length: get_u32(entry, 8),
            crc: get_u32(entry, 12),
        });
        Decoded::Valid(Manifest {
            sequence: get_u64(bytes, 24),
            covers: Position(get_u64(bytes, 32)),
            first_segment: get_u64(bytes, 40),
            parts: parts.collect(),
        })
    }
}

/// The file of a part.
pub(crate) fn encode_part(number: u64, data: &[u8]) -> (Vec<u8>, PartEntry) {
    let entry = PartEntry { number, length: data.len() as u32, crc: crc32c::crc32c(data) };
    let mut out = vec![0; PART_HEADER];
    put_head(&mut out, PART_MAGIC, VERSION, 0);
    put_u32(&mut out, 12, entry.crc);
    put_u64(&mut out, 16, number);
    out.extend_from_slice(data);
    (out, entry)
}

/// The data of a part, when it is the one that the manifest names.
pub(crate) fn decode_part(bytes: &[u8], entry: PartEntry) -> Decoded<&[u8]> {
    match check_head(bytes, PART_MAGIC, 0) {
        Decoded::Valid(()) if bytes.len() == PART_HEADER + entry.length as usize => {}
        Decoded::Newer(version) => return Decoded::Newer(version),
        _ => return Decoded::Damaged,
    }
    let data = &bytes[PART_HEADER..];
    let sound =
        get_u32(bytes, 12) == entry.crc && get_u64(bytes, 16) == entry.number && crc32c::crc32c(data) == entry.crc;
    if sound { Decoded::Valid(data) } else { Decoded::Damaged }
}

/// `length`, rounded up to whole sectors.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(SECTOR)
}

fn put_head(out: &mut [u8], magic: [u8; 4], version: u32, nonce: u64) {
    out[..4].copy_from_slice(&magic);
    put_u32(out, 4, version);
    let crc = checksum(nonce, &out[..8]);
    put_u32(out, 8, crc);
}

/// Tells a newer version from a damaged one: the head of every version has its own checksum.
fn check_head(bytes: &[u8], magic: [u8; 4], nonce: u64) -> Decoded<()> {
    if bytes.len() < HEAD || bytes[..4] != magic || get_u32(bytes, 8) != checksum(nonce, &bytes[..8]) {
        return Decoded::Damaged;
    }
    match get_u32(bytes, 4) {
        VERSION => Decoded::Valid(()),
        newer if newer > VERSION => Decoded::Newer(newer),
        _ => Decoded::Damaged,
    }
}

/// CRC-32C that begins with the nonce, which a client cannot know: so a client cannot store bytes that pass for a
/// batch.
fn checksum(nonce: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&nonce.to_le_bytes()), bytes)
}

fn put_u32(out: &mut [u8], at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut [u8], at: usize, value: u64) {
    out[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

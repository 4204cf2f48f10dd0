//! One change of one key, as it is encoded.

use super::pair::Pair;
use crate::response::KeyValue;
use alloc::vec::Vec;
use core::ops::Range;
use volvox_core::codec::put_varint;
use volvox_core::{Bytes, DecodeError, Encode, Reader};

/// A shortcut leads back to the last version whose depth is a multiple of this: the version at an old revision is
/// found in `versions / 64 + 64` steps at most.
const ANCHOR_SPACING: u64 = 64;

/// The greatest counter that is accepted: no store lives long enough to exceed it, and nothing overflows below it.
pub(crate) const COUNTER_MAX: u64 = 1 << 62;

/// The time of a change: the revision of the store, and the index of the change in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Revision {
    pub main: i64,
    pub sub: u32,
}

/// A change: a put, or a tombstone.
///
/// ```text
///   flags main sub [previous: main distance, sub] [anchor: main distance, sub] [depth]
///   key  (puts:) create distance, version, [lease], value
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub revision: Revision,
    pub tombstone: bool,
    /// The change of this key before.
    pub previous: Option<Revision>,
    /// A change of this key long before: the last whose depth is a multiple of the spacing.
    pub anchor: Option<Revision>,
    /// How many changes of this key the chain has before this one.
    pub depth: u64,
    pub create_revision: i64,
    pub version: i64,
    pub lease: i64,
    /// The place of the key in the encoding.
    pub(super) key: Range<u32>,
    /// The place of the value in the encoding.
    pub(super) value: Range<u32>,
}

pub(super) const TOMBSTONE: u8 = 1;
pub(super) const LEASED: u8 = 2;
pub(super) const LINKED: u8 = 4;
pub(super) const ANCHORED: u8 = 8;

impl Record {
    /// A put that begins or continues a life of the key.
    pub fn put(revision: Revision, before: Option<&Record>, lease: i64) -> Record {
        let alive = before.filter(|record| !record.tombstone);
        let mut record = Record::linked(revision, before);
        record.create_revision = alive.map_or(revision.main, |before| before.create_revision);
        record.version = alive.map_or(1, |before| before.version + 1);
        record.lease = lease;
        record
    }

    /// The end of a life.
    pub fn tombstone(revision: Revision, before: &Record) -> Record {
        Record { tombstone: true, ..Record::linked(revision, Some(before)) }
    }

    /// The end of a life of which nothing is left.
    pub fn orphan_tombstone(revision: Revision) -> Record {
        Record { tombstone: true, ..Record::linked(revision, None) }
    }

    fn linked(revision: Revision, before: Option<&Record>) -> Record {
        Record {
            revision,
            tombstone: false,
            previous: before.map(|before| before.revision),
            anchor: before.and_then(|before| {
                if before.depth.is_multiple_of(ANCHOR_SPACING) { Some(before.revision) } else { before.anchor }
            }),
            depth: before.map_or(0, |before| before.depth + 1),
            create_revision: 0,
            version: 0,
            lease: 0,
            key: 0..0,
            value: 0..0,
        }
    }

    /// Its effect on the number of keys: 1 for a birth, -1 for a death, else 0.
    pub fn census(&self) -> i8 {
        if self.tombstone { -1 } else { i8::from(self.version == 1) }
    }

    /// Appends the encoding, and remembers where in `out` key and value lie.
    pub fn encode(&mut self, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let anchor = self.anchor.filter(|anchor| Some(*anchor) != self.previous);
        let flags = [(self.tombstone, TOMBSTONE), (self.lease != 0, LEASED)];
        let links = [(self.previous.is_some(), LINKED), (anchor.is_some(), ANCHORED)];
        out.push(flags.iter().chain(&links).filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
        put_varint(self.revision.main as u64, out);
        put_varint(u64::from(self.revision.sub), out);
        for link in [self.previous, anchor].into_iter().flatten() {
            put_varint((self.revision.main - link.main) as u64, out);
            put_varint(u64::from(link.sub), out);
        }
        if self.previous.is_some() {
            put_varint(self.depth, out);
        }
        key.encode(out);
        self.key = (out.len() - key.len()) as u32..out.len() as u32;
        if !self.tombstone {
            put_varint((self.revision.main - self.create_revision) as u64, out);
            put_varint(self.version as u64, out);
            if self.lease != 0 {
                self.lease.encode(out);
            }
            value.encode(out);
            self.value = (out.len() - value.len()) as u32..out.len() as u32;
        }
    }

    /// Decodes a record from the front of `bytes[start..]`; returns its end. Links and counts are checked to be in
    /// range, not to be correct.
    pub fn decode(bytes: &[u8], start: usize) -> Result<(Record, usize), DecodeError> {
        let mut input = Reader::new(&bytes[start..]);
        let flags = input.u8()?;
        let known = TOMBSTONE | LEASED | LINKED | ANCHORED;
        if flags & !known != 0 || flags & (LINKED | ANCHORED) == ANCHORED || flags & (TOMBSTONE | LEASED) > LEASED {
            return Err(DecodeError::Unknown("record flags", u64::from(flags)));
        }
        let main = positive(input.varint()?)?;
        let revision = Revision { main, sub: sub_revision(&mut input)? };
        let mut record = Record::linked(revision, None);
        record.tombstone = flags & TOMBSTONE != 0;
        if flags & LINKED != 0 {
            let previous = earlier(&mut input, revision)?;
            let anchor = if flags & ANCHORED != 0 { earlier(&mut input, revision)? } else { previous };
            (record.previous, record.anchor) = (Some(previous), Some(anchor));
            record.depth = input.varint()?;
            if record.depth > COUNTER_MAX {
                return Err(DecodeError::Invalid("depth"));
            }
        }
        record.key = section(&mut input, bytes)?;
        if record.key.is_empty() {
            return Err(DecodeError::Invalid("empty key"));
        }
        if !record.tombstone {
            record.create_revision = main - positive_or_zero(input.varint()?)?;
            record.version = positive(input.varint()?)?;
            if record.create_revision < 1 {
                return Err(DecodeError::Invalid("create revision"));
            }
            if flags & LEASED != 0 {
                record.lease = volvox_core::Decode::decode(&mut input)?;
            }
            record.value = section(&mut input, bytes)?;
        }
        Ok((record, bytes.len() - input.remaining()))
    }
}

fn positive_or_zero(number: u64) -> Result<i64, DecodeError> {
    if number <= COUNTER_MAX { Ok(number as i64) } else { Err(DecodeError::Invalid("revision")) }
}

fn positive(number: u64) -> Result<i64, DecodeError> {
    positive_or_zero(number)
        .and_then(|number| if number > 0 { Ok(number) } else { Err(DecodeError::Invalid("revision")) })
}

fn sub_revision(input: &mut Reader<'_>) -> Result<u32, DecodeError> {
    u32::try_from(input.varint()?).map_err(|_| DecodeError::Invalid("sub revision"))
}

fn earlier(input: &mut Reader<'_>, than: Revision) -> Result<Revision, DecodeError> {
    let main = than.main - positive_or_zero(input.varint()?)?;
    let link = Revision { main, sub: sub_revision(input)? };
    if main < 1 || link >= than { Err(DecodeError::Invalid("link to an earlier version")) } else { Ok(link) }
}

/// A byte string inside `bytes`, as a range of it.
fn section(input: &mut Reader<'_>, bytes: &[u8]) -> Result<Range<u32>, DecodeError> {
    let length = input.count()?;
    let start = bytes.len() - input.remaining();
    input.take(length)?;
    Ok(start as u32..(start + length) as u32)
}

/// A record in place.
#[derive(Clone)]
pub(crate) struct RecordRef<'a> {
    /// The allocation it lies in.
    pub bytes: &'a Bytes,
    /// The fields of the record.
    pub record: Record,
}

impl<'a> RecordRef<'a> {
    /// Decodes a record that this program wrote or has checked.
    pub fn at(bytes: &'a Bytes, start: usize) -> RecordRef<'a> {
        let (record, _) = Record::decode(bytes, start).expect("records are checked before they enter the log");
        RecordRef { bytes, record }
    }

    /// The key.
    pub fn key(&self) -> &'a [u8] {
        &self.bytes.as_slice()[self.record.key.start as usize..self.record.key.end as usize]
    }

    /// The value, without sharing it.
    pub fn value_slice(&self) -> &'a [u8] {
        &self.bytes.as_slice()[self.record.value.start as usize..self.record.value.end as usize]
    }

    /// The pair. Of a tombstone only key and revision are set.
    pub fn pair(&self) -> Pair<'a> {
        Pair::of(self.bytes, &self.record)
    }

    /// The pair, sharing the allocation. Of a tombstone only key and revision are set.
    pub fn key_value(&self) -> KeyValue {
        self.pair().key_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_record_comes_back() {
        let mut first = Record::put(Revision { main: 7, sub: 3 }, None, -5);
        let mut second = Record::put(Revision { main: 9, sub: 0 }, Some(&first), 0);
        let mut dead = Record::tombstone(Revision { main: 9, sub: 1 }, &second);
        let mut out = vec![0xee];
        for (record, value) in [(&mut first, b"one".as_slice()), (&mut second, b""), (&mut dead, b"")] {
            let start = out.len();
            record.encode(b"key", value, &mut out);
            let (read, end) = Record::decode(&out, start).expect("reads");
            assert_eq!(end, out.len());
            assert_eq!(read, *record);
            assert_eq!(&out[read.key.start as usize..read.key.end as usize], b"key");
        }
        assert_eq!((second.version, second.create_revision, second.depth), (2, 7, 1));
        assert_eq!((first.census(), second.census(), dead.census()), (1, 0, -1));
    }

    #[test]
    fn anchors_skip_back() {
        let mut before = Record::put(Revision { main: 2, sub: 0 }, None, 0);
        for depth in 1..200 {
            before = Record::put(Revision { main: 2 + depth, sub: 0 }, Some(&before), 0);
            let anchor = (depth - 1) / 64 * 64;
            assert_eq!(before.anchor, Some(Revision { main: 2 + anchor, sub: 0 }), "depth {depth}");
        }
    }
}

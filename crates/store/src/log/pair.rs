//! A pair in place, for callers that read many.
//!
//! A record in the log was written by this program, or checked on arrival; a reader of pairs needs neither the checks
//! again nor the links between records.

use super::record::{ANCHORED, LEASED, LINKED, Record, Revision, TOMBSTONE};
use crate::response::{KeyValue, PairRef};
use core::ops::Range;
use volvox_core::{Bytes, Decode, Reader};

/// The pair of a record.
#[derive(Clone)]
pub(crate) struct Pair<'a> {
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
    pub lease: i64,
    /// The allocation it lies in.
    bytes: &'a Bytes,
    key: Range<u32>,
    value: Range<u32>,
}

impl<'a> Pair<'a> {
    /// The pair of a record of the log, and its revision; no pair when it is a tombstone.
    pub fn at(bytes: &'a Bytes, start: usize) -> (Revision, Option<Pair<'a>>) {
        let mut input = Trusted { bytes: bytes.as_slice(), at: start };
        let flags = input.byte();
        let revision = input.revision();
        if flags & TOMBSTONE != 0 {
            return (revision, None);
        }
        let main = revision.main;
        let links = if flags & LINKED == 0 { 0 } else { 3 + 2 * u32::from(flags & ANCHORED != 0) };
        for _ in 0..links {
            input.skip_varint();
        }
        let key = input.section();
        let create_revision = main - input.varint() as i64;
        let version = input.varint() as i64;
        let lease = if flags & LEASED != 0 { input.lease() } else { 0 };
        let value = input.section();
        (revision, Some(Pair { create_revision, mod_revision: main, version, lease, bytes, key, value }))
    }

    /// The same of a record that was decoded.
    pub fn of(bytes: &'a Bytes, record: &Record) -> Pair<'a> {
        Pair {
            create_revision: record.create_revision,
            mod_revision: record.revision.main,
            version: record.version,
            lease: record.lease,
            bytes,
            key: record.key.clone(),
            value: record.value.clone(),
        }
    }

    /// The value.
    pub fn value(&self) -> &'a [u8] {
        &self.bytes.as_slice()[self.value.start as usize..self.value.end as usize]
    }

    /// The pair, sharing nothing.
    pub fn borrowed(&self) -> PairRef<'a> {
        PairRef {
            key: &self.bytes.as_slice()[self.key.start as usize..self.key.end as usize],
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: self.value(),
            lease: self.lease,
        }
    }

    /// The pair, sharing the allocation. Of a tombstone only key and revision are set.
    pub fn key_value(&self) -> KeyValue {
        KeyValue {
            key: self.slice(&self.key),
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: if self.value.is_empty() { Bytes::new() } else { self.slice(&self.value) },
            lease: self.lease,
        }
    }

    fn slice(&self, range: &Range<u32>) -> Bytes {
        self.bytes.slice(range.start as usize..range.end as usize)
    }
}

/// The revision of a record of the log, and nothing else of it.
pub(crate) fn revision_at(bytes: &[u8], start: usize) -> Revision {
    // Behind the flags.
    Trusted { bytes, at: start + 1 }.revision()
}

/// Decodes a record that this program wrote or has checked.
struct Trusted<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Trusted<'_> {
    #[inline]
    fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at];
        self.at += 1;
        byte
    }

    #[inline]
    fn varint(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    #[inline]
    fn skip_varint(&mut self) {
        while self.byte() >= 0x80 {}
    }

    #[inline]
    fn revision(&mut self) -> Revision {
        Revision { main: self.varint() as i64, sub: self.varint() as u32 }
    }

    fn lease(&mut self) -> i64 {
        let mut input = Reader::new(&self.bytes[self.at..]);
        let lease = i64::decode(&mut input).expect("records are checked before they enter the log");
        self.at = self.bytes.len() - input.remaining();
        lease
    }

    #[inline]
    fn section(&mut self) -> Range<u32> {
        let length = self.varint() as usize;
        let start = self.at;
        self.at += length;
        start as u32..self.at as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use volvox_core::Rng;

    #[test]
    fn reads_what_the_checking_decoder_reads() {
        let mut rng = Rng::new(1);
        let mut before: Option<Record> = None;
        let mut main = 1;
        let mut out = Vec::new();
        let mut starts = Vec::new();
        for _ in 0..500 {
            main += 1 + (rng.next_u64() >> (20 + rng.below(44))) as i64 % (1 << 40);
            let revision = Revision { main, sub: (rng.below(3) * rng.below(1000)) as u32 };
            let lease = if rng.below(3) == 0 { rng.next_u64() as i64 } else { 0 };
            let dead = before.as_ref().is_some_and(|before| before.tombstone);
            let mut record = match &before {
                Some(before) if !dead && rng.below(4) == 0 => Record::tombstone(revision, before),
                before => Record::put(revision, before.as_ref().filter(|_| rng.below(9) > 0), lease),
            };
            starts.push(out.len());
            let value: Vec<u8> = (0..rng.below(300)).map(|_| rng.next_u64() as u8).collect();
            record.encode(&b"some key"[..1 + rng.below(8) as usize], &value, &mut out);
            before = Some(record);
        }
        let bytes = Bytes::from(out);
        let mut pairs = 0;
        for start in starts {
            let (record, _) = Record::decode(&bytes, start).expect("it was just written");
            assert_eq!(revision_at(&bytes, start), record.revision);
            let expected = (!record.tombstone).then(|| Pair::of(&bytes, &record).key_value());
            let (revision, pair) = Pair::at(&bytes, start);
            assert_eq!(revision, record.revision);
            assert_eq!(pair.as_ref().map(Pair::key_value), expected);
            pairs += usize::from(pair.is_some_and(|pair| pair.key_value().borrowed() == pair.borrowed()));
        }
        assert!(pairs > 300, "{pairs}");
    }
}

//! One page with its overflow, checked before anything is taken from it.

use crate::error::{Error, Problem};
use crate::format::{BRANCH, ENTRY_BYTES, HEADER_BYTES, IS_BUCKET, KEY_BYTES_MAX, LEAF, u16_at, u32_at, u64_at};

/// The first bytes of a page.
pub(crate) fn header(number: u64, flags: u16, count: u16, overflow: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..10].copy_from_slice(&flags.to_le_bytes());
    bytes[10..12].copy_from_slice(&count.to_le_bytes());
    bytes[12..].copy_from_slice(&overflow.to_le_bytes());
    bytes
}

/// The number that a page carries, and its overflow.
pub(crate) fn number_and_overflow(bytes: &[u8]) -> (u64, u32) {
    (u64_at(bytes, 0), u32_at(bytes, 12))
}

/// A leaf or branch page whose entries lie inside and apart, with keys in order.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Its number; of an inline page, that of the page around it.
    pub number: u64,
    bytes: Vec<u8>,
    kind: Kind,
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Branch,
    Leaf,
}

/// An entry of a leaf page.
pub(crate) struct LeafEntry<'a> {
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub is_bucket: bool,
}

impl Page {
    /// Checks a page, which has at least a header.
    pub fn new(number: u64, bytes: Vec<u8>) -> Result<Page, Error> {
        let wrong = |problem| Error::Page { page: number, problem };
        let (flags, count) = (u16_at(&bytes, 8), usize::from(u16_at(&bytes, 10)));
        let kind = match flags {
            BRANCH => Kind::Branch,
            LEAF => Kind::Leaf,
            other => return Err(wrong(Problem::WrongKind(other))),
        };
        if kind == Kind::Branch && count == 0 {
            return Err(wrong(Problem::EmptyBranch));
        }
        let page = Page { number, bytes, kind, count };
        page.check_entries().map_err(wrong)?;
        Ok(page)
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// The key of entry `index`, which must exist.
    pub fn key(&self, index: usize) -> &[u8] {
        let (start, key, _) = self.place(index);
        &self.bytes[start..start + key]
    }

    /// The page below entry `index` of a branch page.
    pub fn child(&self, index: usize) -> u64 {
        assert_eq!(self.kind, Kind::Branch, "only a branch page has children");
        u64_at(&self.bytes, HEADER_BYTES + index * ENTRY_BYTES + 8)
    }

    /// Entry `index` of a leaf page.
    pub fn entry(&self, index: usize) -> LeafEntry<'_> {
        assert_eq!(self.kind, Kind::Leaf, "only a leaf page has values");
        let (start, key, value) = self.place(index);
        let is_bucket = u32_at(&self.bytes, HEADER_BYTES + index * ENTRY_BYTES) == IS_BUCKET;
        let (key, rest) = self.bytes[start..start + key + value].split_at(key);
        LeafEntry { key, value: rest, is_bucket }
    }

    /// Where the key of an entry begins, and the lengths of key and value. The sums fit: the file has less than 2^63
    /// bytes, and each summand less than 2^32.
    fn place(&self, index: usize) -> (usize, usize, usize) {
        let at = HEADER_BYTES + index * ENTRY_BYTES;
        let word = |nth: usize| u32_at(&self.bytes, at + 4 * nth) as usize;
        match self.kind {
            Kind::Branch => (at + word(0), word(1), 0),
            Kind::Leaf => (at + word(1), word(2), word(3)),
        }
    }

    fn check_entries(&self) -> Result<(), Problem> {
        let mut end = HEADER_BYTES + self.count * ENTRY_BYTES;
        if end > self.bytes.len() {
            return Err(Problem::EntryOutOfBounds(self.count - 1));
        }
        for index in 0..self.count {
            let (start, key, value) = self.place(index);
            if key == 0 || key > KEY_BYTES_MAX {
                return Err(Problem::KeyLength(index));
            }
            if start < end {
                return Err(Problem::Overlap(index));
            }
            end = start + key + value;
            if end > self.bytes.len() {
                return Err(Problem::EntryOutOfBounds(index));
            }
            let flags = u32_at(&self.bytes, HEADER_BYTES + index * ENTRY_BYTES);
            if self.kind == Kind::Leaf && flags > IS_BUCKET {
                return Err(Problem::EntryFlags(index));
            }
            if index > 0 && self.key(index - 1) >= self.key(index) {
                return Err(Problem::KeyOrder(index));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf page of entries: flags, position, lengths of key and value; and what is behind them.
    fn leaf(entries: &[[u32; 4]], rest: &[u8]) -> Result<Page, Problem> {
        let mut bytes = header(9, LEAF, entries.len() as u16, 0).to_vec();
        entries.iter().flatten().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes.extend_from_slice(rest);
        Page::new(9, bytes).map_err(|error| match error {
            Error::Page { page: 9, problem } => problem,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn entries_are_found() {
        let page = leaf(&[[0, 32, 1, 2], [1, 19, 2, 0]], b"a12bb").unwrap();
        let first = page.entry(0);
        assert_eq!((first.key, first.value, first.is_bucket), (&b"a"[..], &b"12"[..], false));
        let second = page.entry(1);
        assert_eq!((second.key, second.value, second.is_bucket), (&b"bb"[..], &b""[..], true));
    }

    #[test]
    fn every_contradiction_has_a_name() {
        assert_eq!(leaf(&[[0, 16, 0, 1]], b"ab").unwrap_err(), Problem::KeyLength(0));
        assert_eq!(leaf(&[[0, 16, 40_000, 1]], b"ab").unwrap_err(), Problem::KeyLength(0));
        assert_eq!(leaf(&[[0, 15, 1, 1]], b"ab").unwrap_err(), Problem::Overlap(0));
        assert_eq!(leaf(&[[0, 17, 1, 1]], b"ab").unwrap_err(), Problem::EntryOutOfBounds(0));
        assert_eq!(leaf(&[[0, u32::MAX, 1, u32::MAX]], b"ab").unwrap_err(), Problem::EntryOutOfBounds(0));
        assert_eq!(leaf(&[[2, 16, 1, 1]], b"ab").unwrap_err(), Problem::EntryFlags(0));
        assert_eq!(leaf(&[[0, 32, 1, 1], [0, 17, 1, 1]], b"abc").unwrap_err(), Problem::Overlap(1));
        assert_eq!(leaf(&[[0, 32, 1, 0], [0, 17, 1, 0]], b"aa").unwrap_err(), Problem::KeyOrder(1));
        assert_eq!(leaf(&[[0, 32, 1, 0], [0, 17, 1, 0]], b"ba").unwrap_err(), Problem::KeyOrder(1));
        let count = Page::new(9, header(9, LEAF, 1, 0).to_vec()).unwrap_err();
        assert!(matches!(count, Error::Page { problem: Problem::EntryOutOfBounds(0), .. }), "{count}");
        let empty = Page::new(9, header(9, BRANCH, 0, 0).to_vec()).unwrap_err();
        assert!(matches!(empty, Error::Page { problem: Problem::EmptyBranch, .. }), "{empty}");
        let kind = Page::new(9, header(9, LEAF | BRANCH, 0, 0).to_vec()).unwrap_err();
        assert!(matches!(kind, Error::Page { problem: Problem::WrongKind(3), .. }), "{kind}");
    }
}

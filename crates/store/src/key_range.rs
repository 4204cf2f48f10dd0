//! The keys that a request selects: the convention shared by reads, deletes, compares and watches.

use crate::checks::UNBOUNDED;

/// A set of neighbouring keys. Keys are ordered bytewise, a prefix before what it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRange<'a> {
    /// The first key.
    pub begin: &'a [u8],
    /// Its end.
    pub end: RangeEnd<'a>,
}

/// The upper bound of a [`KeyRange`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeEnd<'a> {
    /// Only `begin` itself.
    Single,
    /// All keys below.
    Below(&'a [u8]),
    /// No bound.
    Unbounded,
}

impl<'a> KeyRange<'a> {
    /// Every key.
    pub const ALL: KeyRange<'static> = KeyRange { begin: &[], end: RangeEnd::Unbounded };

    /// The range that `key` and `range_end` of a request select.
    pub fn new(key: &'a [u8], range_end: &'a [u8]) -> KeyRange<'a> {
        let end = match range_end {
            [] => RangeEnd::Single,
            UNBOUNDED => RangeEnd::Unbounded,
            bound => RangeEnd::Below(bound),
        };
        KeyRange { begin: key, end }
    }

    /// Whether the key is selected.
    pub fn contains(&self, key: &[u8]) -> bool {
        match self.end {
            RangeEnd::Single => key == self.begin,
            RangeEnd::Below(bound) => self.begin <= key && key < bound,
            RangeEnd::Unbounded => self.begin <= key,
        }
    }

    /// Whether a key that is not below `begin` is selected.
    pub(crate) fn reaches(&self, key: &[u8]) -> bool {
        match self.end {
            RangeEnd::Single => key == self.begin,
            RangeEnd::Below(bound) => key < bound,
            RangeEnd::Unbounded => true,
        }
    }

    /// Whether it can be seen without data that nothing is selected.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.end, RangeEnd::Below(bound) if bound <= self.begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_protocol() {
        assert!(KeyRange::new(b"k", b"").contains(b"k") && !KeyRange::new(b"k", b"").contains(b"k\0"));
        assert!(KeyRange::new(b"k", b"\0").contains(b"z") && !KeyRange::new(b"k", b"\0").contains(b"a"));
        assert!(KeyRange::new(b"\0", b"\0").contains(b"\0") && KeyRange::new(b"\0", b"\0").contains(b"\xff"));
        assert!(KeyRange::new(b"a", b"c").contains(b"b\xff") && !KeyRange::new(b"a", b"c").contains(b"c"));
        assert!(KeyRange::new(b"b", b"a").is_empty() && !KeyRange::new(b"b", b"a").contains(b"b"));
    }
}

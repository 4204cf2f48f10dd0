//! Shared, immutable byte strings: an entry is encoded once, and the log, the disk and the wire share its bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};

/// An immutable byte string whose clone and slice cost a reference count.
///
/// A slice keeps the whole allocation alive; use [`Bytes::detached`] for a part that outlives the whole.
#[derive(Clone, Default)]
pub struct Bytes {
    data: Data,
    start: u32,
    end: u32,
}

/// A buffer of at least this many bytes is taken over as it is. A smaller one is copied: to follow one more pointer with each
/// look at it would cost more.
const TAKEN_BYTES_MIN: usize = 1 << 10;

#[derive(Clone)]
enum Data {
    /// Beside the reference counts.
    Near(Arc<[u8]>),
    /// In a buffer that was taken over.
    Taken(Arc<Vec<u8>>),
}

impl Data {
    #[inline]
    fn all(&self) -> &[u8] {
        match self {
            Data::Near(bytes) => bytes,
            Data::Taken(bytes) => bytes,
        }
    }
}

impl Default for Data {
    fn default() -> Data {
        Data::Near(Arc::default())
    }
}

impl Bytes {
    /// The empty string; allocates nothing.
    pub fn new() -> Bytes {
        Bytes::default()
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.data.all()[self.start as usize..self.end as usize]
    }

    /// A part that shares the allocation.
    ///
    /// # Panics
    /// When the range is out of bounds.
    #[inline]
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len(), "slice {range:?} of {} bytes", self.len());
        Bytes { data: self.data.clone(), start: self.start + range.start as u32, end: self.start + range.end as u32 }
    }

    /// The same bytes in an allocation of their own size.
    pub fn detached(&self) -> Bytes {
        if self.len() == self.data.all().len() { self.clone() } else { Bytes::from(self.as_slice()) }
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        let end = u32::try_from(bytes.len()).expect("a byte string of at most 4 GiB");
        if end == 0 {
            return Bytes::default();
        }
        Bytes { data: Data::Near(Arc::from(bytes)), start: 0, end }
    }
}

impl From<Vec<u8>> for Bytes {
    /// Takes over a large buffer that is nearly full, and copies any other.
    fn from(bytes: Vec<u8>) -> Bytes {
        let is_full = bytes.capacity() - bytes.len() <= bytes.len() / 8;
        if bytes.len() < TAKEN_BYTES_MIN || !is_full {
            return Bytes::from(bytes.as_slice());
        }
        let end = u32::try_from(bytes.len()).expect("a byte string of at most 4 GiB");
        Bytes { data: Data::Taken(Arc::new(bytes)), start: 0, end }
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes::from(text.as_bytes())
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Bytes {
        Bytes::from(bytes.as_slice())
    }
}

impl Deref for Bytes {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl PartialEq<[u8]> for Bytes {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_slice() == other
    }
}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Bytes) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Bytes) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_slice().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_large_buffer_is_taken_over_and_shared() {
        let buffer = vec![7; TAKEN_BYTES_MIN];
        let place = buffer.as_ptr();
        let bytes = Bytes::from(buffer);
        assert_eq!(bytes.as_ptr(), place, "no byte was copied");
        let part = bytes.slice(10..20);
        assert_eq!((part.as_ptr(), part.len()), (place.wrapping_add(10), 10));
        assert_eq!(part.detached(), part);
        assert_ne!(part.detached().as_ptr(), part.as_ptr(), "a part that outlives the whole holds only itself");
    }

    #[test]
    fn a_buffer_that_is_mostly_empty_is_not_kept() {
        let mut buffer = Vec::with_capacity(4 * TAKEN_BYTES_MIN);
        buffer.resize(TAKEN_BYTES_MIN, 7);
        let place = buffer.as_ptr();
        assert_ne!(Bytes::from(buffer).as_ptr(), place);
    }

    #[test]
    fn it_is_three_words_long() {
        assert_eq!(size_of::<Bytes>(), 24);
    }
}

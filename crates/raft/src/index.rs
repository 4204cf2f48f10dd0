//! Terms and indices: the two numbers of Raft.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::codec::put_varint;
use volvox_core::{Decode, DecodeError, Encode, Reader};

/// Terms and indices beyond this are implausible: at a billion per second it takes 146 years. A peer's message with one
/// is refused, so that no sum of a term or index overflows.
pub const NUMBER_MAX: u64 = 1 << 62;

/// A term: Raft's logical clock (Raft 5.1). Each has at most one leader. Term 0 is before the first election.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

/// The place of an entry in the log. The first entry has index 1; index 0 is before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Index(pub u64);

impl Term {
    /// Before the first election.
    pub const ZERO: Term = Term(0);

    /// The term after this one.
    pub fn next(self) -> Term {
        Term(self.0 + 1)
    }
}

impl Index {
    /// Before the first entry.
    pub const ZERO: Index = Index(0);

    /// The index after this one.
    pub fn next(self) -> Index {
        Index(self.0 + 1)
    }

    /// The index before this one; 0 before 0.
    pub fn previous(self) -> Index {
        Index(self.0.saturating_sub(1))
    }
}

macro_rules! numbers {
    ($($name:ident, $what:literal, $letter:literal);*) => {$(
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(self.0, out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<$name, DecodeError> {
                match input.varint()? {
                    number if number <= NUMBER_MAX => Ok($name(number)),
                    _ => Err(DecodeError::Invalid($what)),
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
numbers!(Term, "term", "t"; Index, "index", "");

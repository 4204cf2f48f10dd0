//! The identity of a node: its id, the incarnation of its storage, the boot of its process, and the position in its
//! log.

use core::fmt;
use core::num::ParseIntError;
use core::str::FromStr;

/// A node, forever. 1, 2, 3 are names for people and traces; addresses belong to the live world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub u64);

/// One life of a node's storage.
///
/// A restart that finds all its records keeps its incarnation. A node that lost records, or returns with an empty
/// folder under a known identity, takes a new one: for every protocol that counts votes it is a different member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The first incarnation.
    pub const FIRST: Incarnation = Incarnation(1);
}

/// The number of the process's start on this storage: 1 for the first, and one more at every start, whether after a
/// crash or not.
///
/// The world counts starts, and persists the count before the process starts, so that a pair of incarnation and boot
/// never returns. Everything that a process keeps only in memory belongs to its boot; see [`serial`](crate::serial) for
/// the consequence for the numbers of its requests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(pub u64);

impl Boot {
    /// The first start.
    pub const FIRST: Boot = Boot(1);

    /// The start after this one.
    pub fn next(self) -> Boot {
        Boot(self.0 + 1)
    }
}

/// How many records a process has persisted in this incarnation: the first record has position 1.
///
/// Durability is a position: an effect that waits for position `p` happens once the records 1 to `p` are on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position before the first record: an effect that waits for it waits for nothing.
    pub const NONE: Position = Position(0);

    /// The position of the record after this one.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// `n3` or `3`.
impl FromStr for NodeId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<NodeId, ParseIntError> {
        let digits = text.strip_prefix('n').unwrap_or(text);
        // The standard parser accepts a sign, which no name has.
        let digits = if digits.starts_with('+') { "+" } else { digits };
        digits.parse().map(NodeId)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! Who a node is, which life of its storage it lives, how often it started in it, and how far that storage has come.

use core::fmt;
use core::num::ParseIntError;
use core::str::FromStr;

/// A node, for ever. 1, 2, 3 are names, for people and traces; addresses belong to the live world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub u64);

/// One life of a node's storage.
///
/// A restart that finds all its records keeps its incarnation. A node that lost records, or comes back with an empty
/// folder under a known identity, takes a fresh one: for every protocol that counts votes it is somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The first life.
    pub const FIRST: Incarnation = Incarnation(1);
}

/// Which start of the process on this storage this is: 1 the first time, and one more at every start, after a crash or not.
///
/// The world counts, and has written the count down before the process starts, so that an incarnation and a boot together
/// never return. What a process only remembers is of its boot; see [`serial`](crate::serial) for what that means for the
/// numbers that it gives its questions.
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
/// Durability is a position: what waits for position `p` happens once the records 1 to `p` are on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before the first record: what waits for this waits for nothing.
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
        // The standard parser takes a sign, which no name has.
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

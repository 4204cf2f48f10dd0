//! The faults of a file.

use std::fmt;
use std::io;

/// Why a file cannot be read. Nothing is changed by reading.
#[derive(Debug)]
pub enum Error {
    /// The operating system refuses. Look at the file and its permissions.
    Io(io::Error),
    /// Neither meta page begins with the magic number: the file is not a database of bbolt.
    NotADatabase,
    /// A newer or older program wrote the file. Use a version of bbolt that has this format.
    Version(u32),
    /// A meta page has the magic number, and neither has a valid checksum: the file is damaged.
    MetaDamaged,
    /// The page size is not a power of two between 1 KiB and 16 MiB.
    PageSize(u32),
    /// The file is shorter than its meta page says: it was cut.
    Cut {
        /// The bytes that the meta page demands.
        expected: u64,
        /// The bytes that there are.
        found: u64,
    },
    /// A page contradicts the format: the file is damaged or forged.
    Page {
        /// The number of the page; that of the enclosing page for an inline bucket.
        page: u64,
        /// The contradiction.
        problem: Problem,
    },
}

/// The contradiction in a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// Its number is not below the high-water mark, or is that of a meta page.
    OutOfBounds,
    /// It carries the number of another page.
    WrongNumber(u64),
    /// It is of another kind than its place in the tree demands.
    WrongKind(u16),
    /// Its overflow reaches beyond the high-water mark.
    OverflowOutOfBounds(u32),
    /// With its overflow it is longer than [`RUN_BYTES_MAX`](crate::RUN_BYTES_MAX).
    TooLong(u64),
    /// Two entries of the database lead to it.
    PageTwice,
    /// It lies below more branch pages than [`DEPTH_MAX`](crate::DEPTH_MAX).
    TooDeep,
    /// It is a branch page without entries.
    EmptyBranch,
    /// The entry of this index lies outside the page.
    EntryOutOfBounds(usize),
    /// The entry of this index shares bytes with the one before it, or with the list of entries.
    Overlap(usize),
    /// The entry of this index has flags that do not exist.
    EntryFlags(usize),
    /// The key of this index is empty, or longer than [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX).
    KeyLength(usize),
    /// The key of this index is not greater than those before it.
    KeyOrder(usize),
    /// The value of this index is not a bucket, although its flags say so.
    Bucket(usize),
    /// An inline bucket contains a bucket.
    BucketInInline(usize),
    /// A bucket lies within more buckets than [`NESTING_MAX`](crate::NESTING_MAX).
    NestedTooDeep(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "the database cannot be read: {error}"),
            Error::NotADatabase => f.write_str("the file is not a database of bbolt"),
            Error::Version(version) => write!(f, "the database has format version {version}, and not 2"),
            Error::MetaDamaged => f.write_str("both meta pages of the database are damaged"),
            Error::PageSize(bytes) => write!(f, "the database states a page size of {bytes} bytes"),
            Error::Cut { expected, found } => {
                write!(f, "the database is cut: it states {expected} bytes, and has {found}")
            }
            Error::Page { page, problem } => write!(f, "page {page} of the database is damaged: {problem}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::OutOfBounds => f.write_str("its number is out of bounds"),
            Problem::WrongNumber(found) => write!(f, "it carries the number {found}"),
            Problem::WrongKind(flags) => write!(f, "its kind is {flags:#x}"),
            Problem::OverflowOutOfBounds(pages) => write!(f, "its overflow of {pages} pages is out of bounds"),
            Problem::TooLong(bytes) => write!(f, "with its overflow it has {bytes} bytes, which is too long"),
            Problem::PageTwice => f.write_str("two entries lead to it"),
            Problem::TooDeep => f.write_str("it lies too deep in the tree"),
            Problem::EmptyBranch => f.write_str("it is a branch page without entries"),
            Problem::EntryOutOfBounds(index) => write!(f, "entry {index} lies outside"),
            Problem::Overlap(index) => write!(f, "entry {index} overlaps what is before it"),
            Problem::EntryFlags(index) => write!(f, "entry {index} has unknown flags"),
            Problem::KeyLength(index) => write!(f, "the key of entry {index} is empty or too long"),
            Problem::KeyOrder(index) => write!(f, "the key of entry {index} is out of order"),
            Problem::Bucket(index) => write!(f, "entry {index} is not the bucket that it claims to be"),
            Problem::BucketInInline(index) => write!(f, "entry {index} is a bucket in an inline bucket"),
            Problem::NestedTooDeep(index) => write!(f, "the bucket of entry {index} is nested too deeply"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

/// Why a file cannot be written. The part written so far is not a database.
#[derive(Debug)]
pub enum WriteError {
    /// The operating system refuses. Look at the disk and the permissions.
    Io(io::Error),
    /// The caller offered a key that is not greater than the one before it in its bucket.
    KeyOrder,
    /// The caller offered an empty key, or one longer than [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX).
    KeyLength(usize),
    /// The caller offered a value longer than [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX).
    ValueLength(usize),
    /// The caller offered a pair outside a bucket, or closed a bucket that is not open, or left one open.
    NoBucket,
    /// The caller nested buckets deeper than [`NESTING_MAX`](crate::NESTING_MAX).
    NestedTooDeep,
    /// The caller offered different pairs the second time.
    Changed,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io(error) => write!(f, "the database cannot be written: {error}"),
            WriteError::KeyOrder => f.write_str("a key of the database is not greater than the one before it"),
            WriteError::KeyLength(bytes) => write!(f, "a key of the database has {bytes} bytes"),
            WriteError::ValueLength(bytes) => write!(f, "a value of the database has {bytes} bytes"),
            WriteError::NoBucket => f.write_str("buckets of the database are not opened and closed in pairs"),
            WriteError::NestedTooDeep => f.write_str("a bucket of the database is nested too deeply"),
            WriteError::Changed => f.write_str("the pairs of the database changed while they were written"),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> WriteError {
        WriteError::Io(error)
    }
}

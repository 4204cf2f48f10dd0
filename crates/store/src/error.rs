//! Why a request was refused. A refused request changed nothing, on any member.

use core::fmt;

/// The caller's mistake, or the obstacle. The words and numbers of a foreign protocol belong to its door.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Error {
    /// The request names no key. The caller must name one.
    EmptyKey,
    /// A put is to keep the value or lease of a missing key, or an operation of a transaction is empty.
    KeyNotFound,
    /// A put is to keep the value but gives one.
    ValueProvided,
    /// A put is to keep the lease but gives one.
    LeaseProvided,
    /// A transaction is too large. The caller must split it.
    TooManyOperations,
    /// A transaction writes a key twice.
    DuplicateKey,
    /// A sort order or target that does not exist.
    InvalidSortOption,
    /// The revision is gone. The caller must start from a newer one.
    Compacted,
    /// The revision does not exist yet.
    FutureRevision,
    /// The quota is used up. The operator must compact or delete, then clear the alarm.
    NoSpace,
    /// The lease does not exist, or no longer exists. The caller must grant a new one.
    LeaseNotFound,
    /// The lease exists. The caller must choose another id.
    LeaseExists,
    /// The requested time to live is too long.
    LeaseTtlTooLarge,
    /// The data of members differ. The operator must find out which are correct.
    Corrupt,
}

impl Error {
    /// Every error, for tables and tests.
    pub const ALL: [Error; 14] = [
        Error::EmptyKey,
        Error::KeyNotFound,
        Error::ValueProvided,
        Error::LeaseProvided,
        Error::TooManyOperations,
        Error::DuplicateKey,
        Error::InvalidSortOption,
        Error::Compacted,
        Error::FutureRevision,
        Error::NoSpace,
        Error::LeaseNotFound,
        Error::LeaseExists,
        Error::LeaseTtlTooLarge,
        Error::Corrupt,
    ];
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::EmptyKey => "the request names no key",
            Error::KeyNotFound => "there is no such key",
            Error::ValueProvided => "a put that keeps the value gives one",
            Error::LeaseProvided => "a put that keeps the lease gives one",
            Error::TooManyOperations => "the transaction has too many operations",
            Error::DuplicateKey => "the transaction writes a key twice",
            Error::InvalidSortOption => "there is no such sort order or target",
            Error::Compacted => "the revision is compacted",
            Error::FutureRevision => "the revision is in the future",
            Error::NoSpace => "the quota is used up",
            Error::LeaseNotFound => "there is no such lease",
            Error::LeaseExists => "the lease exists",
            Error::LeaseTtlTooLarge => "the time to live is too long",
            Error::Corrupt => "the data of members differ",
        })
    }
}

impl core::error::Error for Error {}

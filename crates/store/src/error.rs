//! Why a request was refused. A refused request changed nothing, on any member.

use core::fmt;

/// The caller's mistake, or the obstacle. Texts and codes are etcd's, byte for byte: clients distinguish errors by the
/// text first.
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

/// The code of gRPC that goes with an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    /// 2
    Unknown,
    /// 3
    InvalidArgument,
    /// 5
    NotFound,
    /// 8
    ResourceExhausted,
    /// 9
    FailedPrecondition,
    /// 11
    OutOfRange,
    /// 14
    Unavailable,
    /// 15
    DataLoss,
}

impl Code {
    /// The number in gRPC.
    pub fn number(self) -> i32 {
        match self {
            Code::Unknown => 2,
            Code::InvalidArgument => 3,
            Code::NotFound => 5,
            Code::ResourceExhausted => 8,
            Code::FailedPrecondition => 9,
            Code::OutOfRange => 11,
            Code::Unavailable => 14,
            Code::DataLoss => 15,
        }
    }
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

    /// The text that clients recognise.
    pub fn message(self) -> &'static str {
        match self {
            Error::EmptyKey => "etcdserver: key is not provided",
            Error::KeyNotFound => "etcdserver: key not found",
            Error::ValueProvided => "etcdserver: value is provided",
            Error::LeaseProvided => "etcdserver: lease is provided",
            Error::TooManyOperations => "etcdserver: too many operations in txn request",
            Error::DuplicateKey => "etcdserver: duplicate key given in txn request",
            Error::InvalidSortOption => "etcdserver: invalid sort option",
            Error::Compacted => "etcdserver: mvcc: required revision has been compacted",
            Error::FutureRevision => "etcdserver: mvcc: required revision is a future revision",
            Error::NoSpace => "etcdserver: mvcc: database space exceeded",
            Error::LeaseNotFound => "etcdserver: requested lease not found",
            Error::LeaseExists => "etcdserver: lease already exists",
            Error::LeaseTtlTooLarge => "etcdserver: too large lease TTL",
            Error::Corrupt => "etcdserver: corrupt cluster",
        }
    }

    /// The code that goes with it.
    pub fn code(self) -> Code {
        match self {
            Error::EmptyKey
            | Error::KeyNotFound
            | Error::ValueProvided
            | Error::LeaseProvided
            | Error::TooManyOperations
            | Error::DuplicateKey
            | Error::InvalidSortOption => Code::InvalidArgument,
            Error::Compacted | Error::FutureRevision | Error::LeaseTtlTooLarge => Code::OutOfRange,
            Error::NoSpace => Code::ResourceExhausted,
            Error::LeaseNotFound => Code::NotFound,
            Error::LeaseExists => Code::FailedPrecondition,
            Error::Corrupt => Code::DataLoss,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

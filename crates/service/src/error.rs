//! Why a request is refused.

use core::fmt;
use volvox_replica::Error as ReplicaError;
use volvox_store::Error as StoreError;

/// Why a request is refused. The words for a client of a foreign protocol are its door's business.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// This member is a learner, which serves nothing that needs the cluster. The caller must ask a voter.
    Learner,
    /// The caller described itself in a way that the door cannot read.
    MalformedCaller,
    /// The caller demands a leader, and this member knows none. Nothing was done.
    NoLeader,
    /// The token of the caller is unknown or expired. The caller must log in again.
    InvalidToken,
    /// The request is invalid, or the store refused it, on every member alike. Nothing was changed.
    Store(StoreError),
    /// The replica did not carry it out, or does not know whether it did: see [`ReplicaError::is_definite`].
    Replica(ReplicaError),
    /// The reply does not fit what was asked: a bug of this server.
    UnfitReply,
}

impl Error {
    /// Whether the request certainly had no effect.
    pub fn is_definite(&self) -> bool {
        match self {
            Error::Learner | Error::MalformedCaller | Error::NoLeader | Error::InvalidToken | Error::Store(_) => true,
            Error::Replica(error) => error.is_definite(),
            Error::UnfitReply => false,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        Error::Store(error)
    }
}

impl From<ReplicaError> for Error {
    fn from(error: ReplicaError) -> Error {
        match error {
            ReplicaError::Store(error) => Error::Store(error),
            other => Error::Replica(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Learner => f.write_str("a learner does not serve this"),
            Error::MalformedCaller => f.write_str("the caller cannot be read"),
            Error::NoLeader => f.write_str("no leader is known"),
            Error::InvalidToken => f.write_str("the token is not valid"),
            Error::Store(error) => write!(f, "{error}"),
            Error::Replica(error) => write!(f, "{error}"),
            Error::UnfitReply => f.write_str("the reply does not fit the request"),
        }
    }
}

impl core::error::Error for Error {}

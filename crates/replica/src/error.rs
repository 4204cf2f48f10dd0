//! Why a request is refused.

use core::fmt;
use volvox_store::{Code, Error as StoreError};

/// Why a request was refused. The texts and codes are etcd's (book/src/etcd.md#11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// The store refused it, on every member.
    Store(StoreError),
    /// No leader is known; nothing was done.
    NoLeader,
    /// The leader changed while the request waited.
    LeaderChanged,
    /// It took too long; a write may still happen.
    Timeout,
    /// It took too long and a leader was lost meanwhile; a write may still happen.
    TimeoutLeaderFailure,
    /// This node serves too many requests; nothing was done, try later.
    TooManyRequests,
    /// The request does not fit in an entry.
    TooLarge,
    /// Only the leader does this.
    NotLeader,
    /// Leadership cannot be transferred to that member.
    BadTransferee,
    /// The transfer did not happen in time.
    TransferTimeout,
    /// A learner serves nothing that needs the cluster.
    Learner,
    /// There is no such member.
    MemberNotFound,
    /// A member with this id exists.
    MemberExists,
    /// Another member has this peer URL.
    PeerUrlExists,
    /// A peer URL is invalid.
    BadPeerUrls,
    /// The member is already a voter.
    NotLearner,
    /// The learner lags too far behind.
    LearnerNotReady,
    /// There may be no more learners.
    TooManyLearners,
    /// The change would leave too few started voters for a quorum.
    NotEnoughStarted,
    /// Too few members are connected for such a change.
    Unhealthy,
    /// The node stops.
    Stopped,
}

impl Error {
    /// The message, byte for byte as etcd's clients compare it.
    pub fn message(&self) -> &'static str {
        match self {
            Error::Store(error) => error.message(),
            Error::NoLeader => "etcdserver: no leader",
            Error::LeaderChanged => "etcdserver: leader changed",
            Error::Timeout => "etcdserver: request timed out",
            Error::TimeoutLeaderFailure => "etcdserver: request timed out, possibly due to previous leader failure",
            Error::TooManyRequests => "etcdserver: too many requests",
            Error::TooLarge => "etcdserver: request is too large",
            Error::NotLeader => "etcdserver: not leader",
            Error::BadTransferee => "etcdserver: bad leader transferee",
            Error::TransferTimeout => "etcdserver: request timed out, leader transfer took too long",
            Error::Learner => "etcdserver: rpc not supported for learner",
            Error::MemberNotFound => "etcdserver: member not found",
            Error::MemberExists => "etcdserver: member ID already exist",
            Error::PeerUrlExists => "etcdserver: Peer URLs already exists",
            Error::BadPeerUrls => "etcdserver: given member URLs are invalid",
            Error::NotLearner => "etcdserver: can only promote a learner member",
            Error::LearnerNotReady => "etcdserver: can only promote a learner member which is in sync with leader",
            Error::TooManyLearners => "etcdserver: too many learner members in cluster",
            Error::NotEnoughStarted => "etcdserver: re-configuration failed due to not enough started members",
            Error::Unhealthy => "etcdserver: unhealthy cluster",
            Error::Stopped => "etcdserver: server stopped",
        }
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Error::Store(error) => error.code(),
            Error::NoLeader
            | Error::LeaderChanged
            | Error::Timeout
            | Error::TimeoutLeaderFailure
            | Error::Unhealthy
            | Error::Stopped => Code::Unavailable,
            Error::TooManyRequests => Code::ResourceExhausted,
            Error::TooLarge | Error::BadPeerUrls => Code::InvalidArgument,
            Error::TransferTimeout => Code::Unknown,
            Error::MemberNotFound => Code::NotFound,
            Error::NotLeader
            | Error::BadTransferee
            | Error::Learner
            | Error::MemberExists
            | Error::PeerUrlExists
            | Error::NotLearner
            | Error::LearnerNotReady
            | Error::TooManyLearners
            | Error::NotEnoughStarted => Code::FailedPrecondition,
        }
    }

    /// Whether the request certainly had no effect. After an indefinite error a write may have happened, or may happen
    /// later.
    pub fn is_definite(&self) -> bool {
        !matches!(
            self,
            Error::LeaderChanged
                | Error::Timeout
                | Error::TimeoutLeaderFailure
                | Error::TransferTimeout
                | Error::Stopped
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

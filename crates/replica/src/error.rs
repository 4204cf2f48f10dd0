//! Why a request is refused.

use core::fmt;
use volvox_store::Error as StoreError;

/// Why a request was refused. The words and numbers of a foreign protocol belong to its door.
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
    /// Every error of its own, for tables and tests; those of the store are listed there.
    pub const ALL: [Error; 19] = [
        Error::NoLeader,
        Error::LeaderChanged,
        Error::Timeout,
        Error::TimeoutLeaderFailure,
        Error::TooManyRequests,
        Error::TooLarge,
        Error::NotLeader,
        Error::BadTransferee,
        Error::TransferTimeout,
        Error::MemberNotFound,
        Error::MemberExists,
        Error::PeerUrlExists,
        Error::BadPeerUrls,
        Error::NotLearner,
        Error::LearnerNotReady,
        Error::TooManyLearners,
        Error::NotEnoughStarted,
        Error::Unhealthy,
        Error::Stopped,
    ];

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
        f.write_str(match self {
            Error::Store(error) => return write!(f, "{error}"),
            Error::NoLeader => "no leader is known",
            Error::LeaderChanged => "the leader changed",
            Error::Timeout => "timed out",
            Error::TimeoutLeaderFailure => "timed out, and a leader was lost meanwhile",
            Error::TooManyRequests => "too many requests",
            Error::TooLarge => "the request is too large",
            Error::NotLeader => "this member does not lead",
            Error::BadTransferee => "leadership cannot be transferred to that member",
            Error::TransferTimeout => "the transfer of leadership took too long",
            Error::MemberNotFound => "there is no such member",
            Error::MemberExists => "a member with this id exists",
            Error::PeerUrlExists => "another member has this peer URL",
            Error::BadPeerUrls => "a peer URL is invalid",
            Error::NotLearner => "the member is a voter already",
            Error::LearnerNotReady => "the learner lags too far behind",
            Error::TooManyLearners => "there may be no more learners",
            Error::NotEnoughStarted => "too few started voters would be left",
            Error::Unhealthy => "too few members are connected",
            Error::Stopped => "the node stops",
        })
    }
}

impl core::error::Error for Error {}

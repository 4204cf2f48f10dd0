//! One-line bugs for the sweep to find: each removes a rule of the paper.
//!
//! Without the feature `planted-bugs` the query [`is`] is a constant `false`, and the compiler removes its callers'
//! branches.

/// A removed rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Bug {
    /// A vote is sent before it is on the disk (Raft 5.2, figure 2).
    VoteNotSynced = 1,
    /// Entries are acknowledged before they are on the disk (Raft figure 2).
    AckBeforeFsync = 2,
    /// An entry of an earlier term is committed by counting replicas (Raft 5.4.2).
    OldTermCommittedByCounting = 3,
    /// A leader answers reads without asking whether it still is the leader (Raft 8).
    ReadWithoutConfirming = 4,
    /// A vote is given whatever the candidate's log holds (Raft 5.4.1).
    CandidateLogNotCompared = 5,
    /// A snapshot replaces a log that already reaches beyond it (Raft 7).
    SnapshotOverLongerLog = 6,
    /// A joint configuration is counted as one set of voters (Raft 6).
    JointQuorumAsOneMajority = 7,
}

/// All bugs, with their names.
pub const BUGS: [(&str, Bug); 7] = [
    ("vote-not-synced", Bug::VoteNotSynced),
    ("ack-before-fsync", Bug::AckBeforeFsync),
    ("old-term-committed-by-counting", Bug::OldTermCommittedByCounting),
    ("read-without-confirming", Bug::ReadWithoutConfirming),
    ("candidate-log-not-compared", Bug::CandidateLogNotCompared),
    ("snapshot-over-longer-log", Bug::SnapshotOverLongerLog),
    ("joint-quorum-as-one-majority", Bug::JointQuorumAsOneMajority),
];

#[cfg(feature = "planted-bugs")]
mod chosen {
    use super::Bug;
    use core::cell::Cell;

    extern crate std;

    // Per thread, since tests run in parallel.
    std::thread_local! {
        static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in every member that runs on this thread, or none.
    pub fn plant(bug: Option<Bug>) {
        CHOSEN.with(|chosen| chosen.set(bug));
    }

    /// Whether `bug` is planted on this thread.
    pub fn is(bug: Bug) -> bool {
        CHOSEN.with(|chosen| chosen.get() == Some(bug))
    }
}

#[cfg(feature = "planted-bugs")]
pub use chosen::{is, plant};

/// Whether `bug` is planted: never.
#[cfg(not(feature = "planted-bugs"))]
pub const fn is(_: Bug) -> bool {
    false
}

//! One-line bugs for the sweep to find: each removes a rule of the paper.
//!
//! Without the feature `planted-bugs` the query [`is`] is a constant `false`, and the compiler removes its callers'
//! branches.

volvox_core::planted_bugs! {
    /// A removed rule.
    pub enum Bug {
        /// A vote is sent before it is on the disk (Raft 5.2, figure 2).
        VoteNotSynced = "vote-not-synced",
        /// Entries are acknowledged before they are on the disk (Raft figure 2).
        AckBeforeFsync = "ack-before-fsync",
        /// An entry of an earlier term is committed by counting replicas (Raft 5.4.2).
        OldTermCommittedByCounting = "old-term-committed-by-counting",
        /// A leader answers reads without asking whether it still is the leader (Raft 8).
        ReadWithoutConfirming = "read-without-confirming",
        /// A vote is given whatever the candidate's log holds (Raft 5.4.1).
        CandidateLogNotCompared = "candidate-log-not-compared",
        /// A snapshot replaces a log that already reaches beyond it (Raft 7).
        SnapshotOverLongerLog = "snapshot-over-longer-log",
        /// A joint configuration is counted as one set of voters (Raft 6).
        JointQuorumAsOneMajority = "joint-quorum-as-one-majority",
    }
}

//! Bugs, one line each beside its rule, for the sweep to find. Without the feature `planted-bugs` the query is
//! constant at compile time, and nothing of them remains.

volvox_core::planted_bugs! {
    /// A bug that can be planted.
    pub enum Bug {
        /// A forwarded proposal is applied twice when its frame was duplicated.
        ForwardedAppliedTwice = "forwarded-applied-twice",
        /// A watcher behind the compaction point gets no error, and misses events.
        WatchGapAtCompaction = "watch-gap-at-compaction",
        /// A lease is renewed although its expiry was proposed.
        LeaseRevived = "lease-revived",
    }
}

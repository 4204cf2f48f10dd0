//! Bugs of this layer, one line each beside its rule, for the sweep to find. Without the feature `planted-bugs` the query is
//! constant at compile time, and nothing of them remains.

volvox_core::planted_bugs! {
    /// A bug that can be planted.
    pub enum Bug {
        /// A read-only transaction is answered without asking the leader as soon as one of its reads accepts that.
        TxnReadsOldState = "txn-reads-old-state",
        /// The next page of a long read begins with the last key of the page before.
        PageRepeatsAKey = "page-repeats-a-key",
    }
}

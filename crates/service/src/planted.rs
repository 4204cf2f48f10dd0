//! Bugs of this layer, one line each beside its rule, for the sweep to find. Without the feature `planted-bugs` the query is
//! constant at compile time, and nothing of them remains.

/// A bug that can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Bug {
    /// A read-only transaction is answered without asking the leader as soon as one of its reads accepts that.
    TxnReadsOldState = 1,
    /// The next page of a long read begins with the last key of the page before.
    PageRepeatsAKey = 2,
}

/// All bugs, with their names.
pub const BUGS: [(&str, Bug); 2] =
    [("txn-reads-old-state", Bug::TxnReadsOldState), ("page-repeats-a-key", Bug::PageRepeatsAKey)];

#[cfg(feature = "planted-bugs")]
mod chosen {
    use super::Bug;
    use core::cell::Cell;

    extern crate std;

    // Per thread, since tests run in parallel.
    std::thread_local! {
        static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in every service that runs on this thread, or none.
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

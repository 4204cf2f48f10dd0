//! Three bugs, one line each beside its rule, for the sweep to find. Without the feature `planted-bugs` the query is
//! constant at compile time, and nothing of them remains.

/// A bug that can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Bug {
    /// A forwarded proposal is applied twice when its frame was duplicated.
    ForwardedAppliedTwice = 1,
    /// A watcher behind the compaction point gets no error, and misses events.
    WatchGapAtCompaction = 2,
    /// A lease is renewed although its expiry was proposed.
    LeaseRevived = 3,
}

/// All bugs, with their names.
pub const BUGS: [(&str, Bug); 3] = [
    ("forwarded-applied-twice", Bug::ForwardedAppliedTwice),
    ("watch-gap-at-compaction", Bug::WatchGapAtCompaction),
    ("lease-revived", Bug::LeaseRevived),
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

    /// Plants a bug in every replica that runs on this thread, or none.
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

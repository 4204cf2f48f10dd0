//! `planted_bugs!`: the bugs of a crate that the sweep must find.

/// The bugs that can be planted in a crate, one line each beside its rule. Each is written once, with its name on the command
/// line. `is(bug)` asks on the thread of the caller; without the feature `planted-bugs` of the crate it is a constant `false`,
/// so that nothing of a bug remains in what is shipped.
///
/// ```
/// volvox_core::planted_bugs! {
///     /// A removed rule.
///     pub enum Bug {
///         /// A vote is sent before it is on the disk.
///         VoteNotSynced = "vote-not-synced",
///     }
/// }
///
/// assert_eq!(BUGS, [("vote-not-synced", Bug::VoteNotSynced)]);
/// assert!(!is(Bug::VoteNotSynced));
/// ```
#[macro_export]
macro_rules! planted_bugs {
    ($(#[$attribute:meta])* pub enum $bug:ident { $($(#[$note:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $bug {
            $($(#[$note])* $variant),+
        }

        /// All bugs, with their names.
        pub const BUGS: [(&str, $bug); [$($name),+].len()] = [$(($name, $bug::$variant)),+];

        #[cfg(feature = "planted-bugs")]
        mod chosen {
            use super::$bug;
            use core::cell::Cell;

            extern crate std;

            // Per thread, since tests run in parallel.
            std::thread_local! {
                static CHOSEN: Cell<Option<$bug>> = const { Cell::new(None) };
            }

            /// Plants a bug in everything of this crate that runs on this thread, or none.
            pub fn plant(bug: Option<$bug>) {
                CHOSEN.with(|chosen| chosen.set(bug));
            }

            /// Whether `bug` is planted on this thread.
            pub fn is(bug: $bug) -> bool {
                CHOSEN.with(|chosen| chosen.get() == Some(bug))
            }
        }

        #[cfg(feature = "planted-bugs")]
        pub use chosen::{is, plant};

        /// Whether `bug` is planted: never.
        #[cfg(not(feature = "planted-bugs"))]
        pub const fn is(_: $bug) -> bool {
            false
        }
    };
}

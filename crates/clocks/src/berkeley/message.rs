//! The messages, commands and events.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use volvox_core::{Serial, commands, payload};

/// The messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// From the master: what does your clock show?
    Poll(Serial),
    /// From a slave: the reading of its clock.
    Clock(Serial, i64),
    /// From the master: change your clock by this much. Never a time, which would be outdated on arrival.
    Adjust(Serial, i64),
}

payload! { Message: "message of the Berkeley algorithm";
    0 Poll(round)        => "Poll {round}",
    1 Clock(round, time) => ("Clock {round} {}", TimeOfDay(*time)),
    2 Adjust(round, by)  => ("Adjust {round} {}", Signed(*by)),
}

/// The timers of the master.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Until the next round.
    Next,
    /// For answers; later ones are not used.
    Close,
}

payload! { Timer; Next, Close }

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// On the master: begin a round now: `poll`.
    Poll,
    /// Show the clock: `show`.
    Show,
}

commands! { Command; Poll = "poll", Show = "show" }

/// The events of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The node started, and its clock shows this.
    Started(Reading),
    /// The node was asked for its clock, which shows this.
    Shows(Reading),
    /// An operator set the clock of its machine, and its own with it: its estimates are void.
    ClockSet {
        /// By how much.
        by_ns: i64,
        /// Its reading now.
        reading: Reading,
    },
    /// The master has computed the average.
    Averaged {
        /// The number of clocks that agree, including its own.
        of: usize,
        /// The number of clocks that answered.
        answered: usize,
        /// The lead of the average over its own clock.
        by_ns: i64,
    },
    /// The node's clock is being adjusted by this much, with its reading just before and just after.
    Adjusted {
        /// The delta.
        by_ns: i64,
        /// The reading before.
        before: Reading,
        /// The reading after.
        after: Reading,
    },
}

payload! { Event;
    Started(reading)                => "starts at {reading}",
    Shows(reading)                  => "shows {reading}",
    ClockSet { by_ns, reading } => ("finds its machine's clock set by {}", Signed(*by_ns)),
    Averaged { of, answered, by_ns } => ("average of {of} of {answered} clocks: {}", Signed(*by_ns)),
    Adjusted { by_ns, before, after } => ("adjusts by {}", Signed(*by_ns)),
}

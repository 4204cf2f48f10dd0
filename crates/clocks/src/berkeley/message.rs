//! What is sent, asked and told.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use volvox_core::{Serial, commands, payload};

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The master: what does your clock show?
    Poll(Serial),
    /// A slave: this.
    Clock(Serial, i64),
    /// The master: change it by this much. Never a time: that would be old on arrival.
    Adjust(Serial, i64),
}

payload! { Message: "message of the Berkeley algorithm";
    0 Poll(round)        => "Poll {round}",
    1 Clock(round, time) => ("Clock {round} {}", TimeOfDay(*time)),
    2 Adjust(round, by)  => ("Adjust {round} {}", Signed(*by)),
}

/// What is waited for, by the master.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Until the next round.
    Next,
    /// For answers: later ones are not used.
    Close,
}

payload! { Timer; Next, Close }

/// What is asked of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Of the master: begin a round now: `poll`.
    Poll,
    /// Show the clock: `show`.
    Show,
}

commands! { Command; Poll = "poll", Show = "show" }

/// What a node tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// It started, and its clock shows this.
    Started(Reading),
    /// It was asked for its clock.
    Shows(Reading),
    /// The master has made its average.
    Averaged {
        /// Of how many clocks that agree, its own included.
        of: usize,
        /// Out of how many.
        answered: usize,
        /// How far the average is ahead of its own clock.
        by_ns: i64,
    },
    /// Its clock is being set by this much: what it showed just before and just after.
    Adjusted {
        /// The delta.
        by_ns: i64,
        /// Before.
        before: Reading,
        /// After.
        after: Reading,
    },
}

payload! { Event;
    Started(reading)                => "starts at {reading}",
    Shows(reading)                  => "shows {reading}",
    Averaged { of, answered, by_ns } => ("average of {of} of {answered} clocks: {}", Signed(*by_ns)),
    Adjusted { by_ns, before, after } => ("adjusts by {}", Signed(*by_ns)),
}

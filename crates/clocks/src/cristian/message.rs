//! The messages, commands and events.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use core::fmt;
use volvox_core::{Duration, NodeId, Serial, commands, payload};

/// The messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// What time is it?
    Request {
        /// Identifies the request forever.
        number: Serial,
    },
    /// The reply.
    Reply {
        /// The number of the request.
        number: Serial,
        /// C: the server's clock when this left.
        time: i64,
        /// I: how long the request waited at the server, in nanoseconds.
        handling: u64,
    },
}

payload! { Message: "message of Cristian's algorithm";
    0 Request { number }               => "Request #{number}",
    1 Reply { number, time, handling } => ("Reply #{number} {}{}", TimeOfDay(*time), Held(*handling)),
}

/// How long a request waited at the server, unless it was answered at once.
struct Held(u64);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " held {:?}", Duration::from_nanos(self.0)) }
    }
}

/// The timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// For a usable answer.
    Try,
    /// For the next synchronisation.
    Again,
    /// On the server: until the request of this client is handled.
    Handled(NodeId),
}

payload! { Timer; Try, Again, Handled(client) }

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Synchronise now: `sync`.
    Sync,
    /// Show the clock: `show`.
    Show,
}

commands! { Command; Sync = "sync", Show = "show" }

/// The events of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The node started, and its clock shows this.
    Started(Reading),
    /// The node was asked for its clock, which shows this.
    Shows(Reading),
    /// The node's clock is being adjusted by this much, with its reading just before and just after.
    Adjusted {
        /// The offset.
        by_ns: i64,
        /// The round trip of the estimate, without the handling.
        round_trip: Duration,
        /// The reading before.
        before: Reading,
        /// The reading after.
        after: Reading,
    },
    /// An operator set the clock of its machine, and its own with it: its estimates are void.
    ClockSet {
        /// By how much.
        by_ns: i64,
        /// Its reading now.
        reading: Reading,
    },
    /// The node asked as often as it may, and got no usable answer.
    NoContact,
}

payload! { Event;
    Started(reading) => "starts at {reading}",
    Shows(reading)   => "shows {reading}",
    Adjusted { by_ns, round_trip, before, after } =>
        ("adjusts by {} after a round trip of {round_trip:?}", Signed(*by_ns)),
    ClockSet { by_ns, reading } => ("finds its machine's clock set by {}", Signed(*by_ns)),
    NoContact        => "made no contact",
}

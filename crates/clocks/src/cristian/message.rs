//! The messages, commands and events.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use core::fmt;
use volvox_core::{Duration, NodeId, Serial, commands, payload};

/// The messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// What time is it?
    Request {
        /// Names the request forever.
        number: Serial,
    },
    /// It is this time.
    Reply {
        /// The number of the request.
        number: Serial,
        /// C: the server's clock when this left.
        time: i64,
        /// I: how long the request lay at the server, in nanoseconds.
        handling: u64,
    },
}

payload! { Message: "message of Cristian's algorithm";
    0 Request { number }               => "Request #{number}",
    1 Reply { number, time, handling } => ("Reply #{number} {}{}", TimeOfDay(*time), Held(*handling)),
}

/// How long a request lay at the server, unless it was answered at once.
struct Held(u64);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " held {:?}", Duration::from_nanos(self.0)) }
    }
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// For an answer that can be used.
    Try,
    /// For the next synchronisation.
    Again,
    /// Of the server: until the request of this client is handled.
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
    /// It started, and its clock shows this.
    Started(Reading),
    /// It was asked for its clock.
    Shows(Reading),
    /// Its clock is being set by this much: what it showed just before and just after.
    Adjusted {
        /// The offset.
        by_ns: i64,
        /// The round trip that it was estimated from, without the handling.
        round_trip: Duration,
        /// Before.
        before: Reading,
        /// After.
        after: Reading,
    },
    /// It asked as often as it may, and there was no answer that it could use.
    NoContact,
}

payload! { Event;
    Started(reading) => "starts at {reading}",
    Shows(reading)   => "shows {reading}",
    Adjusted { by_ns, round_trip, before, after } =>
        ("adjusts by {} after a round trip of {round_trip:?}", Signed(*by_ns)),
    NoContact        => "made no contact",
}

//! The messages, commands and events of the nodes of a world. A foreign server receives a [`Packet`](super::Packet)
//! with the same four times.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use volvox_core::{commands, payload};

/// The messages between nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// What time is it? With T1, by the machine's own clock: the server returns it unchanged, which identifies the
    /// answer.
    Request {
        /// When the client sent it.
        t1: i64,
    },
    /// The response.
    Response {
        /// T1, as the client sent it (the origin timestamp).
        t1: i64,
        /// When the request arrived, by the server's clock.
        t2: i64,
        /// When this leaves, by the server's clock.
        t3: i64,
    },
}

payload! { Message: "message of NTP";
    0 Request { t1 }          => ("Request T1={}", TimeOfDay(*t1)),
    1 Response { t1, t2, t3 } => ("Response T2={} T3={}", TimeOfDay(*t2), TimeOfDay(*t3)),
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// A client asks again.
    Poll,
}

payload! { Timer; Poll }

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// On a client: ask all servers now.
    Poll,
    /// Show the clock.
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
    /// The client chose an offset from the answers of the servers, and slews its clock by it.
    Slewed {
        /// The offset.
        by_ns: i64,
        /// The number of servers from which it was chosen.
        survivors: usize,
        /// The number of servers that answered.
        heard: usize,
        /// The clock's reading just before.
        before: Reading,
        /// The reading just after.
        after: Reading,
    },
    /// A large offset has lasted, and the clock was stepped.
    Stepped {
        /// The offset.
        by_ns: i64,
        /// The clock's reading just after.
        after: Reading,
    },
    /// No majority of the servers agrees.
    NoMajority {
        /// The number of servers that answered.
        heard: usize,
    },
    /// An implausible offset: an operator must look at it.
    Panicked {
        /// The offset.
        by_ns: i64,
    },
}

payload! { Event;
    Started(reading)         => "starts at {reading}",
    Shows(reading)           => "shows {reading}",
    ClockSet { by_ns, reading } => ("finds its machine's clock set by {}", Signed(*by_ns)),
    Slewed { by_ns, survivors, heard, before, after } =>
        ("slews by {} on the word of {survivors} of {heard}", Signed(*by_ns)),
    Stepped { by_ns, after } => ("steps by {}", Signed(*by_ns)),
    NoMajority { heard }     => "no majority among {heard}",
    Panicked { by_ns }       => ("does not believe {}", Signed(*by_ns)),
}

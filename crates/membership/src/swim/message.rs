//! The messages, commands and events.

use super::MEMBERS_MAX;
use super::standing::{Standing, Update};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{NodeId, commands, payload};

/// The most updates that one message may carry.
pub const UPDATES_MAX: usize = 16;

/// The messages between members.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Are you alive?
    Ping {
        /// The origin: the sender, or a member that asked the sender to ping.
        origin: NodeId,
        /// The origin's number for this probe.
        number: u32,
        /// The updates that the sender spreads.
        updates: Vec<Update>,
    },
    /// Ping the target for me.
    PingReq {
        /// The member to ping.
        target: NodeId,
        /// The sender's number for this probe.
        number: u32,
        /// The updates that the sender spreads.
        updates: Vec<Update>,
    },
    /// The member is alive.
    Ack {
        /// The member that is alive.
        about: NodeId,
        /// The origin of the probe.
        origin: NodeId,
        /// The origin's number for this probe.
        number: u32,
        /// The updates that the sender spreads.
        updates: Vec<Update>,
    },
    /// Admit me: this is my standing.
    Join(Standing),
    /// All members that the contact knows.
    Members(Vec<Update>),
    /// Updates by themselves.
    News(Vec<Update>),
}

payload! { Message: "message of SWIM";
    0 Ping { origin, number, updates <= UPDATES_MAX }       => ("Ping {number}{}", List(updates)),
    1 PingReq { target, number, updates <= UPDATES_MAX }    => ("PingReq {number} {target}{}", List(updates)),
    2 Ack { about, origin, number, updates <= UPDATES_MAX } => ("Ack {number} {about}{}", List(updates)),
    3 Join(standing)                                        => "Join {standing}",
    4 Members(members <= MEMBERS_MAX)                       => ("Members {}", members.len()),
    5 News(updates <= UPDATES_MAX)                          => ("News{}", List(updates)),
}

impl Message {
    /// The updates that the message carries.
    pub fn updates(&self) -> &[Update] {
        match self {
            Message::Ping { updates, .. } | Message::PingReq { updates, .. } | Message::Ack { updates, .. } => updates,
            Message::Members(updates) | Message::News(updates) => updates,
            Message::Join(_) => &[],
        }
    }
}

/// The form of the updates of a message in a trace: `, n2 alive 1, n3 faulty`.
struct List<'a>(&'a [Update]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|update| write!(f, ", {update}"))
    }
}

/// The timers of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The protocol period is over.
    Period,
    /// No ack came in time.
    Ack,
    /// The suspect has not refuted.
    Suspicion(NodeId),
}

payload! { Timer; Period, Ack, Suspicion(member) }

/// The commands to a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Leave the group, and inform the others.
    Leave,
}

commands! { Command; Leave = "leave" }

/// The events of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The member's statement about itself: at its start, and whenever it refutes or rejoins.
    Announces(Standing),
    /// The member's new belief about another member.
    Believes(Update),
    /// The member is out: it left, or was declared faulty and does not rejoin.
    Out,
}

payload! { Event;
    Announces(standing) => "is {standing}",
    Believes(update)    => "believes {update}",
    Out                 => "out",
}

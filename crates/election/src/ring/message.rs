//! The messages, records and events.

use super::RING_MAX;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{NodeId, payload};

/// The name of an election: the first that node 1 began prints as `1.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Election {
    /// The node that began it.
    pub initiator: NodeId,
    /// The number among its elections, from 1.
    pub number: u64,
}

payload! { struct Election { initiator, number } => ("{}.{number}", initiator.0) }

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the two rounds of an election.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Round {
    /// The list is collected.
    Election,
    /// The result is announced.
    Coordinator,
}

payload! { Round: "round of an election"; 0 Election, 1 Coordinator }

/// The messages between nodes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The first round.
    Election {
        /// The election.
        election: Election,
        /// The nodes that the list has visited.
        list: Vec<NodeId>,
    },
    /// The second round.
    Coordinator {
        /// The election.
        election: Election,
        /// The leader.
        leader: NodeId,
        /// The nodes that are alive.
        list: Vec<NodeId>,
    },
    /// The predecessor need not try another successor.
    Ack {
        /// The election.
        election: Election,
        /// The round.
        round: Round,
    },
}

payload! { Message: "message of the ring election";
    0 Election { election, list <= RING_MAX }            => ("Election {election} {}", List(list)),
    1 Coordinator { election, leader, list <= RING_MAX } => ("Coordinator {election} {leader} {}", List(list)),
    2 Ack { election, round }                            => "Ack {election}",
}

impl Message {
    /// The election and round to which it belongs.
    pub(super) fn key(&self) -> (Election, Round) {
        match self {
            Message::Election { election, .. } => (*election, Round::Election),
            Message::Coordinator { election, .. } => (*election, Round::Coordinator),
            Message::Ack { election, round } => (*election, *round),
        }
    }
}

/// The form of a list in a trace: `[1 2 3]`.
struct List<'a>(&'a [NodeId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, node) in self.0.iter().enumerate() {
            write!(f, "{}{}", if place == 0 { "" } else { " " }, node.0)?;
        }
        f.write_str("]")
    }
}

/// The record: this election, and all before it, were begun here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    /// Its number.
    pub number: u64,
}

payload! { struct Record { number } as "Begun" => "begun {number}" }

/// A node's event: an election has a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// The election.
    pub election: Election,
    /// The leader.
    pub leader: NodeId,
}

payload! { struct Event { election, leader } as "Elected" => "elected {leader} by {election}" }

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The acknowledgement of the successor would have arrived.
    Ack(Election, Round),
    /// The round would be complete.
    Round,
}

payload! { Timer; Ack(election, round), Round }

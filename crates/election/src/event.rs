//! What is asked of a node and what it tells, the same for all elections.

use core::fmt;
use core::str::FromStr;
use volvox_core::NodeId;

/// What is asked of a node from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// The leader is suspected here: what a failure detector would say. Who notices is no part of an election.
    Suspect,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("suspect")
    }
}

impl FromStr for Command {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Command, &'static str> {
        if text.trim() == "suspect" { Ok(Command::Suspect) } else { Err("expected suspect") }
    }
}

/// What a node tells the outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// This node leads.
    Leads,
    /// For this node, that one leads.
    Follows(NodeId),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Leads => f.write_str("leads"),
            Event::Follows(leader) => write!(f, "follows {leader}"),
        }
    }
}

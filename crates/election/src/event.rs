//! What a node is asked and what it tells, the same for all elections.

use volvox_core::{NodeId, commands, payload};

/// What a node is asked from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// This node suspects the leader: what a failure detector would say. How it notices is no part of an election.
    Suspect,
}

commands! { Command; Suspect = "suspect" }

/// What a node tells the outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// This node leads.
    Leads,
    /// This node follows that one.
    Follows(NodeId),
}

payload! { Event;
    Leads           => "leads",
    Follows(leader) => "follows {leader}",
}

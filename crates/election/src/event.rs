//! The commands and events of a node, the same for all elections.

use volvox_core::{NodeId, commands, payload};

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// This node suspects the leader: the output of a failure detector, which is not part of an election.
    Suspect,
}

commands! { Command; Suspect = "suspect" }

/// The events of a node.
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

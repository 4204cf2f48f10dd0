//! The properties of the algorithm of Chang and Roberts.

use super::{ChangRoberts, Event};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The leader that each node announced last.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    announced: BTreeMap<NodeId, NodeId>,
}

impl volvox_core::History<ChangRoberts> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        let leader = match event {
            Event::Leads => node,
            Event::Follows(leader) => *leader,
        };
        self.announced.insert(node, leader);
    }
}

/// The properties.
pub fn properties() -> Vec<Property<ChangRoberts, History>> {
    vec![
        Property {
            name: "agreement",
            source: "Chang and Roberts 1979, section 3",
            when: When::Always,
            holds: agreement,
        },
        Property {
            name: "integrity",
            source: "Chang and Roberts 1979, section 3",
            when: When::Always,
            holds: integrity,
        },
        Property {
            name: "termination",
            source: "Chang and Roberts 1979, section 3",
            when: When::AtEnd,
            holds: termination,
        },
    ]
}

fn highest(picture: &Picture<'_, ChangRoberts, History>) -> Option<NodeId> {
    picture.nodes.iter().map(|(id, _)| *id).max()
}

/// No node believes any but the highest to be the leader.
fn agreement(picture: &Picture<'_, ChangRoberts, History>) -> Result<(), String> {
    let Some(highest) = highest(picture) else { return Ok(()) };
    for (id, node) in picture.nodes {
        if let Some(leader) = node.leader().filter(|leader| *leader < highest) {
            return Err(format!("{id} believes that {leader} leads, but {highest} is higher"));
        }
    }
    Ok(())
}

/// A node that knows the leader has announced it.
fn integrity(picture: &Picture<'_, ChangRoberts, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        if let Some(leader) = node.leader().filter(|leader| picture.history.announced.get(id) != Some(leader)) {
            return Err(format!("{id} knows that {leader} leads, and has not announced it"));
        }
    }
    Ok(())
}

/// Once any node has begun, all eventually know the highest.
fn termination(picture: &Picture<'_, ChangRoberts, History>) -> Result<(), String> {
    let Some(highest) = highest(picture) else { return Ok(()) };
    if !picture.nodes.iter().any(|(_, node)| node.participates() || node.leader().is_some()) {
        return Ok(());
    }
    for (id, node) in picture.nodes {
        if node.participates() {
            return Err(format!("{id} still takes part"));
        }
        if node.leader() != Some(highest) {
            return Err(format!("{id} does not know that {highest} leads"));
        }
    }
    Ok(())
}

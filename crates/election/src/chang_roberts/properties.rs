//! What must hold of the algorithm of Chang and Roberts.

use super::ChangRoberts;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// What must hold.
pub fn properties() -> Vec<Property<ChangRoberts, ()>> {
    vec![
        Property {
            name: "agreement",
            source: "Chang and Roberts 1979, section 3",
            when: When::Always,
            holds: agreement,
        },
        Property {
            name: "termination",
            source: "Chang and Roberts 1979, section 3",
            when: When::AtEnd,
            holds: termination,
        },
    ]
}

fn highest(picture: &Picture<'_, ChangRoberts, ()>) -> Option<NodeId> {
    picture.nodes.iter().map(|(id, _)| *id).max()
}

/// No node takes any but the highest for the leader.
fn agreement(picture: &Picture<'_, ChangRoberts, ()>) -> Result<(), String> {
    let Some(highest) = highest(picture) else { return Ok(()) };
    for (id, node) in picture.nodes {
        if let Some(leader) = node.leader().filter(|leader| *leader < highest) {
            return Err(format!("{id} takes {leader} for the leader, but {highest} is higher"));
        }
    }
    Ok(())
}

/// Once any node has begun, all know the highest in the end.
fn termination(picture: &Picture<'_, ChangRoberts, ()>) -> Result<(), String> {
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

//! The properties of the algorithm of Chang and Roberts.

use super::ChangRoberts;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The properties.
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

/// No node believes any but the highest to be the leader.
fn agreement(picture: &Picture<'_, ChangRoberts, ()>) -> Result<(), String> {
    let Some(highest) = highest(picture) else { return Ok(()) };
    for (id, node) in picture.nodes {
        if let Some(leader) = node.leader().filter(|leader| *leader < highest) {
            return Err(format!("{id} believes that {leader} leads, but {highest} is higher"));
        }
    }
    Ok(())
}

/// Once any node has begun, all eventually know the highest.
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

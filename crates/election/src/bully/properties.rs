//! The properties of the bully algorithm.

use super::Bully;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The properties.
pub fn properties() -> Vec<Property<Bully, ()>> {
    vec![
        Property {
            name: "at most one leader",
            source: "Garcia-Molina 1982, assertion 1",
            when: When::Always,
            holds: at_most_one_leader,
        },
        Property {
            name: "termination",
            source: "Garcia-Molina 1982, assertion 2",
            when: When::AtEnd,
            holds: termination,
        },
    ]
}

fn leaders<'a>(picture: &'a Picture<'_, Bully, ()>) -> impl Iterator<Item = NodeId> + 'a {
    picture.nodes.iter().filter(|(_, node)| node.is_leading()).map(|(id, _)| *id)
}

fn at_most_one_leader(picture: &Picture<'_, Bully, ()>) -> Result<(), String> {
    let mut leaders = leaders(picture);
    match (leaders.next(), leaders.next()) {
        (Some(one), Some(other)) => Err(format!("{one} and {other} both lead")),
        _ => Ok(()),
    }
}

/// Eventually one node leads, and all others that are up follow it.
fn termination(picture: &Picture<'_, Bully, ()>) -> Result<(), String> {
    let Some(leader) = leaders(picture).next() else {
        return if picture.nodes.is_empty() { Ok(()) } else { Err(String::from("no node leads")) };
    };
    for (id, node) in picture.nodes {
        match node.leader() {
            Some(known) if known == leader => {}
            Some(other) => return Err(format!("{id} follows {other}, but {leader} leads")),
            None => return Err(format!("{id} follows no node, but {leader} leads")),
        }
    }
    Ok(())
}

//! The properties of the election on a ring.

use super::{Election, Event, Ring};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The result of each election, and the first election that had two.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    leaders: BTreeMap<Election, NodeId>,
    differs: Option<(Election, NodeId, NodeId)>,
}

impl volvox_core::History<Ring> for History {
    fn on_event(&mut self, _: NodeId, event: &Event) {
        let known = *self.leaders.entry(event.election).or_insert(event.leader);
        if known != event.leader {
            self.differs = Some((event.election, known, event.leader));
        }
    }
}

/// The properties.
pub fn properties() -> Vec<Property<Ring, History>> {
    vec![
        Property {
            name: "agreement",
            source: "Coulouris and others 2011, 15.3, E1",
            when: When::Always,
            holds: |picture| match picture.history.differs {
                Some((election, one, other)) => Err(format!("election {election} elected both {one} and {other}")),
                None => Ok(()),
            },
        },
        Property {
            name: "termination",
            source: "Coulouris and others 2011, 15.3, E2",
            when: When::AtEnd,
            holds: termination,
        },
    ]
}

/// Eventually all nodes that are up follow one of them.
fn termination(picture: &Picture<'_, Ring, History>) -> Result<(), String> {
    let Some((first, node)) = picture.nodes.first() else { return Ok(()) };
    let Some(leader) = node.leader() else { return Err(format!("{first} knows no leader")) };
    if !picture.nodes.iter().any(|(id, _)| *id == leader) {
        return Err(format!("{first} follows {leader}, which is dead"));
    }
    for (id, node) in picture.nodes {
        match node.leader() {
            Some(other) if other == leader => {}
            Some(other) => return Err(format!("{id} follows {other}, but {first} follows {leader}")),
            None => return Err(format!("{id} knows no leader, but {first} follows {leader}")),
        }
    }
    Ok(())
}

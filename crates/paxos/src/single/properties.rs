//! The properties, in one place for every world: consensus, and the memory of an acceptor.

use super::message::{Event, Value};
use super::process::Paxos;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Property, When};

/// The values that were proposed, and those that were learned.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    /// All proposals.
    pub proposed: BTreeSet<Value>,
    /// All values that some process learned to be chosen.
    pub chosen: BTreeSet<Value>,
}

impl volvox_core::History<Paxos> for History {
    fn on_event(&mut self, _: NodeId, event: &Event) {
        match event {
            Event::Proposed(value) => self.proposed.insert(*value),
            Event::Chosen(value) => self.chosen.insert(*value),
        };
    }
}

/// The properties of single-decree Paxos.
pub fn properties() -> Vec<Property<Paxos, History>> {
    vec![
        Property { name: "agreement", source: "Paxos Made Simple, 2.1", when: When::Always, holds: agreement },
        Property { name: "validity", source: "Paxos Made Simple, 2.1", when: When::Always, holds: validity },
        Property {
            name: "an acceptance is a promise",
            source: "Paxos Made Simple, 2.2 (P1a)",
            when: When::Always,
            holds: acceptance_is_a_promise,
        },
        Property {
            name: "termination",
            source: "Paxos Made Simple, 2.4 (progress); CON-03",
            when: When::AtEnd,
            holds: termination,
        },
    ]
}

/// Only a single value is chosen.
fn agreement(picture: &Picture<'_, Paxos, History>) -> Result<(), String> {
    let mut chosen = picture.history.chosen.iter();
    match (chosen.next(), chosen.next()) {
        (Some(one), Some(other)) => Err(format!("both {one} and {other} were learned to be chosen")),
        _ => Ok(()),
    }
}

/// Only a proposed value is chosen.
fn validity(picture: &Picture<'_, Paxos, History>) -> Result<(), String> {
    let History { proposed, chosen } = picture.history;
    match chosen.difference(proposed).next() {
        None => Ok(()),
        Some(value) => Err(format!("{value} was chosen, but no process proposed it")),
    }
}

/// No acceptor has accepted a ballot that it has not also promised: it could accept an older one afterwards.
fn acceptance_is_a_promise(picture: &Picture<'_, Paxos, History>) -> Result<(), String> {
    for (id, node) in picture.nodes {
        let acceptor = node.acceptor();
        if let Some((accepted, _)) = acceptor.accepted
            && acceptor.promised < Some(accepted)
        {
            return Err(format!("{id} accepted {accepted} and may still accept an older ballot"));
        }
    }
    Ok(())
}

/// Every process that proposes a value, and is up, eventually learns what was chosen.
fn termination(picture: &Picture<'_, Paxos, History>) -> Result<(), String> {
    match picture.nodes.iter().find(|(_, node)| node.wish().is_some() && node.chosen().is_none()) {
        None => Ok(()),
        Some((id, node)) => {
            Err(format!("{id} proposed {} and never learned what was chosen", node.wish().map_or(0, |value| value.0)))
        }
    }
}

//! What must hold, in one place for every world: consensus, and what an acceptor may not forget.

use super::message::{Event, Value};
use super::process::Paxos;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{History, NodeId, Picture, Property, When};

/// What was proposed, and what anybody learned.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Told {
    /// All proposals.
    pub proposed: BTreeSet<Value>,
    /// All values that somebody learned to be chosen.
    pub chosen: BTreeSet<Value>,
}

impl History<Paxos> for Told {
    fn on_event(&mut self, _: NodeId, event: &Event) {
        match event {
            Event::Proposed(value) => self.proposed.insert(*value),
            Event::Chosen(value) => self.chosen.insert(*value),
        };
    }
}

/// What must hold of single-decree Paxos.
pub fn properties() -> Vec<Property<Paxos, Told>> {
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
            name: "who wishes learns",
            source: "Paxos Made Simple, 2.4 (progress); CON-03",
            when: When::AtEnd,
            holds: who_wishes_learns,
        },
    ]
}

/// Only a single value is chosen.
fn agreement(picture: &Picture<'_, Paxos, Told>) -> Result<(), String> {
    match picture.history.chosen.len() {
        0 | 1 => Ok(()),
        _ => Err(format!("chosen were {:?}", picture.history.chosen)),
    }
}

/// Only a value that was proposed is chosen.
fn validity(picture: &Picture<'_, Paxos, Told>) -> Result<(), String> {
    let Told { proposed, chosen } = picture.history;
    match chosen.difference(proposed).next() {
        None => Ok(()),
        Some(value) => Err(format!("{value} was chosen, and proposed by nobody")),
    }
}

/// No acceptor has accepted a ballot that it has not promised as well: an older one could be accepted after it.
fn acceptance_is_a_promise(picture: &Picture<'_, Paxos, Told>) -> Result<(), String> {
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

fn who_wishes_learns(picture: &Picture<'_, Paxos, Told>) -> Result<(), String> {
    match picture.nodes.iter().find(|(_, node)| node.wish().is_some() && node.chosen().is_none()) {
        None => Ok(()),
        Some((id, node)) => Err(format!("{id} still waits for its {}", node.wish().map_or(0, |value| value.0))),
    }
}

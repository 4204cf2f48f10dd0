//! The properties, judged by the events alone, so that they are the same with and without a channel.

use super::{Event, Stamp};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Process, Property, When};

/// The history of multicasts and deliveries.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    /// The longest sequence that any process delivered.
    sequence: Vec<Stamp>,
    /// The place of each process in it.
    delivered: BTreeMap<NodeId, usize>,
    /// How many messages the sender of each message had delivered before it, and how many it had multicast.
    multicast: BTreeMap<Stamp, (usize, usize)>,
    /// The process that delivered, at this place, a message other than the one in the sequence.
    other_order: Option<(NodeId, usize, Stamp)>,
    /// The process that delivered a message that was never multicast, or that it had already delivered.
    not_once: Option<(NodeId, Stamp)>,
    /// The process that delivered a message before one that it depends on.
    before_its_cause: Option<(NodeId, Stamp)>,
}

impl<P: Process<Event = Event>> volvox_core::History<P> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Multicast { stamp, .. } => {
                let before = self.delivered.get(&node).copied().unwrap_or(0);
                let own = self.multicast.keys().filter(|other| other.process == node).count();
                self.multicast.insert(*stamp, (before, own));
            }
            Event::Delivered { stamp, .. } => self.on_delivered(node, *stamp),
        }
    }
}

impl History {
    /// The number of messages multicast.
    pub fn multicasts(&self) -> usize {
        self.multicast.len()
    }

    /// The number of messages that a process delivered.
    pub fn delivered(&self, node: NodeId) -> usize {
        self.delivered.get(&node).copied().unwrap_or(0)
    }

    fn on_delivered(&mut self, node: NodeId, stamp: Stamp) {
        let place = self.delivered.entry(node).or_default();
        let (at, before) = (*place, &self.sequence[..*place]);
        *place += 1;
        match self.multicast.get(&stamp) {
            Some(_) if before.contains(&stamp) => self.not_once = Some((node, stamp)),
            None => self.not_once = Some((node, stamp)),
            Some((causes, own)) => {
                // The sender had delivered the first `causes` of the sequence, and multicast `own` itself.
                let own_before = before.iter().filter(|other| other.process == stamp.process).count();
                if at < *causes || own_before < *own {
                    self.before_its_cause = Some((node, stamp));
                }
            }
        }
        match self.sequence.get(at) {
            None => self.sequence.push(stamp),
            Some(agreed) if *agreed == stamp => {}
            Some(_) => self.other_order = Some((node, at, stamp)),
        }
    }
}

/// The properties of the protocol, with or without a channel.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, History>> {
    vec![
        Property { name: "total order", source: "Lamport 1978; ORD-03", when: When::Always, holds: total_order },
        Property { name: "integrity", source: "ORD-03", when: When::Always, holds: integrity },
        Property { name: "causal order", source: "ORD-03", when: When::Always, holds: causal_order },
        Property { name: "validity", source: "ORD-03", when: When::AtEnd, holds: validity },
    ]
}

/// All processes deliver the same messages in the same order, up to the point that each has reached.
fn total_order<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.other_order {
        None => Ok(()),
        Some((node, at, stamp)) => {
            let agreed = picture.history.sequence[at];
            Err(format!("{node} delivered {stamp} as number {}, where another process delivered {agreed}", at + 1))
        }
    }
}

/// Every process delivers a message at most once, and only if it was multicast.
fn integrity<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.not_once {
        None => Ok(()),
        Some((node, stamp)) if picture.history.multicast.contains_key(&stamp) => {
            Err(format!("{node} delivered {stamp} twice"))
        }
        Some((node, stamp)) => Err(format!("{node} delivered {stamp}, which no process multicast")),
    }
}

/// No process delivers a message before one that its sender had delivered or multicast before it.
fn causal_order<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.before_its_cause {
        None => Ok(()),
        Some((node, stamp)) => Err(format!("{node} delivered {stamp} before a message that its sender had seen")),
    }
}

/// Every process eventually delivers every message that was multicast.
fn validity<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let wanted = picture.history.multicasts();
    for (node, _) in picture.nodes {
        let delivered = picture.history.delivered(*node);
        if delivered != wanted {
            return Err(format!("{node} delivered {delivered} of {wanted} messages"));
        }
    }
    Ok(())
}

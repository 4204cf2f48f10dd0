//! What must hold, told from the events alone: so it is the same over a channel and without.

use super::{Stamp, Told};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{History, NodeId, Picture, Process, Property, When};

/// What was multicast and delivered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Deliveries {
    /// The longest sequence that anybody delivered.
    sequence: Vec<Stamp>,
    /// How far each process is in it.
    delivered: BTreeMap<NodeId, usize>,
    /// What was multicast: how much its sender had delivered before, and how much it had multicast.
    multicast: BTreeMap<Stamp, (usize, usize)>,
    /// Who delivered, at which place, something else than the sequence says.
    other_order: Option<(NodeId, usize, Stamp)>,
    /// Who delivered what nobody had multicast, or what it had delivered before.
    not_once: Option<(NodeId, Stamp)>,
    /// Who delivered what before something that it depends on.
    before_its_cause: Option<(NodeId, Stamp)>,
}

impl<P: Process<Event = Told>> History<P> for Deliveries {
    fn on_event(&mut self, node: NodeId, event: &Told) {
        match event {
            Told::Multicast { stamp, .. } => {
                let before = self.delivered.get(&node).copied().unwrap_or(0);
                let own = self.multicast.keys().filter(|other| other.process == node).count();
                self.multicast.insert(*stamp, (before, own));
            }
            Told::Delivered { stamp, .. } => self.on_delivered(node, *stamp),
        }
    }
}

impl Deliveries {
    /// How many messages were multicast.
    pub fn multicasts(&self) -> usize {
        self.multicast.len()
    }

    /// How many messages a process delivered.
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

/// What must hold of the protocol, over a channel or not.
pub fn properties<P: Process<Event = Told>>() -> Vec<Property<P, Deliveries>> {
    vec![
        Property { name: "one order", source: "Lamport 1978; ORD-03", when: When::Always, holds: one_order },
        Property { name: "each message once", source: "ORD-03", when: When::Always, holds: once },
        Property { name: "causes first", source: "ORD-03", when: When::Always, holds: causes_first },
        Property { name: "all delivered everywhere", source: "ORD-03", when: When::AtEnd, holds: all_delivered },
    ]
}

fn one_order<P>(picture: &Picture<'_, P, Deliveries>) -> Result<(), String> {
    match picture.history.other_order {
        None => Ok(()),
        Some((node, at, stamp)) => {
            let agreed = picture.history.sequence[at];
            Err(format!("{node} delivers {stamp} as number {}, where somebody delivered {agreed}", at + 1))
        }
    }
}

fn once<P>(picture: &Picture<'_, P, Deliveries>) -> Result<(), String> {
    match picture.history.not_once {
        None => Ok(()),
        Some((node, stamp)) => Err(format!("{node} delivers {stamp} twice, or nobody multicast it")),
    }
}

fn causes_first<P>(picture: &Picture<'_, P, Deliveries>) -> Result<(), String> {
    match picture.history.before_its_cause {
        None => Ok(()),
        Some((node, stamp)) => Err(format!("{node} delivers {stamp} before what its sender had seen")),
    }
}

fn all_delivered<P>(picture: &Picture<'_, P, Deliveries>) -> Result<(), String> {
    let wanted = picture.history.multicasts();
    for (node, _) in picture.nodes {
        let delivered = picture.history.delivered(*node);
        if delivered != wanted {
            return Err(format!("{node} delivered {delivered} of {wanted} messages"));
        }
    }
    Ok(())
}

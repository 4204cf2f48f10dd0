//! The properties of leases.

use super::{Event, Leases};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Process, Property, When};

/// The nodes that hold the lease, those that want it, and the writes that the store took.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    holders: BTreeSet<NodeId>,
    waiting: BTreeSet<NodeId>,
    /// The greatest token whose write was stored.
    stored: u64,
    /// The token of a write that was stored after one of a later holder.
    late: Option<u64>,
    /// The token of a write that was refused although no later holder had written.
    refused: Option<u64>,
    /// The token under which the lease was last acquired, and by which node; no node once that boot is over.
    last: (u64, Option<NodeId>),
    /// A token under which the lease was acquired after a later one, or in two boots.
    reused: Option<u64>,
}

impl<P: Process<Event = Event>> volvox_core::History<P> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Asked => {
                self.waiting.insert(node);
            }
            Event::Acquired { token } => {
                self.waiting.remove(&node);
                self.holders.insert(node);
                let (last, holder) = self.last;
                if *token < last || (*token == last && holder != Some(node)) {
                    self.reused = self.reused.or(Some(*token));
                }
                self.last = (*token, Some(node));
            }
            Event::Ended => self.leave(node),
            Event::Started => {
                self.leave(node);
                self.last.1 = self.last.1.filter(|holder| *holder != node);
            }
            Event::Stored { token } if *token < self.stored => self.late = self.late.or(Some(*token)),
            Event::Stored { token } => self.stored = *token,
            Event::Rejected { token, seen } if token >= seen => self.refused = self.refused.or(Some(*token)),
            Event::Rejected { .. } => {}
        }
    }
}

impl History {
    /// Whether this node asked for the lease, and has not acquired it since.
    pub fn waits(&self, node: NodeId) -> bool {
        self.waiting.contains(&node)
    }

    /// Whether this node acquired the lease, and has not ended it since.
    pub fn holds(&self, node: NodeId) -> bool {
        self.holders.contains(&node)
    }

    fn leave(&mut self, node: NodeId) {
        self.waiting.remove(&node);
        self.holders.remove(&node);
    }
}

/// The properties that hold while clocks drift within the bound and no node is suspended.
pub fn properties() -> Vec<Property<Leases, History>> {
    vec![mutual_exclusion(), fencing(), tokens_grow(), no_starvation()]
}

/// Mutual exclusion: no node believes in a lease while another does.
pub fn mutual_exclusion() -> Property<Leases, History> {
    Property {
        name: "mutual exclusion",
        source: "Gray and Cheriton 1989, sections 2 and 5; LCK-02",
        when: When::Always,
        holds: at_most_one_holds,
    }
}

/// Fencing: a write is stored if and only if no later holder has written before, whatever clocks and links do.
pub fn fencing() -> Property<Leases, History> {
    Property {
        name: "fencing",
        source: "Burrows 2006, section 2.4 (sequencers); LCK-03",
        when: When::Always,
        holds: writes_are_in_order,
    }
}

/// No node acquires the lease under the token of another, or of its own earlier boot.
pub fn tokens_grow() -> Property<Leases, History> {
    Property {
        name: "increasing tokens",
        source: "Burrows 2006, section 2.2 (lock generation numbers); LCK-03",
        when: When::Always,
        holds: do_tokens_grow,
    }
}

/// No starvation: every node that asks for the lease, and is up, eventually acquires it.
fn no_starvation() -> Property<Leases, History> {
    Property { name: "no starvation", source: "LCK-02", when: When::AtEnd, holds: no_node_waits }
}

fn at_most_one_holds(picture: &Picture<'_, Leases, History>) -> Result<(), String> {
    let holders = named(picture, &picture.history.holders);
    if holders.len() < 2 { Ok(()) } else { Err(format!("{} hold the lease at once", holders.join(" and "))) }
}

fn writes_are_in_order(picture: &Picture<'_, Leases, History>) -> Result<(), String> {
    match (picture.history.late, picture.history.refused) {
        (None, None) => Ok(()),
        (Some(late), _) => Err(format!("a write with token {late} was stored after one of a later holder")),
        (None, Some(token)) => Err(format!("a write with token {token} was refused, and no later holder had written")),
    }
}

fn do_tokens_grow(picture: &Picture<'_, Leases, History>) -> Result<(), String> {
    match picture.history.reused {
        None => Ok(()),
        Some(token) => Err(format!("the lease was acquired under token {token}, which another holder had")),
    }
}

fn no_node_waits(picture: &Picture<'_, Leases, History>) -> Result<(), String> {
    let waiting = named(picture, &picture.history.waiting);
    if waiting.is_empty() {
        Ok(())
    } else {
        Err(format!("{} asked for the lease and never acquired it", waiting.join(" and ")))
    }
}

/// The nodes among them that are up.
fn named(picture: &Picture<'_, Leases, History>, of: &BTreeSet<NodeId>) -> Vec<String> {
    picture.nodes.iter().filter(|(id, _)| of.contains(id)).map(|(id, _)| id.to_string()).collect()
}

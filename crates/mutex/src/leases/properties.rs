//! What must hold of leases.

use super::{Event, Leases};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{History, NodeId, Picture, Process, Property, When};

/// Who holds the lease, who wants it, and what the store took.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Holdings {
    holders: BTreeSet<NodeId>,
    waiting: BTreeSet<NodeId>,
    /// The greatest token whose write was stored.
    stored: u64,
    /// A write that was stored after one of a later holder: its token.
    late: Option<u64>,
    /// The token under which the lease was acquired last, and by whom; by nobody any more once that life is over.
    last: (u64, Option<NodeId>),
    /// A token under which the lease was acquired after a later one, or by two lives.
    reused: Option<u64>,
}

impl<P: Process<Event = Event>> History<P> for Holdings {
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
        }
    }
}

impl Holdings {
    fn leave(&mut self, node: NodeId) {
        self.waiting.remove(&node);
        self.holders.remove(&node);
    }
}

/// What must hold while clocks drift within the bound and nobody stands still.
pub fn properties() -> Vec<Property<Leases, Holdings>> {
    vec![one_holder(), writes_in_order(), tokens_grow(), who_asks_gets_it()]
}

/// Nobody believes in a lease while somebody else does.
pub fn one_holder() -> Property<Leases, Holdings> {
    Property {
        name: "one holder",
        source: "Gray and Cheriton 1989, sections 2 and 5; LCK-02",
        when: When::Always,
        holds: has_one_holder,
    }
}

/// No write is stored after one of a later holder, whatever clocks and links do.
pub fn writes_in_order() -> Property<Leases, Holdings> {
    Property {
        name: "writes in the order of tokens",
        source: "Burrows 2006, section 2.4 (sequencers); LCK-03",
        when: When::Always,
        holds: are_writes_in_order,
    }
}

/// Nobody acquires the lease under the token of another, nor of an earlier life of its own.
pub fn tokens_grow() -> Property<Leases, Holdings> {
    Property {
        name: "a new holder has a greater token",
        source: "Burrows 2006, section 2.2 (lock generation numbers); LCK-03",
        when: When::Always,
        holds: do_tokens_grow,
    }
}

fn who_asks_gets_it() -> Property<Leases, Holdings> {
    Property { name: "who asks gets it", source: "LCK-02", when: When::AtEnd, holds: has_nobody_waiting }
}

fn has_one_holder(picture: &Picture<'_, Leases, Holdings>) -> Result<(), String> {
    let holders = named(picture, &picture.history.holders);
    if holders.len() < 2 { Ok(()) } else { Err(format!("{} hold the lease", holders.join(" and "))) }
}

fn are_writes_in_order(picture: &Picture<'_, Leases, Holdings>) -> Result<(), String> {
    match picture.history.late {
        None => Ok(()),
        Some(late) => Err(format!("a write with token {late} was stored after one of a later holder")),
    }
}

fn do_tokens_grow(picture: &Picture<'_, Leases, Holdings>) -> Result<(), String> {
    match picture.history.reused {
        None => Ok(()),
        Some(token) => Err(format!("the lease was acquired under token {token}, which was somebody else's")),
    }
}

fn has_nobody_waiting(picture: &Picture<'_, Leases, Holdings>) -> Result<(), String> {
    let waiting = named(picture, &picture.history.waiting);
    if waiting.is_empty() { Ok(()) } else { Err(format!("{} asked and never got it", waiting.join(", "))) }
}

/// Those of them that are up.
fn named(picture: &Picture<'_, Leases, Holdings>, of: &BTreeSet<NodeId>) -> Vec<String> {
    picture.nodes.iter().filter(|(id, _)| of.contains(id)).map(|(id, _)| id.to_string()).collect()
}

//! The critical section as the outside sees it, the same for every protocol of this crate.
//!
//! A node is asked to [`Command::Enter`]; it emits [`Event::Asked`], eventually [`Event::Entered`], and after its stay
//! [`Event::Left`]. The properties refer to these events alone, so that the same definitions serve a protocol by itself
//! and one that runs over a channel.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Process, Property, When, commands, payload};

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Enter the critical section once, when permitted, and leave it again.
    Enter,
}

commands! { Command; Enter = "enter" }

/// The events of a node around the critical section.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The node starts: outside, and without a request. Only emitted by protocols whose nodes may restart.
    Started,
    /// The node requests one more entry.
    Asked,
    /// The node waits, and at most this many entries by others come before its own. Only emitted by protocols that
    /// promise it.
    Queued(u64),
    /// The node is inside.
    Entered,
    /// The node is outside again.
    Left,
}

payload! { Event;
    Started       => "started",
    Asked         => "asked",
    Queued(ahead) => "queued {ahead}",
    Entered       => "entered",
    Left          => "left",
}

/// The nodes that are inside, and those that asked and have not entered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    inside: BTreeSet<NodeId>,
    /// How many requests of each node are still open; no node with zero.
    waiting: BTreeMap<NodeId, u64>,
    /// How many entries by others each node was promised at most, minus those since then.
    ahead: BTreeMap<NodeId, u64>,
    /// A node before which more entries happened than it was promised.
    passed: Option<NodeId>,
    /// A node that entered without an open request.
    unasked: Option<NodeId>,
}

impl History {
    /// Whether no node is inside or waiting.
    pub fn is_quiet(&self) -> bool {
        self.inside.is_empty() && self.waiting.is_empty()
    }

    /// Whether requested entries of this node are still to come.
    pub fn waits(&self, node: NodeId) -> bool {
        self.waiting.contains_key(&node)
    }

    /// How many entries by others may still come before that of this node, if it was promised a number.
    pub fn promised(&self, node: NodeId) -> Option<u64> {
        self.ahead.get(&node).copied()
    }
}

impl<P: Process<Event = Event>> volvox_core::History<P> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Started => {
                self.inside.remove(&node);
                self.waiting.remove(&node);
                self.ahead.remove(&node);
            }
            Event::Queued(ahead) => {
                self.ahead.insert(node, *ahead);
            }
            Event::Asked => *self.waiting.entry(node).or_default() += 1,
            Event::Entered => {
                self.inside.insert(node);
                self.ahead.remove(&node);
                for (waiting, ahead) in &mut self.ahead {
                    match ahead.checked_sub(1) {
                        Some(less) => *ahead = less,
                        None => self.passed = Some(*waiting),
                    }
                }
                match self.waiting.get_mut(&node) {
                    Some(waiting) if *waiting > 1 => *waiting -= 1,
                    Some(_) => {
                        self.waiting.remove(&node);
                    }
                    None => self.unasked = Some(node),
                }
            }
            Event::Left => {
                self.inside.remove(&node);
            }
        }
    }
}

/// Mutual exclusion: at most one of the nodes that are up is inside. A node that crashes inside is no longer inside.
pub fn mutual_exclusion<P: Process<Event = Event>>(source: &'static str) -> Property<P, History> {
    Property { name: "mutual exclusion", source, when: When::Always, holds: at_most_one_is_inside }
}

/// No starvation: every node that requests entry, and is up, eventually enters.
pub fn no_starvation<P: Process<Event = Event>>(source: &'static str) -> Property<P, History> {
    Property { name: "no starvation", source, when: When::AtEnd, holds: no_node_waits }
}

/// No entry without a request: a node enters at most as often as it was asked to.
pub fn no_unrequested_entry<P: Process<Event = Event>>(source: &'static str) -> Property<P, History> {
    Property { name: "no unrequested entry", source, when: When::Always, holds: only_requests_are_granted }
}

/// A node that waits sees no more entries by others than it was promised.
pub fn first_come_first_served<P: Process<Event = Event>>(source: &'static str) -> Property<P, History> {
    Property { name: "first come, first served", source, when: When::Always, holds: keeps_promised_places }
}

fn only_requests_are_granted<P: Process<Event = Event>>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.unasked {
        None => Ok(()),
        Some(node) => Err(format!("{node} entered without a request")),
    }
}

fn keeps_promised_places<P: Process<Event = Event>>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    match picture.history.passed {
        None => Ok(()),
        Some(node) => Err(format!("more nodes entered before {node} than it was promised")),
    }
}

fn at_most_one_is_inside<P: Process<Event = Event>>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let inside: Vec<String> = up(picture).filter(|id| picture.history.inside.contains(id)).map(text).collect();
    if inside.len() < 2 { Ok(()) } else { Err(format!("{} are inside at once", inside.join(" and "))) }
}

fn no_node_waits<P: Process<Event = Event>>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let waiting: Vec<String> = up(picture).filter(|id| picture.history.waiting.contains_key(id)).map(text).collect();
    if waiting.is_empty() { Ok(()) } else { Err(format!("{} asked and never entered", waiting.join(" and "))) }
}

fn up<'a, P, H>(picture: &'a Picture<'_, P, H>) -> impl Iterator<Item = NodeId> + 'a {
    picture.nodes.iter().map(|(id, _)| *id)
}

fn text(id: NodeId) -> String {
    id.to_string()
}

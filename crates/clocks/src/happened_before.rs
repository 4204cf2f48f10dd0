//! Happened before: the order that logical clocks are judged by.
//!
//! # The problem
//!
//! Without a common clock, "earlier" has no meaning for two events on two machines, unless information about the one
//! could have reached the other. To judge a clock, an observer needs that relation exactly, and must not derive it from
//! a clock.
//!
//! # The idea
//!
//! Lamport's definition, taken literally: an event happened before another if it came earlier at the same process, if
//! it is the sending of the message that the other receives, or through a chain of such steps. Two events of which
//! neither happened before the other are *concurrent*. [`History`] keeps the reported actions of every process, in
//! order, and finds the past of an event by walking these edges backwards, without looking at any stamp.
//!
//! A message carries its *number*, a count of its sender's messages, so that the observer knows which sending a receipt
//! belongs to. The number is not part of any clock.
//!
//! # Caveats
//!
//! - A process that crashes and loses its clock is a new process for this relation. These chapters restart no process.
//! - The properties here compare the newest event of each process with all others. Evaluated after every step, as in
//!   all worlds, they compare every pair.
//!
//! # References
//!
//! L. Lamport: *Time, clocks, and the ordering of events in a distributed system*, 1978, section "The partial ordering".

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::fmt::{Debug, Display};
use core::hash::Hash;
use volvox_core::{Kinds, NodeId, Picture, Process, commands, numbers, payload};

/// The greatest counter that is accepted from outside; no process counts beyond it.
pub const COUNT_MAX: u64 = 1 << 62;

/// A counter of a stamp, as received from outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Count(pub u64);

numbers! { Count <= COUNT_MAX, "count of events" }

/// The commands to a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Perform a local event.
    Work,
    /// Send a message to this process.
    Tell(NodeId),
    /// Send a message to a peer that the world chooses.
    TellAny,
}

commands! { Command;
    Work     = "work",
    Tell(to) = "tell {to}",
    TellAny  = "tell",
}

/// An action of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A local event.
    Work,
    /// The process sent its message of this number.
    Send {
        /// The receiver.
        to: NodeId,
        /// Counts the sender's messages from 1.
        number: u64,
        /// The number of counters in the message: the clock's cost on the wire.
        counters: usize,
    },
    /// The process received that message.
    Receive {
        /// The sender.
        from: NodeId,
        /// The sender's number.
        number: u64,
    },
}

payload! { Action; Work, Send { to, number, counters }, Receive { from, number } }

/// The event of a process: an action with its stamp.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event<S> {
    /// The action.
    pub action: Action,
    /// The reading of its clock at that time.
    pub stamp: S,
}

impl<S> Kinds for Event<S> {
    const KINDS: &'static [&'static str] = Action::KINDS;

    fn kind(&self) -> &'static str {
        self.action.kind()
    }
}

impl<S: Display> Display for Event<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Work => write!(f, "{} works", self.stamp),
            Action::Send { to, number, .. } => write!(f, "{} tells {to} #{number}", self.stamp),
            Action::Receive { from, number } => write!(f, "{} hears #{number} of {from}", self.stamp),
        }
    }
}

/// The timestamp that a clock gives an event.
pub trait Stamp: Clone + Eq + Hash + Debug + Display {
    /// Whether the clock orders this stamp before the other.
    fn precedes(&self, other: &Self) -> bool;
}

/// The observer's history: all actions of every process, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct History<S> {
    lines: BTreeMap<NodeId, Line<S>>,
}

/// The actions of one process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Line<S> {
    events: Vec<Event<S>>,
    /// The index of its n-th sending among its events.
    sends: Vec<usize>,
}

/// How many events of each process happened before an event. An event in the past brings all earlier ones of its
/// process with it, so counts are enough.
type Past = BTreeMap<NodeId, usize>;

impl<S> Default for History<S> {
    fn default() -> History<S> {
        History { lines: BTreeMap::new() }
    }
}

impl<S: Stamp, P: Process<Event = Event<S>>> volvox_core::History<P> for History<S> {
    fn on_event(&mut self, node: NodeId, event: &Event<S>) {
        let line = self.lines.entry(node).or_insert_with(|| Line { events: Vec::new(), sends: Vec::new() });
        if let Action::Send { .. } = event.action {
            line.sends.push(line.events.len());
        }
        line.events.push(event.clone());
    }
}

impl<S: Stamp> History<S> {
    /// Every event: its process, its index there, and the report.
    pub fn events(&self) -> impl Iterator<Item = (NodeId, usize, &Event<S>)> {
        self.lines.iter().flat_map(|(node, line)| line.events.iter().enumerate().map(|(at, event)| (*node, at, event)))
    }

    /// The stamps of every two concurrent events.
    pub fn concurrent(&self) -> Vec<(&S, &S)> {
        let all: Vec<_> = self.events().map(|(node, at, event)| (node, at, event, self.past(node, at))).collect();
        let mut pairs = Vec::new();
        for (index, (node, at, event, past)) in all.iter().enumerate() {
            for (other_node, other_at, other, other_past) in &all[..index] {
                if !holds(past, *other_node, *other_at) && !holds(other_past, *node, *at) {
                    pairs.push((&event.stamp, &other.stamp));
                }
            }
        }
        pairs
    }

    /// The events that happened before an event, found by walking back to the direct causes, their causes, and so on.
    fn past(&self, node: NodeId, at: usize) -> Past {
        let mut past = Past::new();
        let mut through = Vec::from([(node, at)]);
        through.extend(self.sending_of(node, at));
        while let Some((node, count)) = through.pop() {
            let known = past.insert(node, count).unwrap_or(0);
            if known >= count {
                past.insert(node, known);
                continue;
            }
            through.extend((known..count).filter_map(|at| self.sending_of(node, at)));
        }
        past
    }

    /// The direct causes of the newest event of each process, with that event: the one before it there, and the sending of what
    /// it received.
    pub(crate) fn newest_with_causes(
        &self,
    ) -> impl Iterator<Item = (NodeId, &Event<S>, impl Iterator<Item = &Event<S>>)> {
        self.lines.iter().filter_map(|(node, line)| {
            let (at, event) = line.events.iter().enumerate().next_back()?;
            let sending =
                self.sending_of(*node, at).and_then(|(from, count)| self.lines.get(&from)?.events.get(count - 1));
            Some((*node, event, line.events[..at].last().into_iter().chain(sending)))
        })
    }

    /// The newest event of each process, with the number of events of each process up to it.
    pub(crate) fn newest_with_counts(&self) -> impl Iterator<Item = (NodeId, &Event<S>, BTreeMap<NodeId, usize>)> {
        self.newest().map(|(node, at, event, mut past)| {
            past.insert(node, at + 1);
            (node, event, past)
        })
    }

    /// The sending that matches this receipt, as a count that includes it.
    fn sending_of(&self, node: NodeId, at: usize) -> Option<(NodeId, usize)> {
        let Action::Receive { from, number } = self.lines.get(&node)?.events.get(at)?.action else { return None };
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        Some((from, self.lines.get(&from)?.sends.get(place)? + 1))
    }

    /// The newest event of each process, with its past.
    fn newest(&self) -> impl Iterator<Item = (NodeId, usize, &Event<S>, Past)> {
        self.lines.iter().filter_map(|(node, line)| {
            let (at, event) = line.events.iter().enumerate().next_back()?;
            Some((*node, at, event, self.past(*node, at)))
        })
    }
}

fn holds(past: &Past, node: NodeId, at: usize) -> bool {
    past.get(&node).is_some_and(|count| at < *count)
}

/// No event happened before itself, and what is received was sent: the observer's own soundness.
pub(crate) fn partial_order<S: Stamp, P>(picture: &Picture<'_, P, History<S>>) -> Result<(), String> {
    for (node, at, event, past) in picture.history.newest() {
        if holds(&past, node, at) {
            return Err(format!("{node}: {event} happened before itself"));
        }
        if matches!(event.action, Action::Receive { .. }) && picture.history.sending_of(node, at).is_none() {
            return Err(format!("{node}: {event} was never sent"));
        }
    }
    Ok(())
}

/// The clock condition: an event that happened before another is stamped before it.
pub(crate) fn clock_condition<S: Stamp, P>(picture: &Picture<'_, P, History<S>>) -> Result<(), String> {
    for (node, _, event, past) in picture.history.newest() {
        for (other_node, at, other) in picture.history.events() {
            if holds(&past, other_node, at) && !other.stamp.precedes(&event.stamp) {
                return Err(order(other_node, other, "happened before", node, event, "the stamps do not say so"));
            }
        }
    }
    Ok(())
}

/// The strong clock condition: an event that is stamped before another happened before it.
pub(crate) fn strong_clock_condition<S: Stamp, P>(picture: &Picture<'_, P, History<S>>) -> Result<(), String> {
    let history = picture.history;
    for (node, at, event, past) in history.newest() {
        for (other_node, other_at, other) in history.events() {
            if other.stamp.precedes(&event.stamp) && !holds(&past, other_node, other_at) {
                return Err(order(other_node, other, "is stamped before", node, event, "did not happen before it"));
            }
            if event.stamp.precedes(&other.stamp) && !holds(&history.past(other_node, other_at), node, at) {
                return Err(order(node, event, "is stamped before", other_node, other, "did not happen before it"));
            }
        }
    }
    Ok(())
}

/// No two events have the same stamp.
pub(crate) fn distinct_stamps<S: Stamp, P>(picture: &Picture<'_, P, History<S>>) -> Result<(), String> {
    for (node, at, event, _) in picture.history.newest() {
        for (other_node, other_at, other) in picture.history.events() {
            if (node, at) != (other_node, other_at) && event.stamp == other.stamp {
                return Err(order(other_node, other, "and", node, event, "have the same stamp"));
            }
        }
    }
    Ok(())
}

fn order<S: Stamp>(
    one: NodeId,
    first: &Event<S>,
    relation: &str,
    two: NodeId,
    second: &Event<S>,
    what: &str,
) -> String {
    [format!("{one}: {first}"), relation.to_string(), format!("{two}: {second}"), what.to_string()].join(", ")
}

//! Happened before: the order that logical clocks are judged by.
//!
//! # The problem
//!
//! Without a common clock, "earlier" has no meaning for two events on two machines, unless word of the one could have
//! reached the other. To judge a clock, an observer needs that relation exactly, and must not take it from a clock.
//!
//! # The idea
//!
//! Lamport's definition, taken literally: an event happened before another when it came earlier at the same process, or
//! it is the sending of what the other is the receipt of, or by a chain of such steps. Two events of which neither
//! happened before the other are *concurrent*. [`History`] keeps what every process told it did, in the order of each
//! process, and finds the past of an event by walking these edges backwards. No stamp is looked at on the way.
//!
//! A message carries its *number*, a count of its sender's messages, so that the observer knows which sending a receipt
//! belongs to. The number is no part of any clock.
//!
//! # Caveats
//!
//! - A process that crashes and forgets its clock is a new process for this relation. These chapters restart no process.
//! - The properties here compare the newest event of each process with all others. Asked after every step, as all worlds
//!   do, they compare every pair.
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

/// The most that a counter of a stamp from outside may be: what is beyond was never counted.
pub const COUNT_MAX: u64 = 1 << 62;

/// A counter of a stamp, as it arrives from outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Count(pub u64);

numbers! { Count <= COUNT_MAX, "count of events" }

/// The commands to a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Do something that concerns no other process.
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

/// What a process did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Something that concerns no other process.
    Work,
    /// It sent its message of this number.
    Send {
        /// The receiver.
        to: NodeId,
        /// Counts the sender's messages from 1.
        number: u64,
        /// How many counters the message carries: what the clock costs on the wire.
        counters: usize,
    },
    /// It received that message.
    Receive {
        /// The sender.
        from: NodeId,
        /// The sender's number.
        number: u64,
    },
}

payload! { Action; Work, Send { to, number, counters }, Receive { from, number } }

/// What a process tells: an action with its stamp.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event<S> {
    /// What it did.
    pub action: Action,
    /// What its clock showed then.
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

/// What a clock writes on an event.
pub trait Stamp: Clone + Eq + Hash + Debug + Display {
    /// Whether the clock says: this before that.
    fn precedes(&self, other: &Self) -> bool;
}

/// All that every process did, in the order of each process: the observer's history.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct History<S> {
    lines: BTreeMap<NodeId, Line<S>>,
}

/// What one process did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Line<S> {
    events: Vec<Event<S>>,
    /// The place of its n-th sending among its events.
    sends: Vec<usize>,
}

/// How many events of each process happened before an event. An event that happened before brings all earlier ones of its
/// process with it, so counts say it all.
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
    /// Every event: its process, its place there, and what was told.
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

    /// What happened before an event, found by walking back to the direct causes, their causes, and so on.
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

    /// The sending of what this event is the receipt of, as a count that includes it.
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

/// The clock condition: what happened before is stamped before.
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

/// The strong clock condition: what is stamped before happened before, too.
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

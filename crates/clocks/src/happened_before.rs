//! Happened before: the order that logical clocks are judged by.
//!
//! # The problem
//!
//! Without a common clock, "earlier" has no meaning for two events on two machines, unless news of the one could have
//! reached the other. To judge a clock, an observer needs that relation exactly, and must not take it from a clock.
//!
//! # The idea
//!
//! Lamport's definition, taken literally: an event happened before another when it came earlier at the same process, or
//! it is the sending of what the other is the receipt of, or by a chain of such steps. Two events of which neither
//! happened before the other are *concurrent*. [`Deeds`] keeps what every process told it did, in the order of each
//! process, and finds the past of an event by walking these edges backwards. No stamp is looked at on the way.
//!
//! A message carries its *number*, a count of its sender's messages, so that the observer knows which sending a receipt
//! belongs to. The number is no part of any clock.
//!
//! # Caveats
//!
//! - A process that crashes and forgets its clock is a new process for this relation. These chapters crash nobody for
//!   good and back again.
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
use core::str::FromStr;
use volvox_core::{History, NodeId, Picture, Process};

/// The most that a counter of a stamp from outside may be: what is beyond was never counted.
pub const COUNT_MAX: u64 = 1 << 62;

/// What is asked of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    /// Do something that concerns nobody else: `work`.
    Work,
    /// Send a message to somebody: `tell n2`.
    Tell(NodeId),
    /// Send a message to a peer that the world chooses: `tell`.
    TellSomebody,
}

impl Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Work => f.write_str("work"),
            Ask::Tell(to) => write!(f, "tell {to}"),
            Ask::TellSomebody => f.write_str("tell"),
        }
    }
}

/// What is not an [`Ask`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskError;

impl Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 'work', 'tell', or 'tell n2'")
    }
}

impl core::error::Error for AskError {}

impl FromStr for Ask {
    type Err = AskError;
    fn from_str(text: &str) -> Result<Ask, AskError> {
        let mut words = text.split_whitespace();
        let ask = match (words.next(), words.next()) {
            (Some("work"), None) => Ask::Work,
            (Some("tell"), None) => Ask::TellSomebody,
            (Some("tell"), Some(to)) => {
                let id = to.strip_prefix('n').unwrap_or(to).parse().map_err(|_| AskError)?;
                Ask::Tell(NodeId(id))
            }
            _ => return Err(AskError),
        };
        if words.next().is_some() { Err(AskError) } else { Ok(ask) }
    }
}

/// What a process did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Deed {
    /// Something that concerns nobody else.
    Work,
    /// It sent its message of this number.
    Send {
        /// To whom.
        to: NodeId,
        /// Counts the sender's messages from 1.
        number: u64,
        /// How many counters the message carries: what the clock costs on the wire.
        counters: usize,
    },
    /// It received that message.
    Receive {
        /// From whom.
        from: NodeId,
        /// The sender's number.
        number: u64,
    },
}

/// What a process tells: a deed with its stamp.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event<S> {
    /// What it did.
    pub deed: Deed,
    /// What its clock showed then.
    pub stamp: S,
}

impl<S: Display> Display for Event<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.deed {
            Deed::Work => write!(f, "{} works", self.stamp),
            Deed::Send { to, number, .. } => write!(f, "{} tells {to} #{number}", self.stamp),
            Deed::Receive { from, number } => write!(f, "{} hears #{number} of {from}", self.stamp),
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
pub struct Deeds<S> {
    lines: BTreeMap<NodeId, Line<S>>,
}

/// What one process did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Line<S> {
    events: Vec<Event<S>>,
    /// Where its n-th sending stands.
    sends: Vec<usize>,
}

/// How many events of each process happened before an event. An event that happened before brings all earlier ones of its
/// process with it, so counts say it all.
type Past = BTreeMap<NodeId, usize>;

impl<S> Default for Deeds<S> {
    fn default() -> Deeds<S> {
        Deeds { lines: BTreeMap::new() }
    }
}

impl<S: Stamp, P: Process<Event = Event<S>>> History<P> for Deeds<S> {
    fn on_event(&mut self, node: NodeId, event: &Event<S>) {
        let line = self.lines.entry(node).or_insert_with(|| Line { events: Vec::new(), sends: Vec::new() });
        if let Deed::Send { .. } = event.deed {
            line.sends.push(line.events.len());
        }
        line.events.push(event.clone());
    }
}

impl<S: Stamp> Deeds<S> {
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
        let Deed::Receive { from, number } = self.lines.get(&node)?.events.get(at)?.deed else { return None };
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

/// Nothing happens before itself, and what is received was sent: the observer's own soundness.
pub(crate) fn is_an_order<S: Stamp, P>(picture: &Picture<'_, P, Deeds<S>>) -> Result<(), String> {
    for (node, at, event, past) in picture.history.newest() {
        if holds(&past, node, at) {
            return Err(format!("{node}: {event} happened before itself"));
        }
        if matches!(event.deed, Deed::Receive { .. }) && picture.history.sending_of(node, at).is_none() {
            return Err(format!("{node}: {event} was never sent"));
        }
    }
    Ok(())
}

/// What happened before is stamped before: the clock condition.
pub(crate) fn stamps_follow<S: Stamp, P>(picture: &Picture<'_, P, Deeds<S>>) -> Result<(), String> {
    for (node, _, event, past) in picture.history.newest() {
        for (other_node, at, other) in picture.history.events() {
            if holds(&past, other_node, at) && !other.stamp.precedes(&event.stamp) {
                return Err(order(other_node, other, "happened before", node, event, "the stamps do not say so"));
            }
        }
    }
    Ok(())
}

/// What is stamped before happened before: the converse.
pub(crate) fn stamps_lead<S: Stamp, P>(picture: &Picture<'_, P, Deeds<S>>) -> Result<(), String> {
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
pub(crate) fn stamps_differ<S: Stamp, P>(picture: &Picture<'_, P, Deeds<S>>) -> Result<(), String> {
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

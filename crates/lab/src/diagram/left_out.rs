//! The parts that a diagram leaves out, counted.

use std::collections::BTreeSet;
use std::fmt;
use volvox_core::{Instant, NodeId};

/// This many rows without a decision are summarised in one line.
pub(super) const DULL_MIN: usize = 4;

/// The summary that replaces rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Messages by kind, received or lost, in the order in which they came.
    pub kinds: Vec<(String, usize)>,
    /// The lost of them, by reason.
    pub lost: Vec<(&'static str, usize)>,
    /// The nodes that sent to several at once, and how often.
    pub rounds: BTreeSet<(NodeId, Instant)>,
    /// Steps in which nothing was received.
    pub steps: usize,
}

impl LeftOut {
    /// Whether the summary is empty.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.steps == 0
    }

    /// Joins two summaries.
    pub fn add(&mut self, other: &LeftOut) {
        for (kind, count) in &other.kinds {
            count_in(&mut self.kinds, kind.clone(), *count);
        }
        for (why, count) in &other.lost {
            count_in(&mut self.lost, *why, *count);
        }
        self.rounds.extend(&other.rounds);
        self.steps += other.steps;
    }
}

/// Adds to the count of this key.
pub(super) fn count_in<K: PartialEq>(counts: &mut Vec<(K, usize)>, key: K, more: usize) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some((node, _)), true) = (self.rounds.first(), self.rounds.len() >= ROUNDS_MIN) {
            write!(f, "{} rounds of ", self.rounds.len())?;
            match self.rounds.iter().all(|(other, _)| other == node) {
                true => write!(f, "{node}: ")?,
                false => write!(f, "several: ")?,
            }
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{}", kinds.join(", "))?;
        if kinds.is_empty() {
            write!(f, "{} {} like those before", self.steps, if self.steps == 1 { "step" } else { "steps" })?;
        }
        for (place, (why, count)) in self.lost.iter().enumerate() {
            write!(f, "{}{count} lost ({why})", if place == 0 { "; " } else { ", " })?;
        }
        Ok(())
    }
}

/// Fewer rounds than these are not called rounds.
const ROUNDS_MIN: usize = 2;

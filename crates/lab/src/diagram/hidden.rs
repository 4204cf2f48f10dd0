//! What is left out of a diagram everywhere, and counted.

use super::{Mark, Row};
use crate::chapter::Carrier;
use std::collections::BTreeMap;
use std::fmt;
use volvox_core::NodeId;
use volvox_sim::{Recording, What};

/// How much was left out.
#[derive(Default)]
pub(super) struct Hidden {
    /// Messages of what carries the protocol's, by kind, in the order in which they first came.
    carried: Vec<(String, usize)>,
    remarks: usize,
}

impl Hidden {
    /// The recording without what the carrier says for itself. What it carries stays.
    pub fn carrier(&mut self, recording: &Recording, carrier: Carrier) -> Recording {
        let mut shown = recording.clone();
        let mut is_hidden = vec![false; shown.messages.len()];
        for (envelope, is_hidden) in shown.messages.iter_mut().zip(&mut is_hidden) {
            match carrier.message(&envelope.text) {
                Some(own) => envelope.text = own.to_string(),
                None => {
                    *is_hidden = true;
                    match self.carried.iter_mut().find(|(kind, _)| *kind == envelope.kind) {
                        Some((_, count)) => *count += 1,
                        None => self.carried.push((envelope.kind.clone(), 1)),
                    }
                }
            }
        }
        shown.moments.retain_mut(|moment| match &mut moment.what {
            What::Sent(id) | What::Delivered(id) | What::Lost(id, _) => !is_hidden[*id],
            What::Timer(text) => match carrier.timer(text).map(str::to_string) {
                Some(own) => {
                    *text = own;
                    true
                }
                None => false,
            },
            _ => true,
        });
        shown
    }

    /// Takes remarks out, and events that say no more than the state of their node does.
    pub fn remarks(&mut self, rows: &mut Vec<Row>) {
        let mut states: BTreeMap<NodeId, String> = BTreeMap::new();
        for row in rows.iter_mut() {
            let Row::Step(step) = row else { continue };
            let state = states.entry(step.node).or_default();
            for mark in &step.marks {
                match mark {
                    Mark::State(text) => state.clone_from(text),
                    Mark::Stopped => state.clear(),
                    _ => {}
                }
            }
            let before = step.marks.len();
            step.marks.retain(|mark| match mark {
                Mark::Note(_) => false,
                // `leader t2, leader n1` where the state is `leader t2`.
                Mark::Event(text) => {
                    state.is_empty() || !text.strip_prefix(state.as_str()).is_some_and(|more| more.starts_with(','))
                }
                _ => true,
            });
            self.remarks += before - step.marks.len();
        }
        rows.retain(|row| !matches!(row, Row::Step(step) if step.shows_nothing()));
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.carried.is_empty() && self.remarks == 0 {
            return Ok(());
        }
        let kinds: Vec<String> = self.carried.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "not shown: {}", kinds.join(", "))?;
        if !kinds.is_empty() {
            write!(f, " of the channel")?;
        }
        if self.remarks > 0 {
            let and = if kinds.is_empty() { "" } else { ", and " };
            write!(f, "{and}{} remarks", self.remarks)?;
        }
        write!(f, " (--all-messages shows all)")
    }
}

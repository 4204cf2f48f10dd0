//! Omits routine parts everywhere in a diagram, and counts them.

use super::{Mark, Row};
use std::collections::BTreeMap;
use std::fmt;
use volvox_core::NodeId;
use volvox_sim::{Recording, What};

/// The amount that was omitted.
#[derive(Default)]
pub(super) struct Hidden {
    /// Messages of the carrier, by kind, in the order of first occurrence.
    carried: Vec<(String, usize)>,
    remarks: usize,
    records: usize,
    /// Steps that share a line with others, so that their time is not shown.
    pub sharing: usize,
}

impl Hidden {
    /// The recording without the carrier's own messages.
    pub fn carrier(&mut self, recording: &Recording) -> Recording {
        let mut shown = recording.clone();
        let mut is_hidden = vec![false; shown.messages.len()];
        for (envelope, is_hidden) in shown.messages.iter_mut().zip(&mut is_hidden) {
            match &envelope.carried {
                Some(carried) => envelope.text.clone_from(carried),
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
            What::Timer { text, carried } => match carried {
                Some(carried) => {
                    text.clone_from(carried);
                    true
                }
                None => false,
            },
            _ => true,
        });
        shown
    }

    /// Removes remarks, and events that only repeat the state of their node.
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
            self.records += superseded(&mut step.marks);
        }
        rows.retain(|row| !matches!(row, Row::Step(step) if step.shows_nothing()));
    }
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if !self.carried.is_empty() {
            let kinds: Vec<String> = self.carried.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            parts.push(format!("{} of the channel", kinds.join(", ")));
        }
        for (count, what) in [(self.remarks, "remarks"), (self.records, "records that the next one replaces")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if self.sharing > 0 {
            parts.push(format!("the moments of {} steps that share lines", self.sharing));
        }
        match parts.is_empty() {
            true => Ok(()),
            false => write!(f, "not shown: {} (--all-messages shows all)", parts.join("; ")),
        }
    }
}

/// Removes a record that the next record of the same step replaces, which begins with the same two words: `hard t2
/// vote=-` before `hard t2 vote=n1`.
fn superseded(marks: &mut Vec<Mark>) -> usize {
    let begin = |mark: &Mark| match mark {
        Mark::Record(text) => Some(text.split_whitespace().take(2).map(str::to_string).collect::<Vec<_>>()),
        _ => None,
    };
    let before = marks.len();
    let mut place = 0;
    while place + 1 < marks.len() {
        if begin(&marks[place]).is_some() && begin(&marks[place]) == begin(&marks[place + 1]) {
            marks.remove(place);
        } else {
            place += 1;
        }
    }
    before - marks.len()
}

//! Omits routine parts everywhere in a diagram, and counts them.

use super::{Mark, Row};
use std::fmt;
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

    /// Takes remarks out, events that say no more than the state of their node does, and records that the next one of the
    /// same step replaces.
    pub fn remarks(&mut self, rows: &mut Vec<Row>) {
        for row in rows.iter_mut() {
            let Row::Step(step) = row else { continue };
            let before = step.marks.len();
            step.marks.retain(|mark| !matches!(mark, Mark::Note(_) | Mark::Event { tells_state: true, .. }));
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

/// Removes the records that the next record of the same step replaces.
fn superseded(marks: &mut Vec<Mark>) -> usize {
    let replaces = |mark: &Mark| matches!(mark, Mark::Record { replaces: true, .. });
    let before = marks.len();
    let mut place = 0;
    while place + 1 < marks.len() {
        if replaces(&marks[place]) && replaces(&marks[place + 1]) {
            marks.remove(place);
        } else {
            place += 1;
        }
    }
    before - marks.len()
}

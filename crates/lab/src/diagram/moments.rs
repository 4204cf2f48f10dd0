//! Rows from what was recorded, and the silences between them.

use super::{LeftOut, Mark, Row, Step, Tone};
use std::collections::BTreeSet;
use volvox_core::fault::DiskFault;
use volvox_core::{Duration, Fault, Instant, NodeId};
use volvox_sim::{Moment, Recording, What};

/// Moments of one node at one time are one row.
pub(super) fn rows_of(recording: &Recording) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    // Messages of a step that were lost come after the step.
    let mut lost: Vec<Row> = Vec::new();
    let mut known: BTreeSet<NodeId> = BTreeSet::new();
    let mut open: Option<Step> = None;
    for Moment { at, node, what } in &recording.moments {
        let begins = matches!(
            what,
            What::Delivered(_)
                | What::Timer { .. }
                | What::Command(_)
                | What::Started(_)
                | What::Durable(_)
                | What::Stopped
        );
        let is_of = |step: &Step, node: NodeId| (step.at, step.node) == (*at, node);
        if let What::Lost(message, why) = what {
            let row = Row::Lost { at: *at, message: *message, why };
            if open.as_ref().is_some_and(|step| is_of(step, recording.messages[*message].from)) {
                lost.push(row);
            } else {
                close(&mut open, &mut lost, &mut rows);
                rows.push(row);
            }
            continue;
        }
        let bar = bar_of(*at, what);
        if begins || bar.is_some() || !open.as_ref().is_some_and(|step| is_of(step, *node)) {
            close(&mut open, &mut lost, &mut rows);
        }
        if let Some(bar) = bar {
            rows.push(bar);
            continue;
        }
        let step = open.get_or_insert_with(|| Step {
            at: *at,
            node: *node,
            received: None,
            marks: Vec::new(),
            sent: Vec::new(),
        });
        match what {
            What::Delivered(id) => step.received = Some(*id),
            What::Sent(id) => step.sent.push(*id),
            What::Started(_) if known.insert(*node) => {}
            What::Started(_) => step.marks.push(Mark::Started),
            What::Stopped => step.marks.push(Mark::Stopped),
            What::Paused => step.marks.push(Mark::Paused),
            What::Resumed => step.marks.push(Mark::Resumed),
            What::Timer { text, .. } => step.marks.push(Mark::Timer(text.clone())),
            What::Command(text) => step.marks.push(Mark::Command(text.clone())),
            What::Event { text, tells_state } => {
                step.marks.push(Mark::Event { text: text.clone(), tells_state: *tells_state });
            }
            What::Note(text) => step.marks.push(Mark::Note(text.clone())),
            What::Persisted { text, replaces } => {
                step.marks.push(Mark::Record { text: text.clone(), replaces: *replaces });
            }
            What::State(state) => step.marks.push(Mark::State(state.clone())),
            What::Durable(_) | What::Lost(..) | What::Fault(_) | What::Healed | What::Repeats | What::Broken { .. } => {
            }
        }
    }
    close(&mut open, &mut lost, &mut rows);
    rows
}

fn close(open: &mut Option<Step>, lost: &mut Vec<Row>, rows: &mut Vec<Row>) {
    if let Some(step) = open.take()
        && (step.received.is_some() || !step.marks.is_empty() || !step.sent.is_empty())
    {
        rows.push(Row::Step(step));
    }
    rows.append(lost);
}

fn bar_of(at: Instant, what: &What) -> Option<Row> {
    let (text, tone, cuts) = match what {
        What::Fault(fault) => {
            let tone = match fault {
                Fault::Heal | Fault::Resume(_) | Fault::Start(_) | Fault::Disk(_, DiskFault::Ok) => Tone::Good,
                _ => Tone::Bad,
            };
            let cuts = match fault {
                Fault::Partition(_) | Fault::Cut(..) => Some(true),
                Fault::Heal => Some(false),
                _ => None,
            };
            (fault.to_string(), tone, cuts)
        }
        What::Healed => ("everything heals".to_string(), Tone::Good, Some(false)),
        What::Repeats => ("from here on, again and again".to_string(), Tone::Bad, None),
        What::Broken { property, text } => (format!("BROKEN: {property}: {text}"), Tone::Broken, None),
        _ => return None,
    };
    Some(Row::Bar { at, text, tone, cuts })
}

/// Where much time passes between two rows, a line says how much; a row that tells what was left out tells of all the
/// time between the rows beside it.
pub(super) fn with_pauses(rows: Vec<Row>) -> Vec<Row> {
    let mut spans: Vec<Duration> = rows.windows(2).map(|pair| pair[1].at().since(pair[0].at())).collect();
    spans.retain(|span| !span.is_zero());
    spans.sort_unstable();
    let typical = spans.get(spans.len() / 2).copied().unwrap_or_default();
    let long = (typical * 8).max(Duration::from_millis(1));
    let mut paused: Vec<Row> = Vec::new();
    for row in rows {
        match (paused.last_mut(), &row) {
            (Some(Row::Gap { to, left_out: before, .. }), Row::Gap { to: end, left_out, .. }) => {
                *to = *end;
                before.add(left_out);
                continue;
            }
            (Some(Row::Gap { to, .. }), _) => *to = row.at().max(*to),
            (Some(before), Row::Gap { to, left_out, .. }) => {
                let from = before.at().min(row.at());
                paused.push(Row::Gap { from, to: *to, left_out: left_out.clone() });
                continue;
            }
            (Some(before), _) if row.at().since(before.at()) > long => {
                let from = before.at();
                paused.push(Row::Gap { from, to: row.at(), left_out: LeftOut::default() });
            }
            _ => {}
        }
        paused.push(row);
    }
    paused
}

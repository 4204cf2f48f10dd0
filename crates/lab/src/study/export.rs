//! The events of a run, for programs: as JSON documents, and in the log format of ShiViz.
//!
//! ShiViz (Beschastnikh, Wang, Brun, Ernst: *Debugging distributed systems*, CACM 59(8), 2016) reads a log whose every event
//! carries a vector clock. A recording knows which receipt belongs to which sending, so the clocks are computed here.

use super::Ran;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use volvox_core::NodeId;
use volvox_sim::{Envelope, Recording, What};

/// The expression with which ShiViz reads a log that [`Ran::shiviz`] writes.
pub const SHIVIZ_PARSER: &str = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)";

impl Ran {
    /// The happenings, as documents in order; nothing when the run was not recorded.
    pub fn happened(&self) -> Vec<Value> {
        let Some(recording) = &self.recording else { return Vec::new() };
        let documents = recording.moments.iter().map(|moment| {
            let (verb, mut rest) = document(recording, &moment.what);
            rest["at"] = json!(moment.at.0);
            rest["what"] = json!(verb);
            if moment.node != NodeId(0) {
                rest["node"] = json!(moment.node.0);
            }
            rest
        });
        documents.collect()
    }

    /// The run in the log format of ShiViz; the first line is the expression that reads it.
    pub fn shiviz(&self) -> String {
        let mut log = format!("{SHIVIZ_PARSER}\n\n");
        let Some(recording) = &self.recording else { return log };
        let mut clocks: BTreeMap<NodeId, BTreeMap<NodeId, u64>> = BTreeMap::new();
        let mut sent: BTreeMap<usize, BTreeMap<NodeId, u64>> = BTreeMap::new();
        for moment in recording.moments.iter().filter(|moment| moment.node != NodeId(0)) {
            let clock = clocks.entry(moment.node).or_default();
            if let What::Delivered(id) = &moment.what {
                for (node, count) in sent.get(id).into_iter().flatten() {
                    let known = clock.entry(*node).or_default();
                    *known = (*known).max(*count);
                }
            }
            let Some(text) = told(recording, &moment.what) else { continue };
            *clock.entry(moment.node).or_default() += 1;
            if let What::Sent(id) = &moment.what {
                sent.insert(*id, clock.clone());
            }
            let counts: Vec<String> = clock.iter().map(|(node, count)| format!("\"{node}\":{count}")).collect();
            // Writing to a string does not fail. An event is one line.
            let _ = writeln!(log, "{} {{{}}}", moment.node, counts.join(","));
            let _ = writeln!(log, "{} {}", moment.at, text.replace('\n', " "));
        }
        log
    }
}

/// The text of an event; nothing if it is not an event of a node.
fn told(recording: &Recording, what: &What) -> Option<String> {
    let message = |id: &usize| recording.messages.get(*id);
    Some(match what {
        What::Started(incarnation) => format!("starts as {incarnation}"),
        What::Stopped => "is gone".to_string(),
        What::Paused => "stands still".to_string(),
        What::Resumed => "resumes".to_string(),
        What::Sent(id) => message(id).map(|envelope| format!("-> {} {}", envelope.to, envelope.text))?,
        What::Delivered(id) => message(id).map(|envelope| format!("<- {} {}", envelope.from, envelope.text))?,
        What::Timer { text, .. } => format!("timer {text}"),
        What::Command(text) => format!("command {text}"),
        What::Event { text, .. } => format!("event {text}"),
        What::Note(text) => format!("note {text}"),
        What::Persisted { text, .. } => format!("persist {text}"),
        What::Durable(through) => format!("durable through {through}"),
        // A lost message is not an event of its receiver.
        What::Lost(..) | What::State(_) | What::Fault(_) | What::Healed | What::Repeats | What::Broken { .. } => {
            return None;
        }
    })
}

fn document(recording: &Recording, what: &What) -> (&'static str, Value) {
    let message = |id: usize| match recording.messages.get(id) {
        Some(Envelope { from, to, kind, text, carried, is_copy }) => json!({
            "message": id, "from": from.0, "to": to.0, "kind": kind, "text": text, "carried": carried, "copy": is_copy,
        }),
        None => json!({ "message": id }),
    };
    match what {
        What::Started(incarnation) => ("start", json!({ "incarnation": incarnation.0 })),
        What::Stopped => ("stop", json!({})),
        What::Paused => ("pause", json!({})),
        What::Resumed => ("resume", json!({})),
        What::Sent(id) => ("send", message(*id)),
        What::Delivered(id) => ("deliver", message(*id)),
        What::Lost(id, why) => {
            let mut document = message(*id);
            document["why"] = json!(why);
            ("lose", document)
        }
        What::Timer { text, .. } => ("timer", json!({ "text": text })),
        What::Command(text) => ("command", json!({ "text": text })),
        What::Event { text, .. } => ("event", json!({ "text": text })),
        What::Note(text) => ("note", json!({ "text": text })),
        What::Persisted { text, .. } => ("persist", json!({ "text": text })),
        What::Durable(through) => ("durable", json!({ "through": through.0 })),
        What::State(state) => ("state", json!({ "text": state.text, "kind": state.kind })),
        What::Fault(fault) => ("fault", json!({ "text": fault.to_string() })),
        What::Healed => ("heal", json!({})),
        What::Repeats => ("repeat", json!({})),
        What::Broken { property, text } => ("broken", json!({ "property": property, "text": text })),
    }
}

//! The shortest run that breaks without a rule, where the scenario of its chapter does not show what the rule is for.
//!
//! Chance rarely meets the one order of events that a rule forbids. The checker meets every order, and each rule names a
//! model in which something breaks without it: its counterexample becomes a run, so that it is summed up, drawn and
//! exported as any other.

use super::{End, Held, Ran, roles};
use crate::chapter::World;
use crate::model::{CheckedModel, Explored, Found};
use crate::shell::{PropertyCard, Shell};
use std::collections::BTreeSet;
use volvox_core::fault::Target;
use volvox_core::{Fault, Instant, Scheduled, When};
use volvox_sim::{Recording, Statistics, What};

/// The model in which a run was found, where none of a scenario broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundIn {
    /// The name of the model.
    pub model: &'static str,
    /// How many states were explored until then.
    pub states: u64,
    /// How many decisions the run takes.
    pub steps: usize,
}

/// The models that show what this rule is for, in the order in which the chapter names them.
pub fn models_of(shell: &dyn Shell, rule: &str) -> Vec<CheckedModel> {
    let mut models = shell.models();
    models.retain(|model| model.expects.rule() == Some(rule));
    models
}

/// The counterexample of such a model as a run, when it was explored with this chapter as its interpreter and recorded. `None` when it
/// shows nothing: there is none, it breaks before anything happens, or it could not be followed by hand.
pub fn breaking_run(shell: &dyn Shell, model: &CheckedModel, explored: &Explored) -> Option<Ran> {
    let found = explored.found.as_ref()?;
    let (property, _) = model.expects.counterexample()?;
    if found.actions.is_empty() || !found.replayed || found.recording.moments.is_empty() {
        return None;
    }
    let nodes = found.nodes as u64;
    let took = found.recording.moments.last().map_or(Instant::ZERO, |moment| moment.at);
    Some(Ran {
        chapter: shell.card().id,
        title: shell.card().title,
        roles: roles(shell, nodes),
        logs: Vec::new(),
        world: World::Checked,
        found_in: Some(FoundIn { model: model.name, states: explored.states, steps: found.actions.len() }),
        seed: 0,
        nodes,
        without: model.expects.rule(),
        end: End::Broken,
        took,
        statistics: counted(shell, &found.recording),
        events: found.judged.events.clone(),
        faults: faults(&found.recording),
        in_vain: Vec::new(),
        healed: None,
        properties: properties(shell, property, found, took),
        left_out: 0,
        chain: None,
        recording: Some(found.recording.clone()),
        draw_from: None,
        trace: found.trace.lines().map(str::to_string).collect(),
    })
}

/// The verdicts on the chapter's properties, and on the one that is broken: it may be one that only the model asks.
fn properties(shell: &dyn Shell, broken: &'static str, found: &Found, at: Instant) -> Vec<(PropertyCard, Held)> {
    let judged = |name: &str| match found.judged.properties.iter().find(|(one, _)| *one == name) {
        None => Held::NotAsked,
        Some((_, Ok(()))) => Held::Yes,
        Some((_, Err(text))) => Held::No { at, text: text.clone() },
    };
    let cards = shell.properties().cards().into_iter();
    let mut properties: Vec<_> = cards.map(|card| (card, judged(card.name))).collect();
    let no = Held::No { at, text: found.why() };
    match properties.iter_mut().find(|(card, _)| card.name == broken) {
        Some((_, held)) => *held = no,
        None => {
            let when = if found.cycle_from.is_some() { When::AtEnd } else { When::Always };
            properties.push((PropertyCard { name: broken, source: "asked by the model", when }, no));
        }
    }
    properties
}

/// The crashes and restarts of a run. Each node starts once without a fault.
fn faults(recording: &Recording) -> Vec<Scheduled> {
    let mut started = BTreeSet::new();
    let fault_of = recording.moments.iter().filter_map(|moment| {
        let fault = match moment.what {
            What::Stopped => Fault::Crash { who: Target::Node(moment.node), without_disk: false },
            What::Started(_) if !started.insert(moment.node) => Fault::Start(moment.node),
            _ => return None,
        };
        Some(Scheduled { fault, at: moment.at.since(Instant::ZERO) })
    });
    fault_of.collect()
}

/// Counts what a recording holds.
fn counted(shell: &dyn Shell, recording: &Recording) -> Statistics {
    let mut statistics = Statistics::default();
    let known = shell.universe().messages;
    for moment in &recording.moments {
        match &moment.what {
            What::Sent(id) => {
                statistics.sent += 1;
                let Some(envelope) = recording.messages.get(*id) else { continue };
                let Some(kind) = known.iter().find(|kind| **kind == envelope.kind) else { continue };
                let counts = match envelope.carried {
                    Some(_) => &mut statistics.kinds,
                    None => &mut statistics.carrier_kinds,
                };
                counts.add(kind);
            }
            What::Delivered(_) => statistics.delivered += 1,
            What::Lost(_, "down") => statistics.dropped_down += 1,
            What::Lost(..) => statistics.dropped_lost += 1,
            What::Timer { .. } => statistics.timers += 1,
            What::Command(_) => statistics.commands += 1,
            What::Event { .. } => statistics.events += 1,
            What::Persisted { .. } => statistics.records += 1,
            _ => {}
        }
    }
    statistics
}

//! The result of an exploration, and the counterexample that it found.

use super::Expects;
use crate::exploring::Judged;
use crate::shrink::schedule::Followed;
use std::time::Duration;
use volvox_check::{Ended, Exercised, Report};
use volvox_core::NodeId;
use volvox_sim::{Moment, Recording, What};

/// The result of an exploration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explored {
    /// The end of the exploration.
    pub ended: Ended,
    /// The properties that were asked.
    pub asked: Vec<String>,
    /// How many states were found.
    pub states: u64,
    /// How deep it went.
    pub depth: u32,
    /// A shortest run that breaks a property.
    pub found: Option<Found>,
    /// The states that should be reachable and were not seen.
    pub unreached: Vec<String>,
    /// States at the bounds of the model, which were checked and not looked behind.
    pub outside: u64,
    /// Links whose queue was full, and how many messages each dropped.
    pub overflowed: Vec<String>,
    /// Why liveness holds although the space was cut at its bounds, where the model declares it.
    pub budgets: Option<String>,
    /// The chance that two states were confused is below two to the power of minus this.
    pub collision_bits: u32,
    /// The words and faults that some explored state showed.
    pub happened: Exercised,
    /// The words of the protocol and the faults of the model that no explored state showed: commands, messages, deliveries, timers,
    /// records, events, faults.
    pub never: Vec<String>,
    /// The most memory that it took, in bytes, by the checker's own estimate.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// A counterexample, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// How many nodes there are; none where states are plain values.
    pub nodes: usize,
    /// The property that breaks.
    pub property: String,
    /// The decisions of the world, in order.
    pub actions: Vec<String>,
    /// The decision from which on they repeat forever, for a violated liveness property.
    pub cycle_from: Option<usize>,
    /// The run with fresh processes, one line per effect.
    pub trace: String,
    /// The run as a script with what followed from each line, as far as the world that is driven by hand could follow it.
    pub script: String,
    /// The run as data, for a diagram; empty unless [`Exploring::is_recorded`](crate::exploring::Exploring::is_recorded).
    pub recording: Recording,
    /// The judgement of the chapter on the end of the run; empty unless it is recorded.
    pub judged: Judged,
    /// Whether the run with fresh processes, by the checker and by the world that is driven by hand, ended in the state that
    /// the exploration had found.
    pub replayed: bool,
}

impl Found {
    /// The breach at the end of the run, in a sentence.
    pub fn why(&self) -> String {
        let mut judged = self.judged.properties.iter().filter(|(name, _)| *name == self.property);
        let broken = judged.find_map(|(_, answer)| answer.clone().err());
        let steps = self.actions.len();
        match (broken, self.cycle_from) {
            (Some(text), _) => text,
            (None, Some(from)) if from == steps => "nothing more ever happens, and it never comes".to_string(),
            (None, Some(from)) if from + 1 == steps => format!("step {steps} is repeated forever, and it never comes"),
            (None, Some(from)) => format!("steps {} to {steps} are repeated forever, and it never comes", from + 1),
            (None, None) => format!("it is broken after step {steps}"),
        }
    }

    /// Takes over what the world that is driven by hand wrote down.
    pub(super) fn follow(&mut self, followed: Followed, is_recorded: bool) {
        let Followed { world, script, judged, .. } = followed;
        self.script = script;
        if !is_recorded {
            return;
        }
        self.judged = judged.unwrap_or_default();
        self.recording = world.recording();
        let what = What::Broken { property: self.property.clone(), text: self.why() };
        self.recording.moments.push(Moment { at: world.now(), node: NodeId(0), what });
    }
}

impl Explored {
    /// Whether every state was visited and nothing is broken; otherwise why what was asked is not decided.
    ///
    /// # Errors
    /// When it is not.
    pub fn decided(&self) -> Result<(), String> {
        if self.ended == Ended::Exhausted { Ok(()) } else { Err(self.why_not()) }
    }

    /// Whether it came to what was expected; otherwise what is wrong.
    ///
    /// # Errors
    /// When it did not.
    pub fn verdict(&self, expects: Expects) -> Result<(), String> {
        match (expects, &self.found) {
            (Expects::Holds { states }, None) => {
                if self.ended != Ended::Exhausted {
                    return Err(self.why_not());
                }
                if self.states != states {
                    return Err(format!("{} states, where {states} were pinned", self.states));
                }
                Ok(())
            }
            (Expects::Holds { .. }, Some(found)) => {
                Err(format!("{} is broken in {} decisions", found.property, found.actions.len()))
            }
            (Expects::Counterexample { property, .. } | Expects::Without { property, .. }, None) => {
                Err(format!("no run breaks {property} in {} states: {}", self.states, self.why_not()))
            }
            (Expects::Counterexample { property, steps } | Expects::Without { property, steps, .. }, Some(found)) => {
                if found.property != property {
                    return Err(format!("{} is broken, where {property} was expected", found.property));
                }
                if found.actions.len() != steps {
                    return Err(format!("{} decisions break it, where {steps} were pinned", found.actions.len()));
                }
                if !found.replayed {
                    return Err("fresh processes with the same inputs do not end in the same state".to_string());
                }
                Ok(())
            }
        }
    }

    /// The limits of a verdict: where the exploration was cut, and the actions that never happened in it, one per line.
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if self.outside > 0 {
            caveats.push(format!("{} states at the bounds were not looked behind", self.outside));
        }
        caveats.extend(self.overflowed.iter().map(|link| format!("a full queue dropped messages: {link}")));
        caveats.extend(self.budgets.iter().map(|why| format!("liveness is that of runs within the bounds: {why}")));
        if !self.never.is_empty() {
            caveats.push(format!("never happened: {}", together(&self.never)));
        }
        caveats
    }

    /// Why an exploration without a counterexample shows nothing.
    fn why_not(&self) -> String {
        match self.ended {
            Ended::Exhausted => "every state was visited".to_string(),
            Ended::Violated => "a property is broken".to_string(),
            Ended::Undecided => "no violation was found, but runs leave the bounds: liveness is undecided".to_string(),
            Ended::Unreached => format!("exhausted, and never seen: {}", self.unreached.join(", ")),
            Ended::StatesMax => format!("not exhausted: stopped at {} states", self.states),
            Ended::BytesMax => format!("not exhausted: stopped at {} MiB, {} states", self.bytes >> 20, self.states),
            Ended::DepthMax => format!("not exhausted: stopped at depth {}, {} states", self.depth, self.states),
            Ended::Cancelled => format!("not exhausted: interrupted at {} states", self.states),
        }
    }
}

/// The gaps of a model in one line: `command Keep, Release; message Release`.
pub fn together(never: &[String]) -> String {
    let mut text = String::new();
    let mut before = "";
    for line in never {
        let what = if line.starts_with("delivery of ") { "delivery of" } else { line.split(' ').next().unwrap_or("") };
        let rest = line[what.len()..].trim_start();
        match (text.is_empty(), what == before) {
            (true, _) => text += line,
            (false, true) => text += &format!(", {rest}"),
            (false, false) => text += &format!("; {line}"),
        }
        before = what;
    }
    text
}

pub(super) fn told<S, A>(report: &Report<S, A>, found: Option<Found>, took: Duration) -> Explored {
    let overflowed = report.overflowed.iter();
    Explored {
        ended: report.ended,
        asked: Vec::new(),
        states: report.states,
        depth: report.depth,
        found,
        unreached: report.unreached.clone(),
        outside: report.outside,
        overflowed: overflowed.map(|link| format!("{} -> {}, {} of them", link.from, link.to, link.dropped)).collect(),
        budgets: report.budgets.clone(),
        collision_bits: report.collision_bound_bits(),
        happened: Exercised::default(),
        never: Vec::new(),
        bytes: report.bytes,
        took,
    }
}

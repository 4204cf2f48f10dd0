//! Printing, drawing and writing an exploration.

use super::task::{Task, Verdict};
use super::{CheckArguments, terminal};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use terminal::say;
use volvox_chapters::REGISTRY;
use volvox_lab::check::Exercised;
use volvox_lab::diagram::{self, Diagram};
use volvox_lab::model::{Explored, Found};
use volvox_lab::never::{self, Never};
use volvox_lab::shell::Shell;

/// The sum of all explorations.
#[derive(Default)]
pub struct Total {
    documents: Vec<Value>,
    never: Vec<Value>,
    states: u64,
    count: usize,
    is_asked: bool,
    bad: usize,
    open: usize,
    outside: u64,
    collision_bits: Option<u32>,
}

impl Total {
    /// Adds one.
    pub fn add(&mut self, task: &Task, explored: &Explored, verdict: &Verdict) {
        self.documents.push(document(task, explored, verdict));
        self.states += explored.states;
        self.count += 1;
        self.is_asked |= task.question.is_some();
        self.bad += usize::from(matches!(verdict, Verdict::Bad(_)));
        self.open += usize::from(matches!(verdict, Verdict::Open(_)));
        self.outside += explored.outside;
        let bits = explored.collision_bits;
        self.collision_bits = Some(self.collision_bits.map_or(bits, |least| least.min(bits)));
    }

    /// Whether everything is as it was pinned, or as it was asked.
    pub fn is_good(&self) -> bool {
        self.bad + self.open == 0
    }

    /// Prints the gaps in the models of a chapter, each with the reason that the chapter gives.
    pub fn never(&mut self, json: bool, shell: &'static dyn Shell, happened: &Exercised) {
        let id = shell.card().id;
        let known = REGISTRY.never(id);
        let is_note =
            |never: &&Never| never.what.strip_prefix("note ").is_some_and(|note| !happened.notes.contains(note));
        let notes: Vec<Never> = known.iter().filter(is_note).cloned().collect();
        let all = [never::of(shell, happened, &BTreeSet::new(), &known), notes].concat();
        if !json && !all.is_empty() {
            say(format_args!("      in none of the models of {id}:\n"));
            all.iter().for_each(|never| say(format_args!("        {}: {}\n", never.what, never.why)));
        }
        self.never.extend(all.iter().map(|never| json!({ "protocol": id, "what": never.what, "why": never.why })));
    }

    /// Prints it.
    pub fn say(self, json: bool, seconds: f64) {
        let Total { documents, never, states, count, is_asked, bad, open, outside, collision_bits } = self;
        if json {
            let summary = json!({
                "models": documents, "states": states, "states_at_bounds": outside, "seconds": seconds,
                "collision_below_2_to_minus": collision_bits, "failed": bad, "undecided": open, "never_in_any_model": never,
            });
            return say(format_args!("{summary}\n"));
        }
        let models = if count == 1 { "model" } else { "models" };
        let verdict = match (is_asked, bad, open) {
            (true, 0, 0) => "everything that was asked holds".to_string(),
            (true, 0, _) => "not decided: --states and --memory are the limits".to_string(),
            (true, ..) => "what was asked does not hold".to_string(),
            (false, 0, _) => "all as expected".to_string(),
            (false, 1, _) => "one is NOT as expected".to_string(),
            (false, bad, _) => format!("{bad} are NOT as expected"),
        };
        say(format_args!("\n{count} {models}, {states} states, {seconds:.1} s: {verdict}\n"));
        if outside > 0 {
            say(format_args!("{outside} states at the bounds of their models were not explored further\n"));
        }
        if let Some(bits) = collision_bits {
            say(format_args!("the chance that two states were confused is below 2^-{bits} in each model\n"));
        }
    }
}

/// Prints the line of a model, and below it what the verdict does not say.
pub fn print(task: &Task, explored: &Explored, verdict: &Verdict, arguments: &CheckArguments) {
    let is_told = arguments.trace || arguments.model.is_some() || task.question.is_some();
    let name = format!("{}: {}", task.id, task.name);
    let seconds = explored.took.as_secs_f64();
    let Explored { states, depth, .. } = explored;
    say(format_args!("{name:<62} {states:>10} {depth:>6} {seconds:>6.1} s  {}\n", verdict.text()));
    // A counterexample is valid whatever was cut; a property that holds, holds for what was explored.
    if explored.found.is_none() {
        explored.caveats().iter().for_each(|caveat| say(format_args!("      {caveat}\n")));
    }
    if let Some(found) = &explored.found
        && is_told
    {
        for (number, action) in found.actions.iter().enumerate() {
            if found.cycle_from == Some(number) {
                say(format_args!("      and from here on, in a cycle:\n"));
            }
            say(format_args!("  {:>3}. {action}\n", number + 1));
        }
        say(format_args!("\n"));
        found.trace.lines().for_each(|line| say(format_args!("       {line}\n")));
    }
}

/// Draws and writes a counterexample, as was asked; says whether it could.
///
/// # Errors
/// When a file cannot be written.
pub fn keep(
    arguments: &CheckArguments,
    json: bool,
    shell: &'static dyn Shell,
    task: &Task,
    found: &Found,
) -> Result<bool> {
    if !arguments.wants_one() || found.script.is_empty() {
        return Ok(false);
    }
    let diagram = Diagram::of_counterexample(shell, &task.name, found, &arguments.picture.view(false));
    if arguments.diagram && !json {
        say(format_args!("\n{}\n", diagram::terminal(&diagram, terminal::paper())));
    }
    arguments.picture.write(&diagram)?;
    if let Some(file) = &arguments.save {
        let (card, nodes) = (shell.card(), found.nodes);
        let without = task.without().map_or(String::new(), |rule| format!("without {rule}\n"));
        let text = format!(
            "# {}, {}: {} is broken\n# in the model's own configuration, which `volvox lab check {}` explores\n\
             protocol {}\nnodes {nodes}\n{without}\n{}",
            card.title,
            task.name,
            found.property,
            task.arguments(),
            card.id,
            found.script
        );
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(true)
}

fn document(task: &Task, explored: &Explored, verdict: &Verdict) -> Value {
    let found = explored.found.as_ref().map(|found| {
        json!({
            "property": found.property, "actions": found.actions, "cycle_from": found.cycle_from, "trace": found.trace,
            "script": found.script,
        })
    });
    let bounds = task.question.as_ref().map(|question| {
        let values = question.values().map(|(name, value)| {
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            (name.to_string(), value)
        });
        values.collect::<Map<_, _>>()
    });
    json!({
        "protocol": task.id,
        "model": task.name,
        "text": task.text,
        "bounds": bounds,
        "without": task.without(),
        "properties": explored.asked,
        "states": explored.states,
        "depth": explored.depth,
        "seconds": explored.took.as_secs_f64(),
        "ended": format!("{:?}", explored.ended),
        "states_at_bounds": explored.outside,
        "overflowed": explored.overflowed,
        "liveness_within_bounds": explored.budgets,
        "collision_below_2_to_minus": explored.collision_bits,
        "never_happened": explored.never,
        "bytes": explored.bytes,
        "counterexample": found,
        "verdict": verdict.word(),
        "as_expected": matches!(verdict, Verdict::Good(_)),
        "wrong": if matches!(verdict, Verdict::Good(_)) { None } else { Some(verdict.text()) },
    })
}

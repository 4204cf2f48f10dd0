//! `volvox lab sweep`: runs many seeds of a protocol under every fault that it claims to survive, and shrinks the
//! failures.

use super::run::{check_writable, write_file};
use super::sweep_arguments::SweepArguments;
use super::terminal::say;
use super::{code, store_sweep, terminal};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use volvox_chapters::REGISTRY;
use volvox_lab::diagram::{self, Diagram, View};
use volvox_lab::shrink::{self, Shrunk, SweepRequest};

/// Sweeps.
///
/// # Errors
/// When an argument is invalid, or the counterexample cannot be written.
pub fn run(arguments: &SweepArguments, json: bool) -> Result<ExitCode> {
    if arguments.protocol == "store" {
        if arguments.without.is_some() || arguments.save.is_some() {
            bail!("the sweep of the store cannot remove a rule, and a failure is replayed from its seed: --seed N");
        }
        return store_sweep::run(arguments, json);
    }
    let shell = REGISTRY.find(&arguments.protocol)?;
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let seeds = if arguments.seed.is_some() { 1 } else { arguments.seeds };
    if jobs == 0 || seeds == 0 || arguments.failures == 0 {
        bail!("a sweep needs at least one seed, one job and one failure to print: give 1 or more");
    }
    arguments.save.as_deref().map_or(Ok(()), check_writable)?;
    let request = SweepRequest {
        first_seed: arguments.seed.unwrap_or(arguments.from),
        seeds,
        nodes: arguments.nodes,
        without: arguments.without.clone(),
        property: None,
        jobs,
        failures_max: arguments.failures,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let report = shrink::sweep(shell, &request, &|done, failures| {
        if is_terminal {
            eprint!("\r{done} of {seeds} seeds, {failures} failed");
            let _ = std::io::stderr().flush();
        }
    })?;
    if is_terminal {
        eprint!("\r\x1b[K");
    }
    let script = report.found.first().and_then(|found| found.text.as_ref());
    if let (Some(file), Some(text)) = (&arguments.save, script) {
        write_file(file, text)?;
    }
    if json {
        let found: Vec<Value> = report.found.iter().map(document).collect();
        say(format_args!(
            "{}\n",
            json!({
                "protocol": report.chapter, "seeds": report.seeds, "steps": report.steps,
                "failures": found, "seed_failures": report.found.len(),
            })
        ));
    } else {
        say(format_args!("{report}\n"));
        if let (Some(found), Some(text)) = (report.found.first(), script) {
            let title = format!("{}, seed {}", shell.card().title, found.seed);
            if let Ok(replayed) = shrink::replay(shell, text) {
                let diagram = Diagram::of_script(shell, &title, &replayed, &View::PROTOCOL);
                say(format_args!("\n{}\n", diagram::terminal(&diagram, terminal::paper())));
            }
        }
        if let (Some(rule), true) = (&arguments.without, report.found.is_empty()) {
            let protocol = &arguments.protocol;
            say(format_args!(
                "nothing broke without {rule} in these runs; `volvox lab check {protocol} --without {rule}` explores \
                 all runs of small instances, and finds one that breaks\n"
            ));
        }
        if let (Some(file), Some(_)) = (&arguments.save, script) {
            say(format_args!("replay: volvox lab replay {}\n", file.display()));
        } else if let Some(found) = report.found.first() {
            say(format_args!("replay: {}\n", replay_line(arguments, found.seed)));
        }
    }
    Ok(code(report.found.is_empty()))
}

fn document(found: &Shrunk) -> Value {
    json!({
        "seed": found.seed, "property": found.breach.property, "reason": found.breach.text,
        "decisions": found.decisions.0, "decisions_left": found.decisions.1,
        "actions": found.actions.0, "actions_left": found.actions.1,
        "events": found.events, "script": found.text,
    })
}

fn replay_line(arguments: &SweepArguments, seed: u64) -> String {
    let mut line = format!("volvox lab sweep {} --seed {seed}", arguments.protocol);
    if let Some(nodes) = arguments.nodes {
        line += &format!(" --nodes {nodes}");
    }
    if let Some(rule) = &arguments.without {
        line += &format!(" --without {rule}");
    }
    line + " --save FILE"
}

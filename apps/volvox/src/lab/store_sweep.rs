//! `volvox lab sweep store`: the whole service over the real log, under every fault.

use super::sweep_arguments::SweepArguments;
use crate::print::say;
use anyhow::{Result, bail};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use volvox_sweep::sweep::{Outcome, Sweep, TraceRing, replay, replay_line, running};

/// How many lines of the trace `--seed` prints.
const TRACE_LINES: usize = 200;

/// Sweeps the store, or runs one of its seeds.
///
/// # Errors
/// When an argument is invalid.
pub fn run(arguments: &SweepArguments, json: bool) -> Result<ExitCode> {
    let SweepArguments { seeds, from, seed, nodes, jobs, .. } = *arguments;
    if let Some(nodes) = nodes
        && nodes != 3
        && nodes != 5
    {
        bail!("the sweep of the store runs with 3 or 5 nodes, by default with both in turn, not with {nodes}");
    }
    let jobs = jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    if jobs == 0 || seeds == 0 {
        bail!("a sweep needs at least one seed and one job: give --seeds and --jobs of 1 or more");
    }
    let sweep = Sweep { first_seed: from, seeds, nodes, jobs, stop_at_failure: false };
    if let Some(seed) = seed {
        return run_one(&sweep, seed, json);
    }
    say_what_panics();
    let is_terminal = std::io::stderr().is_terminal();
    let outcome = sweep.run(
        || {},
        |done, failures| {
            if is_terminal {
                eprint!("\r{done} of {seeds} seeds, {failures} failed");
                let _ = std::io::stderr().flush();
            }
        },
    );
    if is_terminal {
        eprintln!();
    }
    if json {
        say(document(&outcome))
    } else {
        say(&outcome)
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one seed with its trace on, and prints the end of the trace.
fn run_one(sweep: &Sweep, seed: u64, json: bool) -> Result<ExitCode> {
    let nodes = sweep.nodes_of(seed);
    say_what_panics();
    let ring = TraceRing::new(TRACE_LINES);
    let result = replay(seed, nodes, &ring);
    if json {
        let (chain, reason) = match &result {
            Ok(report) => (Some(format!("{:016x}", report.chain)), None),
            Err(reason) => (None, Some(reason)),
        };
        let trace = ring.lines();
        say(serde_json::json!({ "seed": seed, "nodes": nodes, "chain": chain, "reason": reason, "trace": trace }));
    } else {
        ring.lines().iter().for_each(say);
        match &result {
            Ok(report) => say(format_args!("seed {seed} with {nodes} nodes: passed, hash chain {:016x}", report.chain)),
            Err(reason) => say(format_args!("{reason}\nreplay: {}", replay_line(seed, nodes))),
        }
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A panic ends this program; the hook first prints the seed.
fn say_what_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some((seed, nodes)) = running() {
            eprintln!("replay: {}", replay_line(seed, nodes));
        }
    }));
}

fn document(outcome: &Outcome) -> serde_json::Value {
    let failures = outcome.failures.iter().map(|failure| {
        serde_json::json!({
            "seed": failure.seed, "reason": failure.reason, "replay": failure.replay, "trace": failure.trace,
        })
    });
    serde_json::json!({
        "seeds": outcome.seeds,
        "steps": outcome.steps,
        "counts": outcome.counts.iter().collect::<std::collections::BTreeMap<_, _>>(),
        "never_ran": outcome.never_ran(),
        "failures": failures.collect::<Vec<_>>(),
        "seed_failures": outcome.failures.len(),
    })
}

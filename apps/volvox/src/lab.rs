//! `volvox lab`: the laboratory's commands.

use anyhow::{Result, bail};
use clap::Subcommand;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use volvox_lab::sweep::{Outcome, Sweep, TraceRing, replay, replay_line, running};

/// Lines of the trace that `--seed` prints.
const TRACE_LINES: usize = 200;

/// What the laboratory does.
#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// Run many seeds of a protocol under every fault it claims to survive
    Sweep {
        /// What to run; `store` is the replicated store with the real log
        #[arg(value_parser = ["store"])]
        protocol: String,
        /// How many seeds
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Run only this seed, and print the end of its trace
        #[arg(long, conflicts_with_all = ["seeds", "from"])]
        seed: Option<u64>,
        /// Nodes: 3, 5, or both in turn
        #[arg(long, value_parser = ["3", "5"])]
        nodes: Option<String>,
        /// Seeds that run at a time; as many as there are cores when not said
        #[arg(long)]
        jobs: Option<usize>,
    },
}

/// Runs a laboratory command.
///
/// # Errors
/// When an argument makes no sense.
pub fn run(command: LabCommand, json: bool) -> Result<ExitCode> {
    let LabCommand::Sweep { seeds, from, seed, nodes, jobs, .. } = command;
    let nodes = nodes.map(|nodes| nodes.parse()).transpose()?;
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
        println!("{}", document(&outcome))
    } else {
        println!("{outcome}")
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one seed with its trace on, and prints the end of it.
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
        println!(
            "{}",
            serde_json::json!({ "seed": seed, "nodes": nodes, "chain": chain, "reason": reason, "trace": trace })
        );
    } else {
        ring.lines().iter().for_each(|line| println!("{line}"));
        match &result {
            Ok(report) => println!("seed {seed} with {nodes} nodes: good, hash chain {:016x}", report.chain),
            Err(reason) => println!("{reason}\nreplay: {}", replay_line(seed, nodes)),
        }
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A panic ends this program: before it does, it says which seed it was.
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

//! `verify` and its twin `fix`.
//!
//! `verify` runs the steps of [`steps`] in order, never writes into the sources, and stops at the first failure with the
//! command that repeats it. Only the first step uses the network, and only package registries: all that follow run with
//! cargo offline and the lock file closed, so a build that needs more fails here and not on a machine without a
//! network.

mod programs;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cargo::{self, STEP_LIMIT};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{child, compat, tidy};

/// The minutes that each part of the project may take of the gate, cold, on two quiet cores. A part that does not fit is a
/// command of its own.
const BUDGET_MINUTES: [(&str, u64); 1] = [("foundation: worlds, Raft, store, door, 22 chapters", 15)];

/// One step of the gate.
struct Step {
    name: &'static str,
    /// The command that repeats this step alone.
    repeat: &'static str,
    run: fn(&Workspace, &mut Tally) -> Result<()>,
}

fn steps() -> Vec<Step> {
    vec![
        Step { name: "fetch", repeat: "cargo fetch --locked", run: fetch },
        Step { name: "fmt", repeat: "cargo fmt --all --check", run: fmt },
        Step { name: "clippy", repeat: "cargo clippy --workspace --all-targets -- -D warnings", run: clippy },
        Step { name: "tidy", repeat: "cargo xtask tidy", run: |workspace, _| tidy::check(workspace) },
        Step { name: "doc", repeat: "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace", run: doc },
        Step { name: "test", repeat: "cargo test --workspace", run: test },
        Step { name: "compat", repeat: "cargo xtask compat", run: compat::step },
    ]
}

/// `cargo xtask verify [STEP...]`: all steps, or only those named.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let all = steps();
    for name in arguments {
        if !all.iter().any(|step| step.name == name) {
            let names: Vec<_> = all.iter().map(|step| step.name).collect();
            bail!("there is no step `{name}`; the steps are: {}", names.join(", "));
        }
    }
    let wanted = |step: &&Step| arguments.is_empty() || arguments.iter().any(|name| name == step.name);
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for step in all.iter().filter(wanted) {
        println!("\n== {} ({})", step.name, step.repeat);
        let started = Instant::now();
        let result = (step.run)(workspace, &mut tally);
        times.push((step.name, started.elapsed(), result.is_ok()));
        if let Err(error) = result {
            eprintln!("\nfailed: {}: {error:#}\nrepeat: {}", step.name, step.repeat);
            tally.failed = tally.failed.max(1);
            outcome = Err(anyhow::anyhow!("the gate is closed: step `{}` failed", step.name));
            break;
        }
    }
    print!("\n{}", timing_table(&times));
    print!("\n{}", tally.closing_lines());
    outcome
}

/// `cargo xtask fix`: the twin that writes.
pub fn fix(workspace: &Workspace, _arguments: &[String]) -> Result<()> {
    cargo::run(&mut workspace.cargo(&["fmt", "--all"]))?;
    cargo::run(&mut workspace.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
    ]))?;
    cargo::run(&mut workspace.cargo(&["fmt", "--all"]))
}

fn fetch(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    cargo::run(&mut workspace.cargo(&["fetch", "--locked"]))?;
    compat::fetch(workspace)
}

fn fmt(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    cargo::run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    cargo::run(&mut cargo::offline(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    cargo::run(cargo::offline(workspace, &["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn test(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    // Examples are compiled by clippy, and the one with tests here: to link all of them takes a minute and shows nothing.
    let selection = ["test", "--workspace", "--lib", "--bins", "--tests", "--example", "embed"];
    programs::run(workspace, &selection, tally)?;
    let (mut command, before) = (cargo::offline(workspace, &["test", "--workspace", "--doc"]), tally.passed);
    let status = child::stream(&mut command, STEP_LIMIT, |line| tally.add_line(line))?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(&command));
    }
    if tally.passed == before {
        bail!("`{}` ran no test at all", child::show(&command));
    }
    Ok(())
}

fn timing_table(times: &[(&str, Duration, bool)]) -> String {
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    let mut table = format!("{:<8} {:>9}  result\n", "step", "seconds");
    for (name, time, passed) in times {
        table += &format!("{name:<8} {:>9.1}  {}\n", time.as_secs_f64(), if *passed { "ok" } else { "FAILED" });
    }
    table += &format!("{:<8} {:>9.1}\n", "total", total.as_secs_f64());
    let budget: u64 = BUDGET_MINUTES.iter().map(|(_, minutes)| minutes * 60).sum();
    let parts: Vec<String> = BUDGET_MINUTES.iter().map(|(part, minutes)| format!("{part}: {minutes} min")).collect();
    let verdict = if total > Duration::from_secs(budget) { "EXCEEDED (cold, on two quiet cores)" } else { "kept" };
    table + &format!("{:<8} {:>9.1}  {verdict}; {}\n", "budget", budget as f64, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_step_and_the_sum() {
        let table =
            timing_table(&[("fmt", Duration::from_millis(1500), true), ("test", Duration::from_secs(60), false)]);
        assert!(table.contains("fmt            1.5  ok") && table.contains("test          60.0  FAILED"), "{table}");
        assert!(
            table.contains("total         61.5") && table.contains("budget       900.0  kept; foundation"),
            "{table}"
        );
        let slow = timing_table(&[("test", Duration::from_secs(901), true)]);
        assert!(slow.contains("budget       900.0  EXCEEDED"), "{slow}");
    }

    #[test]
    fn an_unknown_step_is_refused() {
        let error = run(&Workspace::locate().unwrap(), &["tests".to_string()]).unwrap_err();
        assert!(error.to_string().contains("no step `tests`"), "{error}");
    }
}

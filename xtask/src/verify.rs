//! `verify` and its twin `fix`.
//!
//! `verify` runs the steps of [`steps`] in order, never writes into the sources, and stops at the first failure with the
//! command that repeats it. Only the first step uses the network, and only package registries: all that follow run with
//! cargo offline and the lock file closed, so a build that wants more than that fails here and not on somebody's train.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{child, compat, tidy};

/// No step takes longer; one that does has hung.
const STEP_LIMIT: Duration = Duration::from_secs(45 * 60);

/// The minutes that each part of the project may take of the gate, cold, on two quiet cores. A part that does not fit is a
/// command of its own.
const BUDGET_MINUTES: [(&str, u64); 1] = [("foundation: worlds, Raft, store, door, 22 chapters", 15)];

/// Tests and checks counted over all steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// What could not be run on this machine, one entry a test or check: its name and the reason.
    pub skipped: Vec<String>,
}

impl Tally {
    /// What was not run, a line each, then the counts in one line: the last thing that is printed.
    pub fn closing_lines(&self) -> String {
        let mut lines: String = self.skipped.iter().map(|what| format!("NOT RUN: {what}\n")).collect();
        lines += &format!("{} passed, {} failed", self.passed, self.failed);
        if !self.skipped.is_empty() {
            lines += &format!(", {} skipped", self.skipped.len());
        }
        lines + "\n"
    }

    /// Adds the result line of one test binary, or the line of a test that was not run, as `cargo test` prints them;
    /// other lines count nothing.
    fn add_line(&mut self, line: &str) {
        if let Some((name, why)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored")) {
            self.skipped.push(format!("{name}: it is marked as ignored{why}"));
        }
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(kind)) = (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match kind {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                _ => {}
            }
        }
    }
}

/// One step of the gate.
struct Step {
    name: &'static str,
    /// What a person types to repeat this step alone.
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
    run_cargo(&mut workspace.cargo(&["fmt", "--all"]))?;
    run_cargo(&mut workspace.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
    ]))?;
    run_cargo(&mut workspace.cargo(&["fmt", "--all"]))
}

fn fetch(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    run_cargo(&mut workspace.cargo(&["fetch", "--locked"]))?;
    compat::fetch(workspace)
}

fn fmt(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    run_cargo(&mut workspace.cargo(&["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    run_cargo(&mut offline(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn doc(workspace: &Workspace, _tally: &mut Tally) -> Result<()> {
    run_cargo(offline(workspace, &["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn test(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let mut command = offline(workspace, &["test", "--workspace"]);
    let status = child::stream(&mut command, STEP_LIMIT, |line| tally.add_line(line))?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(&command));
    }
    if tally.passed == 0 {
        bail!("`{}` ran no test at all", child::show(&command));
    }
    Ok(())
}

/// Cargo with everything already fetched: what asks the network now is refused.
pub fn offline(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = workspace.cargo(arguments);
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

/// Runs a command to its end with its output going through.
pub fn run_cargo(command: &mut Command) -> Result<()> {
    let status = child::stream(command, STEP_LIMIT, |_| {})?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(command));
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
    fn result_lines_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        tally
            .add_line("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s");
        tally.add_line(
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        );
        tally.add_line("test votes_9 passed; 9 failed");
        tally.add_line("test votes ... ok");
        assert_eq!(tally, Tally { passed: 16, failed: 2, skipped: Vec::new() });
    }

    #[test]
    fn the_last_line_counts_what_was_not_run_and_the_lines_above_it_name_it() {
        let mut tally = Tally { passed: 7, ..Tally::default() };
        assert_eq!(tally.closing_lines(), "7 passed, 0 failed\n");
        tally.add_line("test log::a_long_one ... ignored, a minute");
        tally.skipped.push("chrony: its client asks our server: there is no chronyd here".to_owned());
        let lines = tally.closing_lines();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(
            lines,
            [
                "NOT RUN: log::a_long_one: it is marked as ignored, a minute",
                "NOT RUN: chrony: its client asks our server: there is no chronyd here",
                "7 passed, 0 failed, 2 skipped",
            ]
        );
    }

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

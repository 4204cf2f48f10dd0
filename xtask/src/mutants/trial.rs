//! Tries one mutant after the other: each in an OS process of its own, under limits of time and memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::report::{Fate, Verdict};
use crate::child;

/// One mutant takes no longer.
const MUTANT_LIMIT: Duration = Duration::from_secs(600);
/// The limit of a check is this many times its duration with the true code, and at least the second constant.
const SLOWER: u32 = 10;
const CHECK_LIMIT_MIN: Duration = Duration::from_secs(20);
/// The limit of an exploration is this many times its states with the true code, and at least the second constant.
const LARGER: u64 = 4;
const STATES_MIN: u64 = 200_000;
/// Address space of a trial, in KiB.
const MEMORY_KIB: u64 = 8 << 20;

/// A check of the chapter, as it is with the true code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its number in the driver.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// How long it takes.
    pub took: Duration,
    /// How many states it finds, where it explores.
    pub states: u64,
}

/// The output of the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Line {
    Begin(usize, String),
    End { number: usize, millis: u64, states: u64, outcome: String, text: String },
    Panic(String),
    Other,
}

/// Does every check of a chapter with the true code; the cheapest come first in the answer.
pub fn baseline(driver: &Path, chapter: &str) -> Result<Vec<Check>> {
    let output = child::capture(&mut command(driver, chapter, 0, &[]), MUTANT_LIMIT)?;
    let (mut checks, mut names, mut wrong) = (Vec::new(), Vec::new(), String::new());
    for line in output.stdout.lines() {
        match read(line) {
            Line::Begin(_, name) => names.push(name),
            Line::End { number, millis, states, outcome, text } => {
                let name = names.last().cloned().unwrap_or_default();
                match outcome.as_str() {
                    "as-expected" => checks.push(Check { number, name, took: Duration::from_millis(millis), states }),
                    // A script of another configuration than the chapter's, or one that shows how something breaks.
                    _ if name.starts_with("script ") => {}
                    _ => wrong += &format!("{name}: {outcome} {text}\n"),
                }
            }
            Line::Panic(_) | Line::Other => {}
        }
    }
    if !wrong.is_empty() || !output.status.success() {
        bail!(
            "the true code of {chapter} fails:\n{wrong}{}{}",
            output.stdout.lines().last().unwrap_or_default(),
            output.stderr
        );
    }
    // The scenario, the sweep, then whatever is quick.
    checks.sort_by_key(|check| (check.number > 1, check.took));
    Ok(checks)
}

/// The event that ends a trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Any check notices the mutant.
    Noticed,
    /// A property that must hold is broken: a negative, a claim or an assertion does not suffice.
    PropertyBroken,
}

/// Tries a mutant on every check, until one notices it as is asked.
pub fn trial(driver: &Path, chapter: &str, mutant: u32, checks: &[Check], until: Until) -> Result<Verdict> {
    let begun = Instant::now();
    let mut verdict = Verdict { fate: Fate::Survived, by: String::new(), text: String::new(), remarks: Vec::new() };
    let mut noticed: Option<Verdict> = None;
    let mut left = checks;
    while !left.is_empty() {
        let (done, fate) = run(driver, chapter, mutant, left, begun + MUTANT_LIMIT, &mut verdict)?;
        left = &left[done..];
        if let Some(fate) = fate {
            let one = Verdict { fate, ..verdict.clone() };
            if until == Until::Noticed || fate == Fate::Property {
                return Ok(one);
            }
            noticed.get_or_insert(one);
        }
        if begun.elapsed() >= MUTANT_LIMIT && !left.is_empty() {
            verdict.remarks.push(format!("{} checks were not done within {MUTANT_LIMIT:?}", left.len()));
            verdict.fate = Fate::Undecided;
            break;
        }
    }
    Ok(noticed.unwrap_or(verdict))
}

/// One OS process: how many of these checks are behind it, and what it came to, if a check noticed the mutant.
fn run(
    driver: &Path,
    chapter: &str,
    mutant: u32,
    checks: &[Check],
    deadline: Instant,
    verdict: &mut Verdict,
) -> Result<(usize, Option<Fate>)> {
    let asked: Vec<String> = checks
        .iter()
        .map(|check| format!("{}:{}", check.number, (check.states * LARGER).max(check.states + STATES_MIN)))
        .collect();
    let mut command = command(driver, chapter, mutant, &asked);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the driver")?;
    let lines = child::read_lines(child.stdout.take().context("its output is a pipe")?);
    let (mut done, mut panic) = (0, String::new());
    let outcome = loop {
        let Some(check) = checks.get(done) else { break Ok((done, None)) };
        let limit = (check.took * SLOWER).max(CHECK_LIMIT_MIN).min(deadline.saturating_duration_since(Instant::now()));
        match lines.recv_timeout(limit).map(|line| read(&line)) {
            Ok(Line::Panic(text)) => panic = text,
            Ok(Line::End { outcome, text, .. }) => {
                done += 1;
                verdict.by.clone_from(&check.name);
                verdict.text = if outcome == "assertion" && !panic.is_empty() { panic.clone() } else { text.clone() };
                match outcome.as_str() {
                    "as-expected" if text.is_empty() => {}
                    "as-expected" | "undecided" | "refused" => {
                        verdict.remarks.push(format!("{}: {text}", check.name));
                        // A script that goes another way than was written says nothing.
                        if outcome == "undecided" && !check.name.starts_with("script ") {
                            verdict.fate = Fate::Undecided;
                        }
                    }
                    _ => break Ok((done, Some(Fate::named(&outcome)?))),
                }
            }
            Ok(Line::Begin(..) | Line::Other) => {}
            Err(RecvTimeoutError::Timeout) => {
                verdict.remarks.push(format!("{}: no end within {limit:?}", check.name));
                verdict.fate = Fate::Undecided;
                break Ok((done + 1, None));
            }
            Err(RecvTimeoutError::Disconnected) if !panic.is_empty() => {
                verdict.by.clone_from(&check.name);
                verdict.text = panic;
                break Ok((done + 1, Some(Fate::Assertion)));
            }
            Err(RecvTimeoutError::Disconnected) => {
                verdict.remarks.push(format!("{}: it ended without a word, as when memory is short", check.name));
                verdict.fate = Fate::Undecided;
                break Ok((done + 1, None));
            }
        }
    };
    child::end(&mut child);
    outcome
}

fn command(driver: &Path, chapter: &str, mutant: u32, checks: &[String]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")).arg(driver).arg(chapter);
    command.arg(mutant.to_string()).args(checks);
    command
}

fn read(line: &str) -> Line {
    let parsed = || -> Option<Line> {
        let (word, rest) = line.split_once(' ')?;
        Some(match word {
            "begin" => {
                let (number, name) = rest.split_once(' ')?;
                Line::Begin(number.parse().ok()?, name.to_string())
            }
            "end" => {
                let mut parts = rest.splitn(5, ' ');
                let mut number = || parts.next()?.parse::<u64>().ok();
                let (number, millis, states) = (number()? as usize, number()?, number()?);
                let (outcome, text) = (parts.next()?.to_string(), parts.next().unwrap_or_default().to_string());
                Line::End { number, millis, states, outcome, text }
            }
            "panic" => Line::Panic(rest.to_string()),
            _ => return None,
        })
    };
    parsed().unwrap_or(Line::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_read_line_by_line() {
        assert_eq!(read("begin 3 model \"a b\""), Line::Begin(3, "model \"a b\"".to_string()));
        let end = |outcome: &str, text: &str| Line::End {
            number: 3,
            millis: 12,
            states: 40,
            outcome: outcome.to_string(),
            text: text.to_string(),
        };
        assert_eq!(read("end 3 12 40 property mutual exclusion in 5"), end("property", "mutual exclusion in 5"));
        assert_eq!(read("end 3 12 40 as-expected "), end("as-expected", ""));
        assert_eq!(read("panic src/x.rs:3 it is not inside"), Line::Panic("src/x.rs:3 it is not inside".to_string()));
        assert_eq!(read("end x 12"), Line::Other);
        assert_eq!(read("warning"), Line::Other);
    }
}

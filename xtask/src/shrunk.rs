//! `cargo xtask shrunk`: the shrunk sizes of all failures, in one table: the planted bugs of the store, the rules that
//! chapters are swept without, and the counterexamples of the checker.

use crate::child;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// The longest median, in events, that is short.
const MEDIAN_MAX: usize = 25;
/// Both take a few minutes, and building the laboratory some more.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// The last line of each example: the lengths of all runs that it shrank.
const LENGTHS: &str = "events: ";

const PLANTED: [&str; 10] = [
    "run",
    "-q",
    "-p",
    "volvox-sweep",
    "--profile",
    "unwinding",
    "--features",
    "planted-bugs",
    "--example",
    "planted_shrunk",
];
const CHAPTERS: [&str; 7] = ["run", "-q", "-p", "volvox-chapters", "--release", "--example", "shrunk"];

/// Builds both examples and runs them, one after the other; closes with the median of all.
///
/// # Errors
/// When a planted bug is not made short, or a median is over [`MEDIAN_MAX`].
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("shrunk takes no arguments, and was given `{argument}`");
    }
    let mut lengths = Vec::new();
    for (name, command) in [("planted bugs", &PLANTED[..]), ("chapters", &CHAPTERS[..])] {
        let mut of_these = Vec::new();
        let status = child::stream(&mut workspace.cargo(command), LIMIT, |line| of_these.extend(lengths_in(line)))?;
        if !status.success() {
            bail!("{name}: not everything became short; the table is printed above");
        }
        let median = median(&mut of_these).with_context(|| format!("{name}: nothing became short"))?;
        if median > MEDIAN_MAX {
            bail!("{name}: the median is {median} events, and {MEDIAN_MAX} is what may be");
        }
        lengths.append(&mut of_these);
    }
    let median = median(&mut lengths).context("nothing became short")?;
    println!("{} counterexamples in all, median {median} events", lengths.len());
    Ok(())
}

/// The numbers of a line such as `events: [3, 5, 8]`; none of another line.
fn lengths_in(line: &str) -> Vec<usize> {
    let list = line.strip_prefix(LENGTHS).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
    list.map(|list| list.split(", ").filter_map(|number| number.parse().ok()).collect()).unwrap_or_default()
}

fn median(lengths: &mut [usize]) -> Option<usize> {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_lengths_is_read_and_no_other() {
        assert_eq!(lengths_in("events: [3, 5, 18]"), [3, 5, 18]);
        assert!(lengths_in("events: []").is_empty());
        assert!(lengths_in("48 counterexamples, median 5 events, longest 18").is_empty());
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(&mut [9, 1, 5]), Some(5));
        assert_eq!(median(&mut []), None);
    }
}

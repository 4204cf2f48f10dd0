//! The record of the last run without a fault of each foreign client: `tests/compat/green.txt`.
//!
//! The laboratory reads it: a row of the catalogue that asks for a foreign client is met by such a line. A run that a client
//! was absent from keeps its line, and makes none.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::child;
use crate::workspace::Workspace;

/// The path of the record.
const FILE: &str = "tests/compat/green.txt";

/// Git takes no longer.
const LIMIT: Duration = Duration::from_secs(20);

/// The commit that is about to be tried, if the checkout is that commit and nothing else.
pub fn commit(workspace: &Workspace) -> Result<String> {
    let git = |arguments: &[&str]| {
        let output = child::capture(Command::new("git").args(arguments).current_dir(workspace.root()), LIMIT)?;
        if !output.status.success() {
            bail!("`git {}` failed", arguments.join(" "));
        }
        Ok(output.stdout.trim().to_string())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if !changed.is_empty() {
        bail!("a record names a commit, and this checkout has changes:\n{changed}");
    }
    git(&["rev-parse", "--short", "HEAD"])
}

/// Writes that these clients (with their versions) ran without a fault against this commit, today.
pub fn record(workspace: &Workspace, commit: &str, clients: &[(&str, String)]) -> Result<()> {
    let file = workspace.root().join(FILE);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {FILE}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let lines: Vec<(String, String)> = clients
        .iter()
        .map(|(client, version)| (client.to_string(), format!("{client} {version} {} {commit}", date(now.as_secs()))))
        .collect();
    fs::write(&file, replaced(&text, &lines)).with_context(|| format!("cannot write {FILE}"))
}

/// The text with the line of each of these clients replaced, or added.
fn replaced(text: &str, lines: &[(String, String)]) -> String {
    let is_of = |line: &str, client: &str| line.split_whitespace().next() == Some(client);
    let kept = text.lines().filter(|line| !lines.iter().any(|(client, _)| is_of(line, client)));
    kept.chain(lines.iter().map(|(_, line)| line.as_str())).map(|line| format!("{line}\n")).collect()
}

/// The day of this second since 1970, in UTC: `2026-11-30`.
fn date(seconds: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut days, mut year) = (seconds / 86_400, 1970);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_counted_from_1970() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_735_689_599), "2024-12-31");
        assert_eq!(date(1_796_083_200), "2026-12-01");
    }

    #[test]
    fn a_line_is_replaced_and_that_of_an_absent_client_is_kept() {
        let text = "# client version date commit\nchronyd 4.3 2026-01-01 aaaaaaa\netcdctl 3.5.0 2026-01-01 aaaaaaa\n";
        let lines = [("etcdctl".to_string(), "etcdctl 3.5.1 2026-11-30 bbbbbbb".to_string())];
        let after = "# client version date commit\nchronyd 4.3 2026-01-01 aaaaaaa\netcdctl 3.5.1 2026-11-30 bbbbbbb\n";
        assert_eq!(replaced(text, &lines), after);
    }
}

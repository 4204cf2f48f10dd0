//! Foreign clients: independent programs, run against a cluster of three nodes.
//!
//! `cargo xtask compat` fetches `etcdctl` 3.5, starts three nodes of the development build, runs every check against every
//! node, and prints a table. With `--against-etcd` the cluster is three members of etcd itself: an expectation that does
//! not hold there is wrong, whatever we answer. With `--drop-in` our binary takes the place of that `etcd`, under its name
//! and with the very flags. A word selects the checks whose name contains it.
//!
//! Then [`moving`]: snapshots carried between etcd and us. Then [`chrony`]: the NTP of `crates/clocks` and `chronyd` ask each other.

mod check;
mod chrony;
mod chronyd;
mod clients;
mod cluster;
mod green;
mod kv;
mod lease;
mod maintenance;
mod members;
mod moving;
mod perf;
mod recipes;
mod txn;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::tally::Tally;
use crate::workspace::Workspace;
use check::{Check, Node};
use clients::Clients;
use cluster::Cluster;

pub use perf::run as check_perf;

/// Every check in the order in which they run; those that compact or change members come last.
const CHECKS: &[&[Check]] =
    &[kv::CHECKS, txn::CHECKS, watch::CHECKS, lease::CHECKS, recipes::CHECKS, maintenance::CHECKS, members::CHECKS];

/// The checks that the gate also runs against our binary under the name of etcd.
const DROP_IN_CHECKS: &[&[Check]] = &[kv::CHECKS, members::CHECKS];

/// The cluster of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// Nodes of ours, started by `volvox up`.
    Volvox,
    /// Our binary, started as etcd is.
    DropIn,
    /// Members of etcd.
    Etcd,
}

/// The result of one check against one node.
struct Outcome {
    name: &'static str,
    node: usize,
    time: Duration,
    problem: Option<String>,
}

/// `cargo xtask compat [--against-etcd | --drop-in | --record] [WORD...]`: with `--record`, a clean run of all checks is recorded.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let (flags, words): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument.starts_with("--"));
    if let Some(unknown) =
        flags.iter().find(|flag| !["--against-etcd", "--drop-in", "--record"].contains(&flag.as_str()))
    {
        bail!("there is no flag `{unknown}`; there are --against-etcd, --drop-in and --record");
    }
    let server = match flags.first().map(String::as_str) {
        Some("--against-etcd") => Server::Etcd,
        Some("--drop-in") => Server::DropIn,
        _ => Server::Volvox,
    };
    if flags.len() > 1 || (flags == ["--record"] && !words.is_empty()) {
        bail!("--record needs a run of all checks against our own nodes: it cannot be combined with other arguments");
    }
    let commit = (flags == ["--record"]).then(|| green::commit(workspace)).transpose()?;
    let mut tally = Tally::default();
    let mut result = run_checks(workspace, server, &words, &mut tally);
    if let (Ok(()), Some(commit)) = (&result, &commit) {
        result = green::record(workspace, commit, &clients_of(workspace)?);
    }
    if result.is_err() {
        tally.failed = tally.failed.max(1);
    }
    print!("{}", tally.closing_lines());
    result
}

/// The foreign clients that are here, with their versions.
fn clients_of(workspace: &Workspace) -> Result<Vec<(&'static str, String)>> {
    let mut clients = vec![("etcdctl", Clients::fetch(workspace)?.version)];
    let number = |version: &str| version.split_whitespace().last().unwrap_or_default().to_string();
    clients.extend(chrony::fetch(workspace).map(|chronyd| ("chronyd", number(&chronyd.version))));
    Ok(clients)
}

/// The step of `verify`: every check against our own cluster.
pub fn step(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    run_checks(workspace, Server::Volvox, &[], tally)?;
    let checks: Vec<&Check> = DROP_IN_CHECKS.iter().copied().flatten().collect();
    run_etcd(workspace, Server::DropIn, &checks, tally)
}

/// Fetches the clients, so that the network is needed at the beginning only.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    Clients::fetch(workspace)?;
    // Without it the gate is weaker, says so, and continues.
    let _ = chrony::fetch(workspace);
    Ok(())
}

/// Runs what `words` select, and counts what could not be run, because a foreign program is absent, as skipped.
fn run_checks(workspace: &Workspace, server: Server, words: &[String], tally: &mut Tally) -> Result<()> {
    let selected = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let checks: Vec<&Check> = CHECKS.iter().copied().flatten().filter(|check| selected(check.name)).collect();
    // The other checks have nothing to do with chrony.
    let with_chrony = server == Server::Volvox && chrony::names().any(selected);
    let with_moving = server == Server::Volvox && moving::names().any(selected);
    if checks.is_empty() && !with_chrony && !with_moving {
        bail!("no check's name contains {words:?}");
    }
    if !checks.is_empty() {
        run_etcd(workspace, server, &checks, tally)?;
    }
    if with_moving {
        moving::run(workspace, tally)?;
    }
    if with_chrony { chrony::run(workspace, selected, tally) } else { Ok(()) }
}

fn run_etcd(workspace: &Workspace, server: Server, checks: &[&Check], tally: &mut Tally) -> Result<()> {
    let clients = Clients::fetch(workspace)?;
    if server != Server::Etcd {
        cargo::run(&mut cargo::offline(workspace, &["build", "--package", "volvox"]))?;
    }
    let folder = working_folder()?;
    println!("data and logs are in {}; after an interrupt, `volvox down` there", folder.display());
    let cluster = match server {
        Server::Volvox => Cluster::volvox(&workspace.volvox(), &folder)?,
        Server::DropIn => Cluster::drop_in(&workspace.volvox(), &clients.etcdctl, &folder)?,
        Server::Etcd => Cluster::etcd(&clients.etcd, &folder)?,
    };
    let outcomes = run_all(checks, &clients, cluster.endpoints(), &folder)?;
    let stopped = cluster.stop();
    print!("{}", table(checks, &outcomes));
    let failed = outcomes.iter().filter(|outcome| outcome.problem.is_some()).count();
    tally.passed += (outcomes.len() - failed) as u64;
    tally.failed += failed as u64;
    if failed > 0 {
        bail!("{failed} of {} checks failed; every command and its answer is in {}", outcomes.len(), folder.display());
    }
    stopped
        .with_context(|| format!("the checks passed, and then the cluster did not stop; see {}", folder.display()))?;
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn run_all(checks: &[&Check], clients: &Clients, endpoints: &[String], folder: &Path) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for check in checks {
        for number in 1..=endpoints.len() {
            let node = Node::new(&clients.etcdctl, endpoints, number, check.name, folder)?;
            let started = Instant::now();
            let problem = (check.run)(&node).err().map(|error| format!("{error:#}"));
            let outcome = Outcome { name: check.name, node: number, time: started.elapsed(), problem };
            if let Some(problem) = &outcome.problem {
                node.write_log(&format!("FAILED: {problem}\n"))?;
                eprintln!("FAILED: {} (node {number}): {problem}", outcome.name);
            }
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

fn table(checks: &[&Check], outcomes: &[Outcome]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0).max("check".len());
    let mut text = format!("{:<width$}  {:>8} {:>8} {:>8}  seconds\n", "check", "node 1", "node 2", "node 3");
    for check in checks {
        let row: Vec<_> = outcomes.iter().filter(|outcome| outcome.name == check.name).collect();
        text += &format!("{:<width$} ", check.name);
        for number in 1..=3 {
            let cell = row.iter().find(|outcome| outcome.node == number);
            text += &format!(" {:>8}", cell.map_or("-", |cell| if cell.problem.is_none() { "ok" } else { "FAILED" }));
        }
        let seconds: f64 = row.iter().map(|outcome| outcome.time.as_secs_f64()).sum();
        text += &format!("  {seconds:>7.2}\n");
    }
    text
}

/// A fresh folder for the data, the logs and what the checks write.
fn working_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("volvox-compat-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_names_are_distinct() {
        let etcd = CHECKS.iter().copied().flatten().map(|check| check.name);
        let mut names: Vec<_> = etcd.chain(moving::names()).chain(chrony::names()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_table_shows_each_node_and_what_failed() {
        let check = Check { name: "put", run: |_| Ok(()) };
        let outcome = |node, problem: Option<&str>| Outcome {
            name: "put",
            node,
            time: Duration::from_millis(500),
            problem: problem.map(str::to_string),
        };
        let text = table(&[&check], &[outcome(1, None), outcome(2, Some("no")), outcome(3, None)]);
        let row: Vec<_> = text.lines().last().unwrap_or("").split_whitespace().collect();
        assert_eq!(row, ["put", "ok", "FAILED", "ok", "1.50"], "{text}");
    }

    #[test]
    fn a_flag_that_does_not_exist_and_a_word_without_checks_are_refused() {
        let workspace = Workspace::locate().unwrap();
        assert!(run(&workspace, &["--against".to_string()]).unwrap_err().to_string().contains("--against-etcd"));
        let both = ["--record".to_string(), "txn".to_string()];
        assert!(run(&workspace, &both).unwrap_err().to_string().contains("cannot be combined"));
        assert!(run(&workspace, &["no such check".to_string()]).unwrap_err().to_string().contains("no such check"));
    }
}

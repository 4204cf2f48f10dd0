//! `cargo xtask bench etcd`: how fast three of our nodes are, and how fast three members of etcd are in the same minutes.
//!
//! For every row of [`row::ROWS`] and every round, both sides start with nothing, run alone, and are driven by the same
//! `volvox bench` over the same disk; the side that goes first alternates. A figure is the median of the rounds, shown
//! with the smallest and the largest. A comparison while anything else runs is meaningless: it is refused beforehand,
//! and void when another load interfered.

mod members;
mod processes;
mod report;
mod row;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::child;
use crate::workspace::Workspace;
use members::{Members, Side};
use processes::{FOREIGN_CORES_MAX, Foreigners, load_average};
use report::{Outcome, Report};
use row::{Bench, ROWS, Row};

/// etcd's dependencies take a while to compile where they never were.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// How long others are watched before anything begins.
const WATCH: Duration = Duration::from_secs(2);

const USAGE: &str = "usage: cargo xtask bench etcd [--rounds 5] [--secs 10] [--only ROW,...] [--json FILE] [--anyway]";

/// The options of the command.
struct Arguments {
    rounds: usize,
    secs: f64,
    rows: Vec<&'static Row>,
    json: Option<String>,
    anyway: bool,
}

/// `cargo xtask bench etcd`.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let arguments = parse(arguments)?;
    let etcd = build_etcd(workspace)?;
    cargo::run(&mut cargo::offline(workspace, &["build", "--release", "--package", "volvox"]))?;
    let volvox = workspace.volvox_release();
    let load = load_average()?;
    let strangers = Foreigners::start(&[])?.after(WATCH)?;
    println!("load average before: {load}; others use {:.2} cores", strangers.cores);
    if strangers.cores > FOREIGN_CORES_MAX && !arguments.anyway {
        bail!("something else runs ({}): wait, or use --anyway and get a void result", strangers.names());
    }
    let folder = workspace.volvox_release().with_file_name(format!("bench-{}", std::process::id()));
    let mut report = Report::new(load, arguments.rounds, arguments.secs, version_of(&etcd)?);
    if strangers.cores > FOREIGN_CORES_MAX {
        report.void(format!("before the first run: {}", strangers.names()));
    }
    for row in &arguments.rows {
        for round in 0..arguments.rounds {
            let order = if round % 2 == 0 { [Side::Volvox, Side::Etcd] } else { [Side::Etcd, Side::Volvox] };
            for side in order {
                let bench = Bench { volvox: &volvox, secs: arguments.secs };
                let outcome = run_once(&bench, &etcd, row, side, &folder)
                    .with_context(|| format!("{} of {}, round {}", row.name, side.name(), round + 1))?;
                println!("{}", outcome.line(row, side, round));
                report.add(row, side, outcome);
            }
        }
        println!();
    }
    print!("{}", report.text());
    if let Some(path) = &arguments.json {
        std::fs::write(path, format!("{:#}\n", report.document())).with_context(|| format!("cannot write {path}"))?;
    }
    report.verdict()
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let mut words = arguments.iter();
    if words.next().map(String::as_str) != Some("etcd") {
        bail!("{USAGE}");
    }
    let mut parsed = Arguments { rounds: 5, secs: 10.0, rows: ROWS.iter().collect(), json: None, anyway: false };
    while let Some(flag) = words.next() {
        let mut value = || words.next().with_context(|| format!("{flag} needs a value; {USAGE}"));
        match flag.as_str() {
            "--rounds" => parsed.rounds = value()?.parse().context("--rounds")?,
            "--secs" => parsed.secs = value()?.parse().context("--secs")?,
            "--json" => parsed.json = Some(value()?.clone()),
            "--anyway" => parsed.anyway = true,
            "--only" => parsed.rows = value()?.split(',').map(find_row).collect::<Result<_>>()?,
            _ => bail!("there is no flag `{flag}`; {USAGE}"),
        }
    }
    if parsed.rounds == 0 || parsed.secs <= 0.0 {
        bail!("nothing to measure: --rounds and --secs must be above zero");
    }
    Ok(parsed)
}

fn find_row(name: &str) -> Result<&'static Row> {
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    ROWS.iter().find(|row| row.name == name).with_context(|| format!("there is no row `{name}`; there are {names:?}"))
}

/// The peer, from its module pinned by `go.sum`.
fn build_etcd(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let binary = workspace.tools().join("etcd-3.6");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(&binary).arg(".");
    go.current_dir(workspace.root().join("benches/etcd"));
    let status = child::stream(&mut go, BUILD_LIMIT, |_| {}).context("etcd is built with Go, from https://go.dev")?;
    if !status.success() {
        bail!("`{}` ended with {status}", child::show(&go));
    }
    Ok(binary)
}

fn version_of(etcd: &Path) -> Result<String> {
    let output = child::capture(Command::new(etcd).arg("--version"), Duration::from_secs(20))?;
    Ok(output.stdout.lines().next().unwrap_or("etcd of an unknown version").to_owned())
}

/// One row, one side, from an empty folder to an empty folder.
fn run_once(bench: &Bench<'_>, etcd: &Path, row: &Row, side: Side, folder: &Path) -> Result<Outcome> {
    // The remains of an earlier run that was interrupted.
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let members = match side {
        Side::Volvox => Members::volvox(bench.volvox, folder)?,
        Side::Etcd => Members::etcd(etcd, bench.volvox, folder)?,
    };
    let watched = Foreigners::start(&members.pids())?;
    let figures = (row.measure)(bench, &members)?;
    let strangers = watched.stop()?;
    drop(members);
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(Outcome { figures, strangers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(text: &str) -> Result<Arguments> {
        parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_understood_and_others_refused() {
        let arguments = parse_words("etcd --rounds 2 --secs 1.5 --only put,get --anyway").unwrap();
        assert_eq!((arguments.rounds, arguments.secs, arguments.anyway), (2, 1.5, true));
        assert_eq!(arguments.rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["put", "get"]);
        for wrong in ["", "consul", "etcd --only gett", "etcd --rounds", "etcd --rounds 0", "etcd --fast"] {
            assert!(parse_words(wrong).is_err(), "{wrong:?}");
        }
    }
}

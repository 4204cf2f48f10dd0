//! `volvox-chaos PROGRAM [--rounds N] [SCENARIO...]`: run by `cargo xtask chaos`.

// Chaos happens in real time.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;
use volvox_live::chaos::replace;
use volvox_live::chaos::rounds::{self, Scenario};
use volvox_live::cluster::LiveCluster;

const PORT_BASE: u16 = 24_100;
const WRITERS: usize = 6;
/// The scenario that has a cluster of its own, because nothing is left of it afterwards.
const REPLACE: &str = "replace-members";
/// The limits for an election: the median, and the worst case.
const MEDIAN_MAX: Duration = Duration::from_secs(1);
const WORST_MAX: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = PathBuf::from(arguments.next().context("usage: volvox-chaos PROGRAM [--rounds N] [SCENARIO...]")?);
    let (mut rounds_each, mut chosen, mut replaces) = (10, Vec::new(), false);
    while let Some(argument) = arguments.next() {
        if argument == "--rounds" {
            rounds_each = arguments.next().and_then(|text| text.parse().ok()).context("--rounds takes a number")?;
        } else if argument == REPLACE {
            replaces = true;
        } else {
            let known = Scenario::ALL.iter().find(|scenario| scenario.name() == argument);
            let names = Scenario::ALL.map(Scenario::name).join(", ");
            let unknown = || format!("{argument:?} is not a scenario; these are: {names}, {REPLACE}");
            chosen.push(*known.with_context(unknown)?);
        }
    }
    if chosen.is_empty() && !replaces {
        chosen.extend(Scenario::ALL);
        replaces = true;
    }
    print_titles();
    if replaces {
        replace(&program, rounds_each).await?;
    }
    if chosen.is_empty() {
        return Ok(());
    }
    let mut cluster = LiveCluster::start(&program, "chaos", 3, PORT_BASE, &[])?;
    let result = run(&cluster, &chosen, rounds_each).await;
    if result.is_err() {
        cluster.keep();
    }
    result
}

async fn run(cluster: &LiveCluster, chosen: &[Scenario], rounds_each: usize) -> Result<()> {
    let (mut elections, mut passed) = (Vec::new(), 0);
    for scenario in chosen {
        let outcome = rounds::run(cluster, *scenario, rounds_each, WRITERS).await?;
        print(outcome.scenario.name(), &outcome.gaps, outcome.promised, outcome.reads, outcome.errors);
        passed += 1;
        if scenario.loses_leader() {
            elections.extend(outcome.gaps);
        }
    }
    let took = rounds::minority(cluster).await.context("the minority")?;
    println!("a minority refused a put after {:.1} s, and served a serializable read", took.as_secs_f64());
    passed += 1;
    if !elections.is_empty() {
        elections.sort_unstable();
        let (median, worst) = (elections[elections.len() / 2], elections[elections.len() - 1]);
        let all: Vec<String> = elections.iter().map(|gap| format!("{:.0}", gap.as_secs_f64() * 1000.0)).collect();
        println!("to the next acknowledged write after losing the leader, ms: {}", all.join(" "));
        println!("median {:.0} ms, worst {:.0} ms", median.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
        if median >= MEDIAN_MAX || worst >= WORST_MAX {
            bail!("an election took too long: median below 1 s and worst below 3 s are promised");
        }
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}

fn print_titles() {
    let [fault, times, median, p90, worst, writes, reads, errors] =
        ["fault", "times", "median", "p90", "worst", "writes", "reads", "errors"];
    println!("{fault:<16} {times:>6} {median:>9} {p90:>9} {worst:>9} {writes:>9} {reads:>9} {errors:>7}");
}

/// One line of the table; the gaps are those to the next acknowledged write.
fn print(name: &str, gaps: &[Duration], promised: u64, reads: u64, errors: u64) {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable();
    let at =
        |share: f64| format!("{:.0} ms", gaps[((gaps.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3);
    let (median, p90, worst, times) = (at(0.5), at(0.9), at(1.0), gaps.len());
    println!("{name:<16} {times:>6} {median:>9} {p90:>9} {worst:>9} {promised:>9} {reads:>9} {errors:>7}");
}

async fn replace(program: &Path, rounds: usize) -> Result<()> {
    let replaced = replace::run(program, rounds, WRITERS).await?;
    print(REPLACE, &replaced.gaps, replaced.promised, replaced.reads, replaced.errors);
    println!("{} members were replaced, {} of them while they led", replaced.gaps.len(), replaced.leaders);
    if replaced.gaps.iter().any(|gap| *gap >= WORST_MAX) {
        bail!("after a removal no write was acknowledged for {WORST_MAX:?}");
    }
    Ok(())
}

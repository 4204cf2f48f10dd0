//! `volvox-chaos PROGRAM [--rounds N] [SCENARIO...]`: run by `cargo xtask chaos`.

// Chaos happens in real time.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::time::Duration;
use volvox_live::chaos::rounds::{self, Outcome, Scenario};
use volvox_live::cluster::LiveCluster;

const PORT_BASE: u16 = 24_100;
const WRITERS: usize = 6;
/// What the issue promises of an election: the median, and the worst.
const MEDIAN_MAX: Duration = Duration::from_secs(1);
const WORST_MAX: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = PathBuf::from(arguments.next().context("usage: volvox-chaos PROGRAM [--rounds N] [SCENARIO...]")?);
    let (mut rounds_each, mut chosen) = (10, Vec::new());
    while let Some(argument) = arguments.next() {
        if argument == "--rounds" {
            rounds_each = arguments.next().and_then(|text| text.parse().ok()).context("--rounds takes a number")?;
        } else {
            let known = Scenario::ALL.iter().find(|scenario| scenario.name() == argument);
            let names = Scenario::ALL.map(Scenario::name).join(", ");
            chosen.push(*known.with_context(|| format!("{argument:?} is no scenario; these are: {names}"))?);
        }
    }
    if chosen.is_empty() {
        chosen.extend(Scenario::ALL);
    }
    let mut cluster = LiveCluster::start(&program, "chaos", 3, PORT_BASE, &[])?;
    let result = run(&cluster, &chosen, rounds_each).await;
    if result.is_err() {
        cluster.keep();
    }
    result
}

async fn run(cluster: &LiveCluster, chosen: &[Scenario], rounds_each: usize) -> Result<()> {
    println!(
        "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "fault", "times", "median", "p90", "worst", "writes", "reads", "errors"
    );
    let (mut elections, mut passed) = (Vec::new(), 0);
    for scenario in chosen {
        let outcome = rounds::run(cluster, *scenario, rounds_each, WRITERS).await?;
        print(&outcome);
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

fn print(outcome: &Outcome) {
    let mut gaps = outcome.gaps.clone();
    gaps.sort_unstable();
    let at =
        |share: f64| format!("{:.0} ms", gaps[((gaps.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3);
    println!(
        "{:<16} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}",
        outcome.scenario.name(),
        gaps.len(),
        at(0.5),
        at(0.9),
        at(1.0),
        outcome.promised,
        outcome.reads,
        outcome.errors
    );
}

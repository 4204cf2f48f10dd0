//! The measurements, and their bars.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::members::Members;

/// Filling etcd with 100,000 keys, and the rest around a measurement, takes no longer.
const AROUND: Duration = Duration::from_secs(120);
/// Load before anything is counted.
const WARMUP_S: f64 = 2.0;
const KEYS: i64 = 100_000;
const OVERWRITES: i64 = 200_000;
/// The wait of the memory row after its compaction.
const REST: Duration = Duration::from_secs(10);

/// How a measurement is made.
pub struct Bench<'a> {
    /// The load generator, and one of the sides.
    pub volvox: &'a Path,
    /// How long is measured.
    pub secs: f64,
}

/// One figure of one run.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name; the same on both sides.
    pub name: &'static str,
    /// The value.
    pub value: f64,
}

/// The bound on our figure divided by the peer's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// At least this ratio.
    AtLeast(f64),
    /// At most this ratio.
    AtMost(f64),
    /// Printed for the explanation.
    None,
}

impl Bar {
    /// Whether a ratio passes; nothing can be said where nothing is demanded.
    pub fn is_met(self, ratio: f64) -> Option<bool> {
        match self {
            Bar::AtLeast(least) => Some(ratio >= least),
            Bar::AtMost(most) => Some(ratio <= most),
            Bar::None => None,
        }
    }
}

/// One row of the comparison: one cluster, one load, some figures.
pub struct Row {
    /// Its name for `--only`.
    pub name: &'static str,
    /// Its figures, their units and their bars.
    pub figures: &'static [(&'static str, &'static str, Bar)],
    /// Runs it on members that have nothing yet.
    pub measure: fn(&Bench<'_>, &Members) -> Result<Vec<Figure>>,
}

const CPU: (&str, &str, Bar) = ("cpu/op", "us", Bar::None);
const THROUGHPUT: &str = "throughput";

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        name: "put",
        figures: &[
            (THROUGHPUT, "/s", Bar::AtLeast(2.5)),
            ("p99", "us", Bar::AtMost(0.5)),
            ("p50", "us", Bar::None),
            CPU,
        ],
        measure: |bench, members| loaded(bench, members, &["put"]),
    },
    Row {
        name: "get",
        figures: &[(THROUGHPUT, "/s", Bar::AtLeast(2.0)), ("p99", "us", Bar::None), ("p50", "us", Bar::None), CPU],
        measure: |bench, members| loaded(bench, members, &["get"]),
    },
    Row {
        name: "range",
        figures: &[(THROUGHPUT, "/s", Bar::AtLeast(50.0)), ("p99", "us", Bar::None), CPU],
        measure: |bench, members| loaded(bench, members, &["range", "--limit", "100"]),
    },
    Row {
        name: "page",
        figures: &[(THROUGHPUT, "/s", Bar::AtLeast(50.0)), ("p99", "us", Bar::None), ("writes", "/s", Bar::None), CPU],
        measure: |bench, members| loaded(bench, members, &["page", "--limit", "500", "--writers", "4"]),
    },
    Row {
        name: "latency",
        figures: &[
            ("leader p50", "us", Bar::AtMost(1.0)),
            ("leader p99", "us", Bar::None),
            ("follower p50", "us", Bar::AtMost(1.0)),
            ("follower p99", "us", Bar::None),
        ],
        measure: latency,
    },
    Row {
        name: "memory",
        figures: &[
            ("largest", "MiB", Bar::AtMost(1.0)),
            ("mean", "MiB", Bar::AtMost(1.0)),
            ("before rest", "MiB", Bar::None),
        ],
        measure: memory,
    },
];

/// 64 clients on 8 connections, keys of 16 bytes and values of 256.
fn loaded(bench: &Bench<'_>, members: &Members, load: &[&str]) -> Result<Vec<Figure>> {
    let shape = ["--clients", "64", "--conns", "8", "--value", "256", "--keys", "100000"];
    if load[0] != "put" {
        // Filled beforehand, so that the processor time of the members is that of the load alone.
        let fill = ["get", "--secs", "0.1", "--warmup", "0"];
        members.bench(members.endpoints(), &[&fill[..], &shape].concat(), AROUND)?;
    }
    let (secs, warmup) = (bench.secs.to_string(), WARMUP_S.to_string());
    let window = ["--secs", &secs, "--warmup", &warmup];
    let limit = AROUND + Duration::from_secs_f64(bench.secs);
    let before = members.processor_seconds()?;
    let document = members.bench(members.endpoints(), &[load, &shape, &window].concat(), limit)?;
    let used = members.processor_seconds()? - before;
    let throughput = number(&document, "/throughput")?;
    // The members worked through the warm-up as well, at much the same pace.
    let per_operation = used * 1e6 / (throughput * (bench.secs + WARMUP_S)).max(1.0);
    let mut figures = vec![
        Figure { name: THROUGHPUT, value: throughput },
        Figure { name: "p50", value: number(&document, "/latency_us/p50")? },
        Figure { name: "p99", value: number(&document, "/latency_us/p99")? },
        Figure { name: CPU.0, value: per_operation },
    ];
    if document.get("writes").is_some() {
        figures.push(Figure { name: "writes", value: number(&document, "/writes/throughput")? });
    }
    Ok(figures)
}

/// One client that puts, at the leader and then at a follower.
fn latency(bench: &Bench<'_>, members: &Members) -> Result<Vec<Figure>> {
    let (leader, follower) = members.leader_and_follower()?;
    let secs = (bench.secs / 2.0).to_string();
    let put = |endpoint: String, p50, p99| -> Result<Vec<Figure>> {
        let arguments = ["put", "--clients", "1", "--conns", "1", "--value", "256", "--secs", &secs, "--warmup", "1"];
        let document = members.bench(&[endpoint], &arguments, AROUND + Duration::from_secs_f64(bench.secs))?;
        Ok(vec![
            Figure { name: p50, value: number(&document, "/latency_us/p50")? },
            Figure { name: p99, value: number(&document, "/latency_us/p99")? },
        ])
    };
    let at_leader = put(leader.clone(), "leader p50", "leader p99")?;
    let at_follower = put(follower, "follower p50", "follower p99")?;
    let (leader_now, _) = members.leader_and_follower()?;
    if leader_now != leader {
        bail!("the leader changed from {leader} to {leader_now} during the measurement");
    }
    Ok([at_leader, at_follower].concat())
}

/// Exactly 100,000 distinct puts, 200,000 overwrites, one compaction and 10 s of rest.
fn memory(_: &Bench<'_>, members: &Members) -> Result<Vec<Figure>> {
    let shape = ["put", "--clients", "64", "--conns", "8", "--value", "256"];
    let (keys, overwrites) = (KEYS.to_string(), OVERWRITES.to_string());
    let before = members.revision()?;
    for total in [&keys, &overwrites] {
        let exactly = ["--total", total.as_str(), "--keys", &keys];
        let document = members.bench(members.endpoints(), &[&shape[..], &exactly].concat(), AROUND * 5)?;
        if number(&document, "/errors")? > 0.0 {
            bail!("some puts failed: {}", document["error_kinds"]);
        }
    }
    let revision = members.revision()?;
    if revision != before + KEYS + OVERWRITES {
        bail!("the revision went from {before} to {revision}, which is not {KEYS} and {OVERWRITES} puts");
    }
    members.compact(revision)?;
    let at_once = members.resident_mib()?;
    std::thread::sleep(REST);
    let resident = members.resident_mib()?;
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    Ok(vec![
        Figure { name: "largest", value: resident.iter().copied().fold(0.0, f64::max) },
        Figure { name: "mean", value: mean(&resident) },
        Figure { name: "before rest", value: mean(&at_once) },
    ])
}

fn number(document: &Value, path: &str) -> Result<f64> {
    document.pointer(path).and_then(Value::as_f64).with_context(|| format!("no {path} in {document}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_met_from_the_right_side() {
        assert_eq!(Bar::AtLeast(2.5).is_met(2.5), Some(true));
        assert_eq!(Bar::AtLeast(2.5).is_met(2.4), Some(false));
        assert_eq!(Bar::AtMost(0.5).is_met(0.5), Some(true));
        assert_eq!(Bar::AtMost(0.5).is_met(0.6), Some(false));
        assert_eq!(Bar::None.is_met(0.6), None);
    }
}

//! `volvox bench`: how fast a cluster is, ours or any other that serves etcd v3.
//!
//! A closed loop: each of `--clients` has one request in flight, and sends the next when the response has arrived.
//! Clients are spread over `--conns` connections, and these evenly over the members. A latency is the time a client
//! waits, from before the request is encoded until its response is decoded.
//!
//! The measurement must show the cluster and not this program, which often shares the cluster's two cores. So the
//! program runs on the runtime of its caller (which should have one thread), speaks HTTP/2 without the layers of a
//! patient client, slices keys and values from buffers made in advance, and reports how much processor time it used
//! itself.

mod connection;
mod fan_out;
mod fill;
mod keyspace;
mod load;
mod pairs;
mod report;
mod tally;
mod work;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use tokio::task::JoinSet;

use crate::client::{ClientOptions, Endpoint, find_endpoints, interrupted};
use connection::Link;
use keyspace::Keyspace;
use load::{Load, Window, closed_loop};
use report::Report;
use work::{Work, WorkPlan};

/// Key names have ten digits, which limits how many keys there are.
const KEYS_MAX: u64 = 10_000_000_000;
const KEYS_DEFAULT: u64 = 100_000;
/// The largest value that fits in a request under etcd's limit of 1.5 MiB.
const VALUE_BYTES_MAX: u64 = 1 << 20;
const EXIT_INTERRUPTED: u8 = 130;

/// The operation of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Write random keys
    Put,
    /// Read random keys
    Get,
    /// Read ranges that begin at random keys, `--limit` pairs each
    Range,
    /// Read all keys in pages of `--limit`, each pass at one revision
    Page,
    /// Transactions of one compare and one put on random keys
    Txn,
    /// `--clients` watchers of one prefix: how fast events reach all of them
    Watch,
}

impl Workload {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// The options of `bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchArguments {
    workload: Workload,
    /// Concurrent requests; for `watch` the number of watchers
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Connections, spread evenly over the members
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    conns: u32,
    /// Bytes of a value
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=VALUE_BYTES_MAX))]
    value: u64,
    /// Keys in play [default: 100000, or as many as --total]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..KEYS_MAX))]
    keys: Option<u64>,
    /// Seconds to measure
    #[arg(long, default_value_t = 10.0, value_parser = parse_seconds, value_name = "S")]
    secs: f64,
    /// Seconds of load before measuring [default: 2, none with --total]
    #[arg(long, value_parser = parse_seconds, value_name = "S")]
    warmup: Option<f64>,
    /// Stop after exactly N operations, in key order, each key once before any repeats
    #[arg(long, conflicts_with_all = ["secs", "warmup"], value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..KEYS_MAX))]
    total: Option<u64>,
    /// Read the member's local state, which may be stale
    #[arg(long)]
    serializable: bool,
    /// Pairs per response [default: 100 for range, 500 for page]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
    /// Clients that write at the same time, for `page` and `watch` [default: 0 for page, 1 for watch]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    writers: Option<u32>,
}

impl BenchArguments {
    fn warmup(&self) -> Duration {
        let seconds = if self.total.is_some() { 0.0 } else { self.warmup.unwrap_or(2.0) };
        Duration::from_secs_f64(seconds)
    }

    fn key_count(&self) -> u64 {
        self.keys.or(self.total).unwrap_or(KEYS_DEFAULT)
    }

    fn limit(&self) -> i64 {
        self.limit.unwrap_or(if self.workload == Workload::Page { 500 } else { 100 })
    }

    fn writers(&self) -> u32 {
        self.writers.unwrap_or(u32::from(self.workload == Workload::Watch))
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=86_400.0).contains(&seconds) { Ok(seconds) } else { Err("0 to 86400".to_owned()) }
}

/// Measures, and prints the results.
///
/// # Errors
/// No endpoint can be reached, or the cluster refuses to be filled.
pub async fn run(arguments: BenchArguments, options: ClientOptions) -> Result<ExitCode> {
    let tls = options.tls.load()?;
    let endpoints = find_endpoints(&options.endpoints, options.data.as_deref(), tls.as_ref())?;
    let report = tokio::select! {
        report = measure(&arguments, &endpoints) => report?,
        () = interrupted() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
    };
    let text = if options.json { format!("{}\n", report.document()) } else { report.text() };
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other?,
    }
    // With `--total` every operation must succeed; a measurement needs at least one.
    let succeeded = report.operations() >= arguments.total.unwrap_or(1);
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(arguments: &BenchArguments, endpoints: &[Endpoint]) -> Result<Report> {
    let writers = arguments.writers();
    let uses_writers = matches!(arguments.workload, Workload::Page | Workload::Watch);
    ensure!(uses_writers || writers == 0, "--writers is for `page` and `watch`");
    let waits_for_total = arguments.total.is_some() && arguments.workload == Workload::Watch;
    ensure!(!waits_for_total, "--total is not for `watch`; use --secs");
    let links = connection::open_all(endpoints, arguments.conns.min(arguments.clients)).await?;
    let keyspace = Arc::new(Keyspace::new(arguments.key_count(), arguments.value as usize));
    if !matches!(arguments.workload, Workload::Put | Workload::Watch) {
        fill::ensure_filled(&links, &keyspace).await?;
    }
    if arguments.workload == Workload::Watch {
        return fan_out::measure(arguments, endpoints, &links, keyspace).await;
    }
    let secs = Duration::from_secs_f64(arguments.secs);
    let window = Window::new(arguments.warmup(), secs, arguments.total);
    let load = Arc::new(Load::new(window, endpoints.len()));
    let writing = Arc::new(Load::new(window.without_total(), endpoints.len()));
    let cpu = tally::CpuMeter::start();
    let mut clients = JoinSet::new();
    let plan = WorkPlan {
        workload: arguments.workload,
        keyspace: keyspace.clone(),
        serializable: arguments.serializable,
        limit: arguments.limit(),
        in_order: arguments.total.is_some(),
    };
    spawn_clients(&mut clients, arguments.clients, &links, &load, &plan);
    let mut writer_tasks = JoinSet::new();
    let write_plan = WorkPlan { workload: Workload::Put, in_order: false, ..plan };
    spawn_clients(&mut writer_tasks, writers, &links, &writing, &write_plan);
    while let Some(result) = clients.join_next().await {
        result.expect("a client does not panic");
    }
    writer_tasks.shutdown().await;
    let writes = (writers > 0).then(|| writing.summary());
    Ok(Report::new(arguments, endpoints, load.summary(), writes, cpu.stop()))
}

fn spawn_clients(tasks: &mut JoinSet<()>, count: u32, links: &[Link], load: &Arc<Load>, plan: &WorkPlan) {
    for number in 0..count {
        let link = links[number as usize % links.len()].clone();
        let work = Work::new(plan, u64::from(number));
        tasks.spawn(closed_loop(load.clone(), link, work));
    }
}

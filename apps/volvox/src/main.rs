//! `volvox`: many machines that their users see as one.
//!
//! The program contains no protocol: it reads the command line and assembles the other crates.

// A command line is outside the simulation, so it waits in real time.
#![allow(clippy::disallowed_methods)]
// `println!` panics when the reader of a pipe has gone: see `print`.
#![warn(clippy::print_stdout)]

mod bench;
mod client;
mod local;
mod node;
mod print;
mod progress;

use anyhow::Result;
use clap::{Parser, Subcommand};
use print::say;
use std::path::Path;
use std::process::ExitCode;

/// Chosen by measurement: a put spends half the time in this allocator that it spends in the system's.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Many machines that their users see as one.
#[derive(Parser)]
#[command(name = "volvox", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: client::ClientOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster on this machine, one OS process per node
    Up(local::up::UpArguments),
    /// Stop the cluster on this machine; its data stays
    Down,
    /// Run one node of a cluster
    Node(Box<node::options::NodeArguments>),
    /// Kill a node of the local cluster (SIGKILL)
    Kill {
        /// The node
        node: u64,
    },
    /// Start a node of the local cluster again
    Start {
        /// The node
        node: u64,
    },
    /// Pause a node's process (SIGSTOP)
    Pause {
        /// The node
        node: u64,
    },
    /// Resume a paused node (SIGCONT)
    Resume {
        /// The node
        node: u64,
    },
    /// Partition the local cluster's network into groups: partition 1,2 3
    Partition {
        /// The nodes of each group, separated by commas
        #[arg(required = true, num_args = 2..)]
        groups: Vec<String>,
    },
    /// Slow down the link between two nodes in both directions
    Slow {
        /// One node
        first: u64,
        /// The other node
        second: u64,
        /// Added latency, such as 50ms
        #[arg(long)]
        delay: Option<String>,
        /// Share of messages lost, such as 1%
        #[arg(long)]
        loss: Option<String>,
    },
    /// Make a node's wall clock jump: skew 2 +200ms
    Skew {
        /// The node
        node: u64,
        /// By how much, such as +200ms or -3s
        #[arg(allow_hyphen_values = true)]
        by: String,
    },
    /// Inject a fault: fault 'partition 1,2|3', fault list, fault table
    #[command(after_help = format!("Which fault works in which world:\n\n{}", local::fault_table::table()))]
    Fault {
        /// A fault in the vocabulary of the simulator; `list` prints the active ones, `table` which fault works where
        #[arg(required = true)]
        fault: Vec<String>,
    },
    /// End every fault, and resume paused nodes
    Heal,
    /// Create a new cluster on this machine from a snapshot
    Restore(local::restore::RestoreArguments),
    /// Measure an etcd v3 cluster: this one or another
    Bench(bench::BenchArguments),
    /// The laboratory
    #[command(subcommand)]
    Lab(lab::LabCommand),
    #[command(flatten)]
    Client(client::ClientCommand),
}

mod lab;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let arguments = Arguments::try_parse().unwrap_or_else(|error| lab::explained(error, &words).exit());
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("volvox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Arguments { command, options }: Arguments) -> Result<ExitCode> {
    let data = local::up::data_folder(options.data.as_ref());
    match command {
        Command::Node(arguments) => node::run::node(*arguments),
        Command::Lab(command) => lab::run(command, options.json),
        Command::Down => {
            let said = local::up::down(&data)?;
            conclude(said, options.json);
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore(arguments)
        | Command::Client(client::ClientCommand::Snapshot(client::SnapshotCommand::Restore(arguments))) => {
            local::restore::restore(&arguments, &data, options.json)
        }
        Command::Client(client::ClientCommand::Snapshot(client::SnapshotCommand::Export(arguments))) => {
            local::export::export(&arguments, options.json)
        }
        Command::Client(client::ClientCommand::Snapshot(client::SnapshotCommand::Status { file })) => {
            local::export::status(&file, options.json)
        }
        other => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(tokio::task::LocalSet::new().run_until(run_async(other, options, &data))),
    }
}

async fn run_async(command: Command, options: client::ClientOptions, data: &Path) -> Result<ExitCode> {
    let said = match command {
        Command::Up(arguments) => return local::up::up(arguments, data, &options).await,
        Command::Client(command) => return client::run(command, options).await,
        Command::Bench(arguments) => return bench::run(arguments, options).await,
        Command::Kill { node } => local::commands::kill(data, node)?,
        Command::Start { node } => local::commands::start(data, node).await?,
        Command::Pause { node } => local::commands::pause(data, node)?,
        Command::Resume { node } => local::faults::resume(data, node).await?,
        Command::Heal => local::faults::heal(data).await?,
        Command::Partition { groups } => {
            local::faults::inject(data, &format!("partition {}", groups.join("|"))).await?
        }
        Command::Slow { first, second, delay, loss } => {
            let mut how = String::new();
            if let Some(delay) = delay {
                how += &format!(" delay {delay}");
            }
            if let Some(loss) = loss {
                how += &format!(" loss {loss}");
            }
            local::faults::inject(data, &format!("slow {first}->{second}{how}")).await?;
            local::faults::inject(data, &format!("slow {second}->{first}{how}")).await?
        }
        Command::Skew { node, by } => local::faults::inject(data, &format!("skew {node} {by}")).await?,
        Command::Fault { fault } => match fault.join(" ").as_str() {
            "list" => {
                let active = local::faults::list(data)?;
                if options.json { serde_json::to_string(&active)? } else { active.join("\n") }
            }
            "table" => local::fault_table::table().trim_end().to_owned(),
            fault => local::faults::inject(data, fault).await?,
        },
        Command::Node(_) | Command::Lab(_) | Command::Down | Command::Restore(_) => unreachable!("handled before"),
    };
    conclude(said, options.json);
    Ok(ExitCode::SUCCESS)
}

/// Prints what was done: one line for a person, one JSON document for a program.
fn conclude(said: String, json: bool) {
    match (json, said.is_empty()) {
        (true, _) if said.starts_with('[') => say(said),
        (true, _) => say(serde_json::json!({ "done": said })),
        (false, true) => {}
        (false, false) => say(said),
    }
}

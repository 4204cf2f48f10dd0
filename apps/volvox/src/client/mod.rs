//! The commands that talk to a running cluster: ours or any other that serves etcd v3.
//!
//! Every command is a pair of clap arguments and one function over a [`Cluster`], which knows the
//! endpoints, tries the next one when that is safe, and reports what it tried when all fail. A command prints through a
//! [`Printer`]: lines as `etcdctl` prints them, or with `--json` one document (one per line where a command streams),
//! in the shape of `etcdctl -w json` with keys and values in base64.
//!
//! Ctrl-C ends every command quietly with status 130; `lock` and `elect` release what they hold first. A reader that
//! goes away (`volvox watch k | head`) ends it quietly too.

mod base64;
mod cluster;
mod document;
mod endpoints;
mod keep_alive;
mod keys;
mod lease;
mod lock;
mod members;
mod output;
mod ownership;
mod range;
mod snapshot;
mod span;
mod status;
mod subscription;
mod tls;
mod txn;
mod txn_text;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use cluster::{Cluster, Repeat};
pub use endpoints::{Endpoint, find_endpoints, serves_tls};
use output::{Printer, reader_is_gone};
pub use snapshot::SnapshotCommand;
pub use tls::TlsOptions;

/// The exit status of a command ended by Ctrl-C, as shells count it.
const EXIT_INTERRUPTED: u8 = 130;

/// The heading under which the options shared by all commands are listed.
const HEADING: &str = "Cluster and output";

/// Which cluster to talk to, and how to print; shared by all commands.
#[derive(Args, Clone, Debug)]
pub struct ClientOptions {
    /// The members to talk to, separated by commas
    #[arg(long, global = true, help_heading = HEADING, value_delimiter = ',', env = "VOLVOX_ENDPOINTS", value_name = "HOST:PORT")]
    pub endpoints: Vec<String>,
    /// The folder of a cluster on this machine [default: ./volvox-data]
    #[arg(long, alias = "data-dir", global = true, help_heading = HEADING, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Print one machine-readable document
    #[arg(long, global = true, help_heading = HEADING)]
    pub json: bool,
    /// Time out after this many seconds (no effect on watch and lock)
    #[arg(long, global = true, help_heading = HEADING, default_value_t = 5, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub command_timeout: u64,
    /// TLS to the members.
    #[command(flatten)]
    pub tls: TlsOptions,
}

/// A command to a running cluster.
#[derive(Subcommand, Debug)]
pub enum ClientCommand {
    /// Write a key
    Put(keys::PutArguments),
    /// Read a key or a range of keys
    Get(range::GetArguments),
    /// Delete a key or a range of keys
    Del(keys::DeleteArguments),
    /// Print each change of a key or a range of keys
    Watch(watch::WatchArguments),
    /// Run a transaction: compares, then one of two lists of operations
    #[command(after_help = txn::FORMAT_HELP)]
    Txn(txn::TxnArguments),
    /// Discard the history before a revision
    Compact(keys::CompactArguments),
    /// Hold a lock until Ctrl-C, or while a command runs
    Lock(lock::LockArguments),
    /// Stand for election and lead until Ctrl-C, or observe the leader
    Elect(lock::ElectArguments),
    /// Leases: keys attached to a lease vanish when it expires
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// Save a snapshot of the store, convert it for etcd, or create a new cluster from one
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Show the leader, and the term, indexes, revision and health of every member
    Status,
    /// List the members, or change them
    Members(members::MembersArguments),
}

/// Runs one command.
///
/// # Errors
/// Says what was tried, what happened and what to do; to be printed as it is.
pub async fn run(command: ClientCommand, options: ClientOptions) -> Result<ExitCode> {
    let result = execute(command, &options).await;
    match result {
        Err(error) if reader_is_gone(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

async fn execute(command: ClientCommand, options: &ClientOptions) -> Result<ExitCode> {
    let tls = options.tls.load()?;
    let endpoints = find_endpoints(&options.endpoints, options.data.as_deref(), tls.as_ref())?;
    let cluster = Cluster::new(endpoints, Duration::from_secs(options.command_timeout));
    let mut printer = Printer::new(options.json);
    match command {
        // These two hold something that they release when interrupted.
        ClientCommand::Lock(arguments) => lock::lock(&cluster, &mut printer, arguments).await,
        ClientCommand::Elect(arguments) => lock::elect(&cluster, &mut printer, arguments).await,
        other => tokio::select! {
            result = execute_interruptible(other, &cluster, &mut printer) => result,
            () = interrupted() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        },
    }
}

async fn execute_interruptible(command: ClientCommand, cluster: &Cluster, printer: &mut Printer) -> Result<ExitCode> {
    match command {
        ClientCommand::Put(arguments) => keys::put(cluster, printer, arguments).await?,
        ClientCommand::Get(arguments) => range::get(cluster, printer, arguments).await?,
        ClientCommand::Del(arguments) => keys::delete(cluster, printer, arguments).await?,
        ClientCommand::Compact(arguments) => keys::compact(cluster, printer, arguments).await?,
        ClientCommand::Watch(arguments) => watch::watch(cluster, printer, arguments).await?,
        ClientCommand::Txn(arguments) => txn::txn(cluster, printer, arguments).await?,
        ClientCommand::Lease(command) => return lease::lease(cluster, printer, command).await,
        ClientCommand::Snapshot(SnapshotCommand::Save { file }) => snapshot::save(cluster, printer, file).await?,
        ClientCommand::Snapshot(_) => unreachable!("no cluster is asked to convert a file"),
        ClientCommand::Status => return status::status(cluster, printer).await,
        ClientCommand::Members(arguments) => members::members(cluster, printer, arguments).await?,
        ClientCommand::Lock(_) | ClientCommand::Elect(_) => {
            unreachable!("lock and elect handle interruption themselves")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn interrupted() {
    Interruption::listen().happened().await;
}

/// Ctrl-C or SIGTERM, remembered from the moment of subscribing.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    fn listen() -> Interruption {
        let handler = |kind| signal(kind).expect("signal handlers can be installed");
        Interruption { interrupt: handler(SignalKind::interrupt()), terminate: handler(SignalKind::terminate()) }
    }

    async fn happened(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

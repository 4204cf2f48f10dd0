//! `volvox lab`: the laboratory's commands.

use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

/// What the laboratory does.
#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// Run many seeds of a protocol under every fault it claims to survive
    Sweep {
        /// What to run; `store` is the replicated store with the real log
        #[arg(value_parser = ["store"])]
        protocol: String,
        /// How many seeds
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// Run only this seed, with its trace
        #[arg(long)]
        seed: Option<u64>,
        /// Nodes: 3, 5, or both in turn
        #[arg(long, value_parser = ["3", "5"])]
        nodes: Option<String>,
    },
}

/// Runs a laboratory command.
///
/// # Errors
/// When something that must hold did not.
pub fn run(command: LabCommand, json: bool) -> Result<ExitCode> {
    let LabCommand::Sweep { seeds, seed, nodes, .. } = command;
    let _ = (seeds, seed, nodes, json);
    anyhow::bail!("under construction")
}

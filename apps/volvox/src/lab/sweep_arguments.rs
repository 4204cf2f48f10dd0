//! The arguments of `volvox lab sweep`.

use super::run::{count, seed};
use clap::Args;
use std::path::PathBuf;

/// The arguments of `lab sweep`.
#[derive(Args, Debug)]
pub struct SweepArguments {
    /// The protocol to run, or `store`: the replicated store with the real log
    pub protocol: String,
    /// The number of seeds
    #[arg(long, default_value_t = 1000)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// Run only this seed
    #[arg(long, conflicts_with_all = ["seeds", "from"], value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// The number of nodes; the store takes 3, 5, or both in turn
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    pub nodes: Option<u64>,
    /// The number of seeds that run in parallel [default: the number of cores]
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Remove a rule of the protocol, to see the sweep find its absence
    #[arg(long, value_name = "RULE")]
    pub without: Option<String>,
    /// How many failures to shrink and print; the sweep ends with the last of them
    #[arg(long, default_value_t = 1)]
    pub failures: usize,
    /// Write the counterexample of the first failure to this file, for `volvox lab replay`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

//! What `volvox lab sweep` is asked.

use super::run::count;
use clap::Args;
use std::path::PathBuf;

/// What is swept.
#[derive(Args, Debug)]
pub struct SweepArguments {
    /// What to run: a protocol, or `store`, which is the replicated store with the real log
    pub protocol: String,
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    pub seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// Run only this seed
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// How many nodes; the store takes 3, 5, or both in turn
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    pub nodes: Option<u64>,
    /// Seeds that run at a time; as many as there are cores when not said
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Take a rule of the protocol out, to see the sweep find it
    #[arg(long, value_name = "RULE")]
    pub without: Option<String>,
    /// How many failures are made shorter and told; the sweep ends with the last of them
    #[arg(long, default_value_t = 1)]
    pub failures: usize,
    /// Write the counterexample of the first failure into this file, for `volvox lab replay`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

//! Many seeds, on all cores, and what they add up to.

use crate::rare::MUST_RUN;
use crate::run::{Report, run};
use std::cell::Cell;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub use volvox_sim::TraceRing;
use volvox_sim::{Counts, Failure, run_seed};

/// The size of a sweep that must have taken every rare path.
pub const SEEDS_FOR_EVERY_PATH: u64 = 200;
/// Lines of the trace that a failing seed prints.
const TRACE_LINES: usize = 60;

/// The options of a sweep.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The first seed.
    pub first_seed: u64,
    /// The number of seeds.
    pub seeds: u64,
    /// How many nodes; `None`: 3 and 5 in turn.
    pub nodes: Option<u64>,
    /// How many seeds run at a time.
    pub jobs: usize,
    /// Stop at the first failure.
    pub stop_at_failure: bool,
}

/// The findings of a sweep.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Seeds that were run.
    pub seeds: u64,
    /// Steps of all nodes.
    pub steps: u64,
    /// How often each path ran.
    pub counts: Counts,
    /// The seeds that failed, in order.
    pub failures: Vec<Failure>,
}

impl Sweep {
    /// How many nodes a seed has.
    pub fn nodes_of(&self, seed: u64) -> u64 {
        self.nodes.unwrap_or(if seed.is_multiple_of(2) { 3 } else { 5 })
    }

    /// Runs all seeds; `prepare` runs first on each thread, `progress` after each seed with the number done.
    pub fn run(&self, prepare: impl Fn() + Sync, progress: impl Fn(u64, usize) + Sync) -> Outcome {
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let outcome = Mutex::new(Outcome::default());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    prepare();
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.seeds {
                            return;
                        }
                        let result = self.run_one(self.first_seed + number);
                        if result.is_err() && self.stop_at_failure {
                            stop.store(true, Ordering::Relaxed);
                        }
                        let mut outcome = outcome.lock().expect("no panic holds this lock");
                        outcome.add(result);
                        progress(outcome.seeds, outcome.failures.len());
                    }
                });
            }
        });
        let mut outcome = outcome.into_inner().expect("no panic holds this lock");
        outcome.failures.sort_by_key(|failure| failure.seed);
        outcome
    }

    /// Runs one seed, and once more with a trace if it fails.
    ///
    /// # Errors
    /// When something that must hold did not.
    pub fn run_one(&self, seed: u64) -> Result<Report, Failure> {
        let nodes = self.nodes_of(seed);
        RUNNING.with(|running| running.set(Some((seed, nodes))));
        let mut result = run_seed("volvox lab sweep store", seed, TRACE_LINES, |seed, trace| run(seed, nodes, trace));
        RUNNING.with(|running| running.set(None));
        if let Err(failure) = &mut result {
            failure.replay = replay_line(seed, nodes);
        }
        result
    }
}

/// Runs one seed with the last lines of its trace, whether it fails or not.
///
/// # Errors
/// When something that must hold did not.
pub fn replay(seed: u64, nodes: u64, ring: &TraceRing) -> Result<Report, String> {
    RUNNING.with(|running| running.set(Some((seed, nodes))));
    run(seed, nodes, Some(ring))
}

/// The one line that runs a seed again.
pub fn replay_line(seed: u64, nodes: u64) -> String {
    format!("volvox lab sweep store --seed {seed} --nodes {nodes}")
}

thread_local! {
    static RUNNING: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// The seed that runs on this thread, and its nodes: for the report when a panic ends the program.
pub fn running() -> Option<(u64, u64)> {
    RUNNING.with(Cell::get)
}

impl Outcome {
    fn add(&mut self, result: Result<Report, Failure>) {
        self.seeds += 1;
        match result {
            Ok(report) => {
                self.steps += report.steps;
                self.counts.absorb(&report.counts);
            }
            Err(failure) => self.failures.push(failure),
        }
    }

    /// Rare paths that never ran, of those that must; a small sweep cannot tell.
    pub fn never_ran(&self) -> Vec<&'static str> {
        if self.seeds < SEEDS_FOR_EVERY_PATH {
            return Vec::new();
        }
        MUST_RUN.iter().map(|(name, _)| *name).filter(|name| self.counts.of(name) == 0).collect()
    }

    /// Whether nothing failed and every path ran.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.never_ran().is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, what) in MUST_RUN {
            writeln!(f, "{:>10}  {name}: {what}", self.counts.of(name))?;
        }
        let others = self.counts.iter().filter(|(name, _)| MUST_RUN.iter().all(|(known, _)| known != name));
        for (name, count) in others {
            writeln!(f, "{count:>10}  {name}")?;
        }
        for failure in &self.failures {
            writeln!(f, "\n{failure}")?;
        }
        for name in self.never_ran() {
            writeln!(f, "never ran: {name}")?;
        }
        writeln!(f, "seeds: {}, steps: {}", self.seeds, self.steps)?;
        write!(f, "seed failures: {}", self.failures.len())
    }
}

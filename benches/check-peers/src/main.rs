//! Explores the same models with Volvox and with stateright, and prints how long each took: `check-peers [ROUNDS]`.

#[path = "../../../crates/check/models/paxos.rs"]
mod paxos;
mod theirs;
#[path = "../../../crates/check/models/two_phase.rs"]
mod two_phase;

use std::time::{Duration, Instant};
use volvox_check::Checker;

const MANAGERS: u32 = 8;
const CLIENTS: u64 = 4;
/// Of each comparison, unless an argument says otherwise.
const ROUNDS: usize = 5;

/// A model, how many states it has, and how each side explores it on a number of threads.
struct Comparison {
    name: &'static str,
    states: u64,
    ours: fn(usize) -> u64,
    theirs: fn(usize) -> u64,
}

const COMPARISONS: [Comparison; 2] = [
    Comparison { name: "two-phase 8", states: 1_745_408, ours: our_two_phase, theirs: theirs::two_phase },
    Comparison { name: "paxos 4", states: 2_372_188, ours: our_paxos, theirs: theirs::paxos },
];

fn our_two_phase(threads: usize) -> u64 {
    let model = two_phase::TwoPhase::new(MANAGERS);
    let checker =
        Checker::new(&model).invariant("consistent", |model: &two_phase::TwoPhase, state| model.is_consistent(*state));
    checker.threads(threads).run().states
}

fn our_paxos(threads: usize) -> u64 {
    let system = paxos::paxos(CLIENTS);
    let checker =
        Checker::new(&system).invariant("linearizable", |system, state| system.view(state).history().is_linearizable);
    checker.threads(threads).run().states
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    println!("model          threads  ours (spread)         stateright (spread)   ratio");
    for comparison in COMPARISONS {
        for threads in [1, 2] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                ours.push(timed(&comparison, threads, comparison.ours));
                theirs.push(timed(&comparison, threads, comparison.theirs));
            }
            ours.sort_unstable();
            theirs.sort_unstable();
            let ratio = theirs[rounds / 2].as_secs_f64() / ours[rounds / 2].as_secs_f64();
            let name = comparison.name;
            println!("{name:<14} {threads:>7}  {:<21} {:<21} {ratio:.1}x", told(&ours), told(&theirs));
        }
    }
}

fn timed(comparison: &Comparison, threads: usize, explore: fn(usize) -> u64) -> Duration {
    let begin = Instant::now();
    let states = explore(threads);
    let elapsed = begin.elapsed();
    assert_eq!(states, comparison.states, "{}: not the same work", comparison.name);
    elapsed
}

fn told(sorted: &[Duration]) -> String {
    let seconds = |at: usize| sorted[at].as_secs_f64();
    format!("{:.2} s ({:.2} to {:.2})", seconds(sorted.len() / 2), seconds(0), seconds(sorted.len() - 1))
}

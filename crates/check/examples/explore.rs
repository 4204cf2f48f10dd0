//! Explores one of the larger models, and prints its progress and speed.
//!
//! ```text
//! cargo run --release -p volvox-check --example explore -- two-phase 8
//! cargo run --release -p volvox-check --example explore -- paxos 4 --threads 1
//! cargo run --release -p volvox-check --example explore -- raft 3 2 2 1 0 0    (members terms entries crashes heartbeats slow-disks)
//! cargo run --release -p volvox-check --example explore -- paxos 5 --memory 2000    (ends at 2,000 MiB with what was explored)
//! ```
#![allow(clippy::disallowed_methods, reason = "a program that measures reads the clock")]

#[path = "../models/paxos.rs"]
mod paxos;
#[path = "../models/raft.rs"]
mod raft;
#[path = "../models/two_phase.rs"]
mod two_phase;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Stopwatch;
use volvox_check::{Checker, Ended, Model};

/// The counts of the last exploration: a different count means a different protocol, or a bug of the checker.
const PINNED: [(&str, u64); 4] = [
    ("two-phase 8", 1_745_408),
    ("paxos 4", 2_372_188),
    ("raft 3 2 2 0 0 0", 3_187_821),
    ("raft 3 2 2 1 0 0", 54_099_933),
];

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let threads = take_option(&mut words, "--threads")
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get() as u64));
    let states_max = take_option(&mut words, "--states").unwrap_or(100_000_000);
    let bytes_max = take_option(&mut words, "--memory").map_or(u64::MAX, |mebibytes| mebibytes << 20);
    let numbers: Vec<u64> = words.iter().skip(1).filter_map(|word| word.parse().ok()).collect();
    let pinned = PINNED.iter().find(|(name, _)| *name == words.join(" ")).map(|(_, states)| *states);
    let limits = Limits { threads: threads as usize, states_max, bytes_max, pinned };
    match (words.first().map(String::as_str), numbers.as_slice()) {
        (Some("two-phase"), [managers]) => {
            let model = two_phase::TwoPhase::new(*managers as u32);
            let checker = Checker::new(&model);
            run(checker.invariant("consistent", |model, state| model.is_consistent(*state)), &limits);
        }
        (Some("paxos"), [clients]) => {
            let system = paxos::paxos(*clients);
            let linearizable = |system: &_, state: &_| is_linearizable(system, state);
            run(Checker::new(&system).invariant("linearizable", linearizable), &limits);
        }
        (Some("raft"), [members, terms, entries, crashes, heartbeats, slow]) => {
            let bounds = raft::Bounds {
                members: *members,
                terms: *terms,
                entries: *entries,
                crashes: *crashes as u32,
                heartbeats: *heartbeats as u32,
                slow_disks: *slow > 0,
            };
            run(raft::checker(&raft::raft(bounds), bounds.terms), &limits);
        }
        _ => {
            eprintln!(
                "explore two-phase MANAGERS | paxos CLIENTS | raft MEMBERS TERMS ENTRIES CRASHES HEARTBEATS SLOW"
            );
            std::process::exit(2);
        }
    }
}

struct Limits {
    threads: usize,
    states_max: u64,
    bytes_max: u64,
    pinned: Option<u64>,
}

/// The least interval between lines of progress.
const EVERY_MS: u64 = 500;

fn is_linearizable(system: &volvox_check::System<paxos::Node, paxos::History>, state: &volvox_check::State) -> bool {
    system.view(state).history().is_linearizable
}

fn run<M: Model>(checker: Checker<'_, M>, limits: &Limits) {
    let begin = Stopwatch::now();
    let due_ms = AtomicU64::new(EVERY_MS);
    let report = checker
        .threads(limits.threads)
        .states_max(limits.states_max)
        .bytes_max(limits.bytes_max)
        .progress(|progress| {
            let elapsed = begin.elapsed();
            let due = due_ms.load(Ordering::Relaxed);
            let is_due = elapsed.as_millis() as u64 >= due;
            // Any thread may report: one of them prints.
            if is_due && due_ms.compare_exchange(due, due + EVERY_MS, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                eprintln!("{}", progress.line(elapsed));
            }
        })
        .run();
    let elapsed = begin.elapsed();
    println!("{report}");
    let rate = u128::from(report.states) * 1_000 / elapsed.as_millis().max(1);
    let bytes = report.table_bytes as u64 / report.states.max(1);
    println!(
        "{elapsed:?}, {rate} states/s on {} threads, {bytes} bytes of table a state, {} MiB in all",
        limits.threads,
        report.bytes >> 20
    );
    if let (Some(pinned), Ended::Exhausted) = (limits.pinned, report.ended) {
        assert_eq!(report.states, pinned, "the pinned number of states");
    }
}

fn take_option(words: &mut Vec<String>, name: &str) -> Option<u64> {
    let at = words.iter().position(|word| word == name)?;
    let value = words.get(at + 1)?.parse().ok();
    words.drain(at..at + 2);
    value
}

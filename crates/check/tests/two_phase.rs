//! `TwoPhase` of the TLA+ examples (Gray and Lamport, *Consensus on Transaction Commit*, 2006), action by action.
//!
//! TLC and stateright agree on its counts: 288 distinct states of 3 resource managers, 8,832 of 5, found by generating
//! 1,146 and 58,146 states, initial ones included.

#[path = "../models/two_phase.rs"]
mod two_phase;

use two_phase::TwoPhase;
use volvox_check::{Checker, Ended};

fn explored(managers: u32, threads: usize) -> (u64, u64, u32) {
    let model = TwoPhase::new(managers);
    let report = Checker::new(&model)
        .invariant("consistent", |model: &TwoPhase, state| model.is_consistent(*state))
        .reachable("all commit", |model: &TwoPhase, state| model.all_committed(*state))
        .reachable("all abort", |model: &TwoPhase, state| model.all_aborted(*state))
        .threads(threads)
        .run();
    assert_eq!(report.ended, Ended::Exhausted, "{report}");
    (report.states, report.transitions + 1, report.depth)
}

#[test]
fn the_counts_are_those_of_tlc_on_any_number_of_threads() {
    for threads in 1..=3 {
        assert_eq!(explored(3, threads), (288, 1_146, 10));
        assert_eq!(explored(5, threads), (8_832, 58_146, 16));
    }
}

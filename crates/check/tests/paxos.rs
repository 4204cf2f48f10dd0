//! Single-decree Paxos over the production trait, explored.

#[path = "../models/paxos.rs"]
mod paxos;

use paxos::{Message, paxos};
use volvox_check::{Checker, Ended};

fn explored(clients: u64, threads: usize) -> (u64, u64, u32) {
    let system = paxos(clients);
    let report = Checker::new(&system)
        .invariant("linearizable", |system, state| system.view(state).history().is_linearizable)
        .reachable("a value is read", |system, state| {
            system
                .view(state)
                .in_flight()
                .any(|(_, _, message)| matches!(message, Message::GetOk(_, value) if *value != '\0'))
        })
        .threads(threads)
        .run();
    assert_eq!(report.ended, Ended::Exhausted, "{report}");
    println!("{report}");
    (report.states, report.transitions, report.depth)
}

/// 16,668 is what stateright's example pins for two clients: the same transition system, written independently.
#[test]
fn two_clients_make_as_many_states_as_in_stateright() {
    let (states, transitions, depth) = explored(2, 1);
    assert_eq!(states, 16_668);
    assert_eq!(explored(2, 2), (states, transitions, depth));
}

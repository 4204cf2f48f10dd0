//! Production Raft within bounds: every schedule of its members on ordered links, which lose messages in flight to and
//! from a crashed member.
//!
//! Disks are slow: every sync, and every crash between two syncs, is a separate step. `examples/explore.rs` goes
//! further than a test has time for.

#[path = "../../models/raft.rs"]
mod model;

use model::{Bounds, checker};
use volvox_check::{Broken, Durability, Ended};

fn explored(bounds: Bounds) -> (Ended, u64) {
    let world = model::raft(bounds);
    let report = checker(&world, bounds.terms).run();
    println!("{bounds:?}: {report}");
    assert!(!world.has_overflowed(), "queues that bound what is explored");
    (report.ended, report.states)
}

const ONE_TERM: Bounds = Bounds { members: 3, terms: 1, entries: 2, crashes: 0, heartbeats: 0, slow_disks: true };

#[test]
fn one_term_of_three_members_is_safe() {
    assert_eq!(explored(ONE_TERM), (Ended::Exhausted, 52_047));
}

#[test]
fn one_term_of_three_members_with_a_crash_is_safe() {
    assert_eq!(explored(Bounds { crashes: 1, ..ONE_TERM }), (Ended::Exhausted, 653_448));
}

#[test]
fn two_terms_of_two_members_with_a_crash_and_a_heartbeat_are_safe() {
    let bounds = Bounds { members: 2, terms: 2, entries: 3, crashes: 1, heartbeats: 1, slow_disks: true };
    assert_eq!(explored(bounds), (Ended::Exhausted, 619_688));
}

#[test]
fn raft_is_not_explored_as_if_its_steps_and_records_were_atomic() {
    let world = model::raft(ONE_TERM).durability(Durability::Atomic);
    let found = checker(&world, 1).run().violation.expect("it uses positional verbs");
    assert_eq!(found.broken, Broken::Failure);
}

/// The removal of each rule of the paper violates the property that relies on it: `--features planted-bugs`.
#[cfg(feature = "planted-bugs")]
mod planted {
    use super::{Bounds, ONE_TERM, checker, model};
    use volvox_raft::planted::{Bug, plant};

    const TWO_TERMS: Bounds = Bounds { terms: 2, slow_disks: false, ..ONE_TERM };

    /// The property that breaks, and the number of steps. Bugs are planted on one thread, so that is where it explores.
    fn found(bug: Bug, bounds: Bounds) -> (String, usize) {
        let world = model::raft(bounds);
        plant(Some(bug));
        let report = checker(&world, bounds.terms).threads(1).states_max(2_000_000).run();
        let found = report.violation.as_ref().unwrap_or_else(|| panic!("{bug:?} is not found: {report}"));
        let schedule = world.schedule(found);
        println!("{}", world.trace(&schedule));
        assert!(world.ends_in(&schedule, found.last()));
        plant(None);
        (found.property.clone(), found.steps.len())
    }

    #[test]
    fn a_vote_that_is_told_before_it_is_on_the_disk_gives_two_leaders() {
        let found = found(Bug::VoteNotSynced, Bounds { crashes: 1, ..ONE_TERM });
        assert_eq!(found, ("election safety".to_string(), 10));
    }

    #[test]
    fn a_vote_for_whoever_asks_gives_a_leader_without_what_is_committed() {
        let found = found(Bug::CandidateLogNotCompared, TWO_TERMS);
        assert_eq!(found, ("leader completeness".to_string(), 9));
    }
}

//! Production Raft within bounds: every schedule of three members on ordered links.
//!
//! With disks that take their time in the smaller instances, where every sync and every crash between two syncs is a step
//! of its own; with prompt disks in a larger one. `examples/explore.rs` goes further than a test has time for.

#[path = "../../models/raft.rs"]
mod model;

use model::{Bounds, checker};
use volvox_check::Ended;

#[test]
fn one_term_with_slow_disks_is_safe() {
    let bounds = Bounds { members: 3, terms: 1, entries: 2, crashes: 0, heartbeats: 0, slow_disks: true };
    let report = checker(&model::raft(bounds)).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Unreached, 52_047), "{report}");
    assert_eq!(report.unreached, ["the last term has a leader"], "there is one term");
}

#[test]
fn two_terms_with_a_crash_and_slow_disks_are_safe() {
    let bounds = Bounds { members: 2, terms: 2, entries: 3, crashes: 1, heartbeats: 1, slow_disks: true };
    let report = checker(&model::raft(bounds)).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 606_710), "{report}");
}

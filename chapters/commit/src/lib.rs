//! Chapters of the family `commit`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod three_phase_commit;
mod two_phase_commit;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "commit",
    entries: &[protocol::<two_phase_commit::TwoPhaseCommit>(), protocol::<three_phase_commit::ThreePhaseCommit>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

//! Chapters of the family `commit`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod three_phase_commit;
mod two_phase_commit;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "commit",
    chapters: &[shell::<two_phase_commit::TwoPhaseCommit>(), shell::<three_phase_commit::ThreePhaseCommit>()],
    coverage: include_str!("../coverage.txt"),
};

//! Chapters of the family `election`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod bully;
mod chang_roberts;
mod ring_election;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "election",
    chapters: &[
        shell::<bully::BullyAlgorithm>(),
        shell::<ring_election::RingElection>(),
        shell::<chang_roberts::ChangRoberts>(),
    ],
    coverage: include_str!("../coverage.txt"),
};

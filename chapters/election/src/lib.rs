//! Chapters of the family `election`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod bully;
mod chang_roberts;
mod ring_election;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "election",
    entries: &[
        protocol::<chang_roberts::ChangRoberts>(),
        protocol::<ring_election::RingElection>(),
        protocol::<bully::BullyAlgorithm>(),
    ],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

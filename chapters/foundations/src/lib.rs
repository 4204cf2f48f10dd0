//! Entries of the family `foundations`: experiments over processes of other families.
#![forbid(unsafe_code)]

mod eight_fallacies;

use volvox_lab::registry::{Entry, Family};

/// The family, with one line per entry.
pub static FAMILY: Family = Family {
    name: "foundations",
    entries: &[Entry::Experiment(&eight_fallacies::EIGHT_FALLACIES)],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

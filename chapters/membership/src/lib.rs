//! Chapters of the family `membership`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod swim;
mod swim_claims;
mod swim_groups;
mod swim_models;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "membership",
    entries: &[protocol::<swim::Swim>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

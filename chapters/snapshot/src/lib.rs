//! Chapters of the family `snapshot`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod chandy_lamport;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "snapshot",
    entries: &[protocol::<chandy_lamport::ChandyLamport>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

//! Chapters of the family `snapshot`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod chandy_lamport;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family = Family {
    name: "snapshot",
    chapters: &[shell::<chandy_lamport::ChandyLamport>()],
    coverage: include_str!("../coverage.txt"),
};

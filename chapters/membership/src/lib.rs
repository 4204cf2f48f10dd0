//! Chapters of the family `membership`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod swim;
mod swim_claims;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family =
    Family { name: "membership", chapters: &[shell::<swim::Swim>()], coverage: include_str!("../coverage.txt") };

//! Chapters of the family `multicast`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod total_order_multicast;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "multicast",
    entries: &[protocol::<total_order_multicast::TotalOrderMulticast>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

//! Chapters of the family `paxos`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod paxos;
mod paxos_claims;
mod paxos_duel;

use volvox_lab::registry::{Family, protocol};

/// The family, with one line per chapter.
pub static FAMILY: Family = Family {
    name: "paxos",
    entries: &[protocol::<paxos::Paxos>()],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

//! Chapters of the family `raft`: cards, scenarios, models and claims of its protocols, and the service built on them.
#![forbid(unsafe_code)]

mod raft;
mod raft_claims;
mod raft_member;
mod replica;

use volvox_lab::registry::{Entry, Family, protocol};

/// The family, with one line per entry.
pub static FAMILY: Family = Family {
    name: "raft",
    entries: &[protocol::<raft::Raft>(), Entry::Service(&replica::REPLICATED_STATE_MACHINE)],
    evidence: include_str!("../evidence.txt"),
    coverage: include_str!("../coverage.txt"),
    never: include_str!("../never.txt"),
};

//! Chapters of the family `raft`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod raft;
mod raft_claims;
mod raft_member;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family =
    Family { name: "raft", chapters: &[shell::<raft::Raft>()], coverage: include_str!("../coverage.txt") };

//! Chapters of the family `paxos`: cards, scenarios, models and claims of its protocols.
#![forbid(unsafe_code)]

mod paxos;
mod paxos_duel;

use volvox_lab::registry::{Family, shell};

/// The family. One line a chapter.
pub static FAMILY: Family =
    Family { name: "paxos", chapters: &[shell::<paxos::Paxos>()], coverage: include_str!("../coverage.txt") };

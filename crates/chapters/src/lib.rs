//! The registry of the laboratory: one line a family, in the order in which a reader may take them.
//!
//! Only programs name this crate. Whatever works on chapters takes the [`Registry`] as a value.
#![forbid(unsafe_code)]

use volvox_lab::registry::Registry;

/// Every family of chapters.
#[cfg(feature = "families")]
pub static REGISTRY: Registry = Registry(&[
    &volvox_chapters_foundations::FAMILY,
    &volvox_chapters_channel::FAMILY,
    &volvox_chapters_clocks::FAMILY,
    &volvox_chapters_multicast::FAMILY,
    &volvox_chapters_snapshot::FAMILY,
    &volvox_chapters_mutex::FAMILY,
    &volvox_chapters_election::FAMILY,
    &volvox_chapters_membership::FAMILY,
    &volvox_chapters_commit::FAMILY,
    &volvox_chapters_paxos::FAMILY,
    &volvox_chapters_raft::FAMILY,
]);

/// No family at all: what the program weighs without chapters is measured so.
#[cfg(not(feature = "families"))]
pub static REGISTRY: Registry = Registry(&[]);

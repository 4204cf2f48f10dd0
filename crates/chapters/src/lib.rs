//! The registry of the laboratory: one line per family, in a possible reading order.
//!
//! Only programs depend on this crate. Code that works on chapters takes the [`Registry`] as a value.
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

/// No family at all, to measure the size of the program without chapters.
#[cfg(not(feature = "families"))]
pub static REGISTRY: Registry = Registry(&[]);

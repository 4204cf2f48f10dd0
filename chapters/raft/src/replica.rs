//! A replicated state machine by consensus: the service itself.
//!
//! # The problem
//!
//! A server that must not fail is run several times. The copies give the same answers only if they apply the same commands in
//! the same order, and a retry by a client must not take effect twice.
//!
//! # The idea
//!
//! F. B. Schneider, 1990: a deterministic state machine, and *agreement* and *order* on its commands. Here the state machine is
//! `crates/store`, Raft (`crates/raft`) agrees on the log, and `crates/replica` is one member of the service: it encodes a
//! request once, forwards it to the leader, applies committed entries in log order, and answers.
//!
//! - **Exactly once.** A forwarded proposal carries the node, its incarnation and a sequence number; the replicated state
//!   keeps a bounded window of them, so a duplicated frame has no second effect. A node never proposes a request twice:
//!   in doubt, the client gets etcd's error.
//! - **Reads** go through ReadIndex: the leader records its commit index, receives answers of a majority in its term,
//!   and answers from the state at that index. There are no leader leases.
//!
//! # Evidence
//!
//! No chapter runs this: the product does, and its tests are the evidence. The sweep drives five members through every
//! fault with clients that record their answers, and a judge of histories; planted bugs show that the judge detects
//! violations. The live tests kill, pause and power-cut real members.
//!
//! # What is left out
//!
//! No small instance of the replica is explored in every schedule: Raft's are, with reads ([the chapter](super::raft)), but no
//! model includes the table of the store or the window of sequence numbers. That demand of the catalogue is open.
//!
//! # References
//!
//! F. B. Schneider: *Implementing fault-tolerant services using the state machine approach: a tutorial*, ACM Computing Surveys
//! 22(4), 1990. D. Ongaro: *Consensus: bridging theory and practice*, 2014, chapter 6.

use volvox_lab::reading::{Level, Reading};
use volvox_lab::registry::EntryCard;

/// The evidence for the service.
pub static REPLICATED_STATE_MACHINE: EntryCard = EntryCard {
    id: "replicated-state-machine",
    title: "A replicated state machine by consensus: the service",
    mechanisms: &["CON-06"],
    reference: "Schneider: Implementing fault-tolerant services using the state machine approach, ACM Computing Surveys 22(4), 1990",
    reading: Reading {
        needs: &["raft"],
        level: Level::Week,
        teaches: "the service itself: exactly once, reads without the log, and how the product shows it",
    },
    questions: "",
    source: include_str!("replica.rs"),
};

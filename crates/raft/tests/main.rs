//! Raft in the cluster of a test: scripts, claims of the paper, hostile peers, and all faults at once.
//!
//! One program: `cargo test -p volvox-raft --test raft MODULE` runs one module of it.

mod fuzz;
mod gather;
mod harness;
mod hostile;
mod paper;
mod recovery;
mod scripts;

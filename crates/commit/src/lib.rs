//! Atomic commitment: several nodes do one thing together, all of them or none.
//!
//! | module | what it is |
//! |---|---|
//! | [`transaction`] | what every protocol of this family talks about: transactions, votes, decisions, and what must hold of them |
//! | [`two_phase`] | two-phase commit with write-ahead records, recovery and cooperative termination; blocks |
//! | [`three_phase`] | three-phase commit: does not block, and counts on time for it |
//!
//! The word *participant* is that of Bernstein, Hadzilacos and Goodman (1987); Gray and Lamport call it a resource manager,
//! and the coordinator a transaction manager.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod three_phase;
pub mod transaction;
pub mod two_phase;

//! Atomic commitment: several nodes perform one transaction together, all of them or none.
//!
//! | module | contents |
//! |---|---|
//! | [`transaction`] | the vocabulary of this family: transactions, votes, decisions, and their properties |
//! | [`two_phase`] | two-phase commit with write-ahead records, recovery and cooperative termination; blocks |
//! | [`three_phase`] | three-phase commit: non-blocking, given known bounds on delay |
//!
//! The word *participant* is from Bernstein, Hadzilacos and Goodman (1987); Gray and Lamport call it a resource
//! manager, and the coordinator a transaction manager.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod three_phase;
pub mod transaction;
pub mod two_phase;

//! Paxos: how several machines choose one value, although messages are lost and machines crash and restart.
//!
//! One module per protocol; each begins with its problem, its idea and a run.
//!
//! | module | what |
//! |---|---|
//! | [`single`] | single-decree Paxos: one value, chosen once and for all |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod single;

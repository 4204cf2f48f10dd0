//! Group membership and failure detection: which members are alive.
//!
//! One module per protocol; each begins with its problem, its idea and a run.
//!
//! | module | what |
//! |---|---|
//! | [`swim`] | SWIM: relayed probes, suspicion that can be refuted, updates piggybacked on probes |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod swim;

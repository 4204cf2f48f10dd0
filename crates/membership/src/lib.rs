//! Who is alive: membership and failure detection.
//!
//! One module a protocol; each begins with its problem, its idea and a run.
//!
//! | module | what |
//! |---|---|
//! | [`swim`] | SWIM: probes that are relayed, suspicion that can be refuted, news that travels on probes |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod swim;

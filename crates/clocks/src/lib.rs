//! Logical and physical clocks: Lamport, vector, Cristian, Berkeley, NTP.
//!
//! | module | contents |
//! |---|---|
//! | [`happened_before`] | the exact relation that logical clocks are judged by |
//! | [`lamport`] | one counter that respects causality |
//! | [`vector`] | a counter for each process: causality, exactly |
//! | [`software_clock`] | a clock that is slewed: time never runs backward |
//! | [`cristian`] | setting a clock from a time server |
//! | [`berkeley`] | clocks that agree, without a reference |
//! | [`ntp`] | the time from many servers, some slow, some wrong; and the packet on the wire |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod berkeley;
pub mod cristian;
pub mod happened_before;
pub mod lamport;
pub mod ntp;
pub mod software_clock;
pub mod vector;

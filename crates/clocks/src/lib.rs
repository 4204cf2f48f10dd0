//! Logical and physical clocks: Lamport, vector, Cristian, Berkeley, NTP.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

//! Single-decree and multi-decree Paxos.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

//! Leader election: bully and ring.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

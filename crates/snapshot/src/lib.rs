//! Consistent snapshots of a running system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

//! Consistent snapshots of a running system.
//!
//! | module | what | paper |
//! |---|---|---|
//! | [`chandy_lamport`] | snapshots of any process that is a value, with markers | Chandy and Lamport 1985 |
//! | [`bank`] | an application whose total never changes, so that a wrong snapshot is visible | |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bank;
pub mod chandy_lamport;

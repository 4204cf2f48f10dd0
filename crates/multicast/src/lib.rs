//! Multicast with total order.
//!
//! | module | protocol | paper |
//! |---|---|---|
//! | [`total_order`] | totally ordered multicast with acknowledgements | Lamport 1978 |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod total_order;

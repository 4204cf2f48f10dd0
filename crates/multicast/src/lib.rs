//! Multicast with total order.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

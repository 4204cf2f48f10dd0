//! Atomic commitment in two and three phases.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

//! Mutual exclusion: Lamport's queue, Ricart-Agrawala, token ring, leases.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

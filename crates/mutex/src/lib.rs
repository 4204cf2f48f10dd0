//! Mutual exclusion: of many that want, one at a time may.
//!
//! | module | idea | messages per entry | tolerates |
//! |---|---|---|---|
//! | [`centralised`] | ask one node, the coordinator | 3 | links that lose nothing, nodes that do not die |
//! | [`lamport_mutex`] | everybody keeps the queue of all requests | 3(N-1) | perfect links that keep the order; no deaths |
//! | [`ricart_agrawala`] | ask everybody; who comes later waits for the reply | 2(N-1) | links that lose nothing, nodes that do not die |
//! | [`token_ring`] | who has the token may; a new one has a new epoch | 2 and more | lost messages and deaths, given a bound on time |
//! | [`leases`] | a lock for a term, and tokens that grow | 2 a term | losses, deaths, clocks that drift within a bound |
//!
//! [`section`] holds what they share: the critical section seen from outside, and what must hold of it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod centralised;
pub mod lamport_mutex;
pub mod leases;
pub mod ricart_agrawala;
pub mod section;
pub mod token_ring;

//! Mutual exclusion: of many nodes that want to enter, at most one may at a time.
//!
//! | module | idea | messages per entry | tolerates |
//! |---|---|---|---|
//! | [`centralised`] | ask one node, the coordinator | 3 | lossless links, no crashes |
//! | [`lamport_mutex`] | every node keeps the queue of all requests | 3(N-1) | perfect FIFO links, no crashes |
//! | [`ricart_agrawala`] | ask every node; the node with the later request waits for the reply | 2(N-1) | lossless links, no crashes |
//! | [`maekawa`] | ask a voting set of about the square root of N nodes | 3 to 6 times its size | lossless FIFO links, no crashes |
//! | [`token_ring`] | the node with the token may enter; a new token has a new epoch | 2 and more | lost messages and crashes, given a bound on delay |
//! | [`suzuki_kasami`] | ask every node for the token, which stays where it was used last | N, or 0 | lossless links, no crashes |
//! | [`leases`] | a lock for a term, and growing tokens | 2 per term | losses, crashes, clocks that drift within a bound |
//!
//! [`section`] contains what they share: the critical section seen from outside, and its properties.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod centralised;
pub mod lamport_mutex;
pub mod leases;
pub mod maekawa;
pub mod ricart_agrawala;
pub mod section;
pub mod suzuki_kasami;
pub mod token_ring;

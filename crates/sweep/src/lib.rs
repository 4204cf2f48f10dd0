//! The whole service in the simulated world, under faults from a seed.
//!
//! # The sweep of the store
//! Three or five nodes, each the [`Replica`](volvox_replica::Replica) that serves production traffic: consensus, store,
//! forwarding, reads, leases, watch hub, checkpoints. Each has the real log code of `volvox-disk`, byte for byte, over
//! a simulated folder. Clients on every node write, read, hold leases and watch for thirty simulated seconds, members
//! join and leave, under every fault that the service claims to survive. Then the world heals, and everything must
//! recover within a bound.
//!
//! ```text
//!    clients, watchers, operators            their answers are compared with
//!      |  requests        ^  answers           +-- the one true history (truth)
//!    service: admission and answers            +-- a search for a linearizable order (linearizability)
//!    +----------------------------+            +-- the six watch guarantees (watchers)
//!    | replica = raft + store + .. |  x 3, 5   +-- what was promised of leases (leases)
//!    +----------------------------+
//!      |  records, parts  ^  what is left    after every step of every node
//!      v                  |                    +-- the invariants of Raft
//!    +----------------------------+            +-- equal history and state on all nodes
//!    | Log over SimulatedDirectory |           +-- a healthy disk loses nothing
//!    +----------------------------+
//! ```
//!
//! # What is checked
//! | property | violation | module |
//! |---|---|---|
//! | Raft's invariants | after every step, as the paper states them | `volvox_raft::invariants` |
//! | replicas are equal | a revision or the state at an applied index differs between two nodes | `truth` |
//! | nothing acknowledged is lost | an answer names a revision whose history does not hold the write | `operations` |
//! | nothing happens twice | a value, which is unique, is written at two revisions | `truth` |
//! | what is refused does not happen | a value of a definitely refused write is found in the history | `run` |
//! | a read is one read | its pages, or its pairs in place, are not what the history holds at one revision | `operations` |
//! | reads never go back | a header names a revision below that of an earlier answer to any client | `operations` |
//! | single keys are linearizable | no order of their operations fits | [`linearizability`] |
//! | the six watch guarantees | each response against the history | `watchers` |
//! | leases end neither early nor twice | a lease ends before the time promised to its client, or returns | `leases` |
//! | every request is answered in time | no reply although the node ran | `clients` |
//! | progress | after everything healed: writes, members, replicas, watchers | `progress` |
//!
//! Damage of disks stays on a minority of the voters, counted until each votes again; while members change, no disk is
//! damaged (`damage`, `membership`). So a failing seed is a bug, in the service or in the laboratory.
//!
//! # How to use it
//! `volvox lab sweep store` runs a thousand seeds on all cores and prints how often each rare path ran
//! ([`MUST_RUN`]): one that never ran fails the sweep, because nothing was tested about it. A failing seed prints the
//! property, the end of its trace, and the line that replays it. Seeds that found something are kept in `seeds.txt`,
//! and a test replays them. `examples/planted.rs` plants twelve bugs, one at a time, and counts the seeds until the same
//! sweep finds each. Half of the seeds draw faults for the moments in which they hurt most (`strikes`).
//!
//! The failures of planted bugs are shrunk by replaying them by hand: [`shrink`], `examples/planted_shrunk.rs`.
//!
//! # Caveats
//! A step takes no time. Decay of the last unwitnessed batch cannot be distinguished from a torn write (decisions/0009)
//! and is not inflicted.
#![forbid(unsafe_code)]

mod clients;
mod damage;
mod driver;
mod follow;
mod history;
mod leases;
pub mod linearizability;
mod log_disk;
mod membership;
mod moments;
mod operations;
#[cfg(feature = "planted-bugs")]
pub mod plants;
mod progress;
mod prune;
mod rare;
mod run;
mod shape;
pub mod shrink;
mod streams;
mod strikes;
pub mod sweep;
mod truth;
mod wander;
mod watchers;
mod workload;

pub use rare::MUST_RUN;
pub use run::{Report, run};

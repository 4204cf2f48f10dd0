//! One member of the service: everything between a client's request and its answer.
//!
//! # The problem
//! Consensus agrees on a log, and a store applies it. Between the two and a client lies what makes three machines
//! *behave as one*: any node accepts any request, a client notices neither the leader's location nor its crash, an
//! acknowledged write is never lost or applied twice, a read never goes back in time, a lease neither expires early nor
//! returns, and a watcher misses nothing.
//!
//! # The idea
//! All of it is one pure [`Process`](volvox_core::Process), [`Replica`], that owns a Raft process and a store. Answers
//! to clients are decided here and in the service above it, both of which the simulator runs; doors consist of
//! connections and codecs.
//!
//! ```text
//!  client of n2         n2 (follower)                 n1 (leader)                        n3
//!     | put k v            |                              |                               |
//!     |------------------> | encode once, sequence 7      |                               |
//!     |                    |-- Forward #7 in term 3 ----> | propose: append + persist     |
//!     |                    | <------- Append [12] --------|------- Append [12] ---------->|
//!     |                    |-- Appended 12 (synced) ----> | commit 12 (two disks)         |
//!     |                    | <------- commit 12 ----------|                               |
//!     | <-- revision 9 ----| apply: #7 is mine            | apply                         |
//! ```
//!
//! # The parts
//! | module | responsibility |
//! |---|---|
//! | [`request`] | the vocabulary: requests, replies, errors |
//! | `replica` | the process: its inputs, and its parts below |
//! | `replica::writes` | requests in flight at the receiving node, and why a lost leader is not an error |
//! | `replica::forward` | the proposals that a leader accepts from others, each once |
//! | `replica::reads` | linearizable reads by ReadIndex |
//! | `replica::apply` | entries into the store, and their consequences |
//! | `replica::leases`, [`lease_clock`] | requests about leases, and their expiry |
//! | `replica::watching`, [`watch`] | the watch streams; the hub with its six guarantees |
//! | [`tokens`], `replica::sessions` | which clients logged in, known at every member |
//! | [`members`], `replica::membership` | the members, and the Raft configuration that follows them |
//! | `replica::checkpoint`, `replica::snapshot` | checkpoints and restart; snapshots to others and from others |
//! | [`proposal`] | the content of an entry; the window that makes duplicates harmless |
//!
//! # Why it is safe
//! A write carries (node, incarnation, sequence). It is handed to the leader of one term, which accepts it only in that
//! term; it is handed over again only after an entry of a later term was applied, which no entry of the earlier term
//! can follow. If a frame is duplicated nevertheless, the replicated window drops the second copy. Reads are answered
//! from a state that contains everything committed when they arrived. Leases live by the leader's clock alone, which
//! starts after the leader applied an entry of its own term, when it knows every lease there is.
//!
//! # Caveats
//! A request whose outcome cannot be known in time ends in etcd's "request timed out". Lease checkpoints proposed on their
//! own are not included yet.
//!
//! References: Ongaro and Ousterhout 2014 (Raft); Ongaro's thesis, chapters 3, 4 and 6; the etcd v3 API.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod error;
pub mod lease_clock;
pub mod members;
pub mod message;
pub mod planted;
pub mod proposal;
mod replica;
pub mod request;
pub mod tokens;
pub mod view;
pub mod watch;

pub use config::Config;
pub use error::Error;
pub use members::Member;
pub use message::{Message, Record, Timer};
pub use replica::{Replica, Seed, seed};
pub use request::{Command, Event, MemberRequest, Reply, Request, Ticket, WatchCommand};
pub use tokens::{Token, Tokens};
pub use view::{Status, View};
pub use watch::{HubLimits, StreamId, WatchCreate, WatchResponse};

//! The answers to clients: requests are admitted here, and answered here from an immutable view.
//!
//! # The problem
//! A replica orders writes and says when a view is new enough to read. Between that and a client lies the rest of the
//! contract: who is served by a learner, what is refused without a leader, which request is invalid, which transaction
//! needs no consensus, which view answers a read, how a long answer is cut so that the node is not held up, which id a
//! lease gets, when a stream must end. As long as the door to a foreign protocol decides these, no simulator runs them.
//!
//! # The idea
//! A request is a value, and its way to an answer is a small state machine without I/O. [`admit`] looks at it and at
//! the newest view, and returns what comes [`Next`]: an [`Answer`], or something to ask of the replica. Its reply goes
//! to [`Call::on_reply`], which returns what comes next.
//!
//! ```text
//!   client      door                      service                              replica
//!     | bytes    |                           |                                     |
//!     |--------> | decode                    |                                     |
//!     |          |-- admit(view, request) -> | learner? leader? valid?             |
//!     |          | <-- Ask(call, Read) ------|                                     |
//!     |          |------------------------------ Read ---------------------------> |
//!     |          | <---------------------------- ReadReady ------------------------|
//!     |          |-- on_reply(view) -------> | evaluate over exactly this view     |
//!     |          | <-- Answer ---------------|                                     |
//!     | <--------| encode                    |                                     |
//! ```
//!
//! A door consists of a connection and a codec around that loop. The sweep (`volvox lab sweep store`) drives the same
//! loop with clients in the simulated world, under every fault, and judges the answers.
//!
//! # The parts
//! | module | responsibility |
//! |---|---|
//! | [`request`] | the vocabulary: requests, their callers, the limits of this member |
//! | [`admission`] | which requests are served at all: learners, leaders, etcd's static checks in their order |
//! | `identify`, `permission`, `login` | the caller; what a request needs its permission for; the way of a password |
//! | [`call`] | a request from its admission to its answer |
//! | [`answer`] | the answers, and the header that every one of them has |
//! | [`reading`] | reads over a view: at once, pair by pair, or in turns |
//! | [`probe`] | the questions of load balancers: is this member alive, ready, healthy |
//! | [`leaderless`] | when streams whose callers demand a leader must end |
//! | [`error`] | why a request is refused |
//!
//! # Why it is right
//! *A read is answered from the view that was loaded after the replica confirmed it*: [`Call`] holds no view, so there
//! is no older one to answer from. *A long read is one read*: its pages come from one view, which never changes.
//! *Randomness is an input*: ids of leases are drawn from the seed in the request.
//!
//! # Users and roles
//! A door says what it knows of a caller as a value, [`request::Credentials`], since passwords, signatures and certificates
//! are checked outside. Reads are authorised where they are evaluated, against the very view that answers them; writes where
//! they are applied, in the store, by the same function ([`volvox_store::View::authorize`]). A password is compared outside
//! as well: [`Next::CheckPassword`] asks for it, and the login goes through the log, so that every member knows the token;
//! where users or roles changed in between it is refused there, and the password checked again.
//!
//! # Caveats
//! The errors are this crate's own. The texts and codes that the clients of a foreign protocol compare belong to its
//! door. Watch streams are answered by the hub of the replica; only their admission and their end are decided here.
//!
//! References: the etcd v3 API (`book/src/etcd.md`, cited by section).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod admission;
pub mod answer;
pub mod call;
pub mod error;
mod identify;
pub mod leaderless;
mod login;
mod permission;
pub mod planted;
pub mod probe;
pub mod reading;
pub mod request;

pub use answer::{Answer, Body, Header, Problem};
pub use call::{Call, Next, admit};
pub use error::Error;
pub use leaderless::Leaderless;
pub use reading::{Hashing, Pages, Reading};
pub use request::{AuthRead, Caller, Credentials, Limits, Request};

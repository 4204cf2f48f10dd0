//! Single-decree Paxos: several processes choose one value, irrevocably.
//!
//! # The problem
//!
//! Several processes propose values, and one of these is to be *chosen*: all processes that learn what was chosen learn the
//! same. Messages are lost, duplicated, delayed and reordered; processes crash, and restart with their disks. No
//! process can tell a slow process from a dead one, so none may wait for all.
//!
//! # The idea
//!
//! A value is chosen when a *majority* of the acceptors has accepted it. One attempt can fail halfway, so there are
//! many, which *ballots* number and order. The danger is a later attempt that chooses a different value. Therefore each
//! attempt begins with a request to a majority: *promise* to ignore older ballots, and report what you have accepted.
//! The newest accepted value among the answers may have been chosen, so the attempt must continue with this value. Only
//! if no acceptor in that majority has accepted anything is the proposer free to propose its own.
//!
//! # The messages
//!
//! | message | in the paper | says |
//! |---|---|---|
//! | `Request v` | a client's request | propose this: to the distinguished proposer |
//! | `Prepare b` | phase 1a | promise to accept nothing older than `b`; what have you accepted? |
//! | `Promise b` | phase 1b | promised; this is the newest proposal that I accepted (sent after the promise is durable) |
//! | `Accept b v` | phase 2a | accept `v` in ballot `b` |
//! | `Accepted b v` | phase 2b | accepted (sent after it is durable) |
//! | `Refused b` | (section 2.2, last paragraph) | I promised a newer ballot, this one |
//! | `Chosen v` | (section 2.3) | a learner tells the others |
//! | `Inquire` | (section 2.3) | find out what was chosen: to the distinguished proposer |
//!
//! # A run
//!
//! ```text
//!      n1 wants 7              n2                    n3 wants 9
//!   promises 1.1                |                     |
//!        |-- Prepare 1.1 ------>|-------------------->|
//!        |                  disk: 1.1             disk: 1.1
//!        |<-- Promise 1.1 ------|<--------------------|
//!   n1 and n2 are two of three, and accepted nothing: 7 is free to go
//!        |-- Accept 1.1 7 ----->|         X           |   the other copy is lost
//!        |                  disk: 1.1 7           promises 2.3
//!        |<-- Accepted 1.1 7 ---|<----- Prepare 2.3 --|
//!   7 is chosen                 |                     |
//!        |                      |--- Promise 2.3 ---->|   "I accepted 7 in 1.1"
//!        |                      |<----- Accept 2.3 7 -|   so n3 proposes 7, not 9
//! ```
//!
//! # Why it is safe
//!
//! *If `v` was chosen in ballot `b`, every later ballot proposes `v`* (P2b of section 2.2). Take the first later ballot
//! `c`. Its majority of promises shares an acceptor with the majority that accepted `v` in `b`. That acceptor accepted
//! first and promised `c` afterwards, since its promise would otherwise have prevented it from accepting: so it
//! reported `b`. No acceptor reported a ballot between `b` and `c` with another value, since `c` is the first. So the
//! newest proposal reported to `c` carries `v`. The rest follows by induction.
//!
//! Each step relies on one rule, and each rule can be removed ([`Rule`]): majorities intersect; a promise is kept; the
//! newest accepted value is adopted; promises and acceptances survive a crash, so both are durable before any other
//! process learns of them; and a learner counts acceptances of one ballot, not of several.
//!
//! # Caveats
//!
//! - **Termination is not guaranteed.** Two proposers can pre-empt one another forever: each `Prepare` kills the
//!   other's `Accept` (section 2.4; by Fischer, Lynch and Paterson 1985 no protocol can exclude this altogether). A
//!   random pause before the next ballot makes it unlikely; a distinguished proposer ([`Config::distinguished`]) makes
//!   it impossible while that proposer is alive. Here it is configured, not elected.
//! - An acceptor that has lost its disk is not the acceptor that promised: it must not answer under the old id.
//! - A learner that missed `Chosen` starts a ballot (section 2.3; command `learn`): its own, or, by `Inquire`, one of
//!   the distinguished proposer, the only one to begin ballots where it is configured. Until a value is chosen it
//!   learns nothing.
//! - A proposer abandons its ballot at the first `Refused`, though a majority may still promise and accept it. The
//!   paper allows that (section 2.2, last paragraph, as an optimisation); it costs a ballot, never safety.
//! - An acceptor refuses a ballot only for a newer one, and ignores a copy of a `Prepare` that it has promised: links
//!   duplicate messages, and the proposer would abandon a healthy ballot.
//! - A ballot is new after every restart, because the proposer's own acceptor promises it, on its own disk, before it
//!   is sent.
//!
//! # References
//!
//! - L. Lamport: *Paxos Made Simple*, 2001. Sections are cited from it.
//! - L. Lamport: *The Part-Time Parliament*, ACM TOCS 16(2), 1998.

mod message;
mod process;
mod properties;

pub use message::{Ballot, Command, Event, Message, Record, Value};
pub use process::{Acceptor, Attempt, Paxos, Timer};
pub use properties::{History, properties};

use volvox_core::{Duration, NodeId, rules};

/// The configuration, fixed for the life of a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The processes that learn of an acceptance (section 2.3).
    pub learning: Learning,
    /// The only process that begins ballots (section 2.4); if none is named, every process does.
    pub distinguished: Option<NodeId>,
    /// How long a proposer waits for the answers to a ballot, and after a refusal, before it begins the next.
    pub patience: Duration,
    /// The largest random addition to it, drawn each time.
    pub backoff_max: Duration,
    /// The rule to remove, for the laboratory.
    pub without: Option<Rule>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            learning: Learning::Proposer,
            distinguished: None,
            patience: Duration::from_millis(20),
            backoff_max: Duration::from_millis(80),
            without: None,
        }
    }
}

/// The processes that learn of an acceptance (section 2.3): few messages, or few delays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Learning {
    /// The proposer of the ballot is the distinguished learner, and tells the others what was chosen.
    Proposer,
    /// Each acceptor tells every learner.
    All,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Intersection = "intersection": "two majorities share an acceptor" / "two halves of the acceptors choose two values",
    PromiseOnDisk = "promise-on-disk": "a promise is on the disk before it is sent" /
        "a crash makes the acceptor forget it, and an older ballot gets through",
    AcceptanceOnDisk = "acceptance-on-disk": "an acceptance is on the disk before it is sent" /
        "a crash makes the acceptor forget it, and the next ballot does not learn of it",
    PromiseKept = "promise-kept": "an acceptor that promised a ballot accepts nothing older" / "two ballots choose different values",
    AdoptNewest = "adopt-newest": "a proposer adopts the newest value that its majority accepted" /
        "each ballot proposes its own value",
    SameBallot = "same-ballot": "a learner counts the acceptances of one ballot" /
        "two minorities of two ballots count as a majority",
    Backoff = "backoff": "a proposer pauses for a random time after a refusal" / "two proposers duel forever",
}

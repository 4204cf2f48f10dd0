//! Single-decree Paxos: one value is chosen, once and for all.
//!
//! # The problem
//!
//! Several processes propose values, and one of these is to be *chosen*: all processes that learn what was chosen learn the
//! same. Messages are lost, doubled, late and out of order; processes stop, and come back with their disks. Nobody can
//! tell a slow process from a dead one, so nobody may wait for all.
//!
//! # The idea
//!
//! A value is chosen when a *majority* of the acceptors has accepted it. One attempt at that can fail half-way, so there
//! are many, told apart and ordered by *ballots*. The danger is a later attempt that chooses something else. Therefore
//! each begins with a question to a majority: *promise* to take part in nothing older, and tell what you have accepted.
//! What the newest of the answers accepted may have been chosen; so this value, and no other, is what the attempt goes on
//! with. Only when nobody in that majority has accepted anything is the proposer free to propose its own.
//!
//! # The messages
//!
//! | message | in the paper | says |
//! |---|---|---|
//! | `Request v` | a client's request | propose this: to the distinguished proposer |
//! | `Prepare b` | phase 1a | promise to accept nothing older than `b`; what have you accepted? |
//! | `Promise b` | phase 1b | promised; this was the newest that I accepted (behind the record of the promise) |
//! | `Accept b v` | phase 2a | accept `v` in ballot `b` |
//! | `Accepted b v` | phase 2b | accepted (behind the record of it) |
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
//! first and promised `c` afterwards, or its promise would have kept it from accepting: so it told of `b`. Nobody told of
//! a ballot between `b` and `c` with another value, since `c` is the first. So the newest that `c` hears of carries `v`.
//! By induction this goes on.
//!
//! Each step leans on one rule, and each can be taken out ([`Rule`]): majorities intersect; a promise is kept; the newest
//! accepted value is adopted; what was promised and accepted survives a crash, so both are on the disk before anybody
//! hears of them; and a learner counts acceptances of one ballot, not of several.
//!
//! # Caveats
//!
//! - **It need not end.** Two proposers can pre-empt one another forever: each `Prepare` kills the other's `Accept`
//!   (section 2.4; by Fischer, Lynch and Paterson 1985 no protocol can exclude this altogether). A random pause before
//!   the next ballot makes it unlikely; a distinguished proposer ([`Config::distinguished`]) makes it impossible while
//!   that one lives. Who it is, is configured here, not elected.
//! - An acceptor whose disk is gone is not the acceptor that promised: it must not answer under the old name.
//! - A learner that missed `Chosen` has a ballot begun (section 2.3; command `learn`): its own, or by `Inquire` one of the
//!   distinguished proposer, which alone begins ballots where it is configured. Until something was chosen it learns nothing.
//! - A proposer gives its ballot up at the first `Refused`, though a majority may still promise and accept it. The paper allows
//!   that (section 2.2, last paragraph, as an optimisation); it costs a ballot, never safety.
//! - An acceptor refuses a ballot only for a newer one, and ignores a copy of a `Prepare` that it has promised: links double
//!   messages, and a healthy ballot would be given up.
//! - The proposer's ballot is new in every life because it is promised by its own acceptor, on its own disk, before it is
//!   sent.
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
    /// Who hears that something was accepted (section 2.3).
    pub learning: Learning,
    /// The only process that begins ballots (section 2.4); every process does when none is named.
    pub distinguished: Option<NodeId>,
    /// How long a proposer waits for the answers to a ballot, and after a refusal, before it begins the next.
    pub patience: Duration,
    /// How much longer at most, drawn each time.
    pub backoff_max: Duration,
    /// The rule that is taken out: a feature of the laboratory.
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

/// Who hears that something was accepted (section 2.3): few messages, or few delays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Learning {
    /// The proposer of the ballot is the distinguished learner, and tells the others what was chosen.
    Proposer,
    /// Each acceptor tells every learner.
    Everybody,
}

rules! {
    /// The removable rules.
    pub enum Rule of Config;
    Intersection = "intersection": "two majorities share an acceptor" / "two halves of the acceptors choose two values",
    PromiseOnDisk = "promise-on-disk": "a promise is on the disk before it is sent" /
        "a crash makes the acceptor forget it, and an older ballot gets through",
    AcceptanceOnDisk = "acceptance-on-disk": "an acceptance is on the disk before it is sent" /
        "a crash makes the acceptor forget it, and the next ballot hears of none",
    PromiseKept = "promise-kept": "an acceptor that promised a ballot accepts nothing older" / "two ballots choose",
    AdoptNewest = "adopt-newest": "a proposer adopts the newest value that its majority accepted" /
        "each ballot proposes its own value",
    SameBallot = "same-ballot": "a learner counts the acceptances of one ballot" /
        "two minorities of two ballots are taken for a majority",
    Backoff = "backoff": "a proposer pauses for a random time after a refusal" / "two proposers duel forever",
}

//! Raft: several machines that keep one log, and lose no committed entry of it while a majority of them lives.
//!
//! # The problem
//!
//! Machines that apply the same commands in the same order stay equal: agree on a log, and any deterministic program is
//! replicated. The agreement has to hold although messages are lost, doubled and late, although machines stop and come
//! back, and although nobody can tell a slow machine from a dead one.
//!
//! # The idea
//!
//! Raft (Ongaro and Ousterhout 2014) cuts the problem in two. In each *term* the members elect at most one leader, by
//! majority. The leader alone appends, and everybody else copies its log. An entry that a majority has copied *in its
//! leader's own term* is *committed*, with all entries before it, and is never lost: the next leader needs votes from a
//! majority too, the two majorities share a member, and that member votes for nobody whose log lacks what it has. (An entry
//! of an earlier term may be on a majority and still be replaced: point 4 below, and figure 8 of the paper.)
//!
//! # The messages
//!
//! [`Body`] is the vocabulary; each variant says what it means. In short:
//!
//! | question | answer | section |
//! |---|---|---|
//! | `PreVote`: would you vote for me? | `PreVoteReply` | thesis 9.6 |
//! | `Vote`: vote for me in this term | `VoteReply`, once the vote is on the disk | 5.2, 5.4.1 |
//! | `Append`: entries behind this one | `Appended`, once they are on the disk; or `Conflict` | 5.3 |
//! | `Heartbeat`: I am alive; am I still the leader? | `HeartbeatReply`, without waiting for the disk | 5.2, 8 |
//! | `ReadIndex`: where may I read? | `ReadIndexReply` | thesis 6.4 |
//! | `Snapshot`: one part of what the log no longer holds | `SnapshotReply`, then `Appended` | 7 |
//! | `TimeoutNow`: campaign at once | | thesis 3.10 |
//! | `Join`: I know nothing, take me in; `Joins`: to its leader, from a member that heard it | | |
//!
//! `Stale` answers whoever speaks of a term that is over.
//!
//! # A run
//!
//! ```text
//!        n1                    n2                    n3
//!  timeout |                     |                     |
//!          |-- PreVote t0 ------>|-------------------->|     nothing is written down
//!          |<-- granted ---------|<--------------------|
//!  t1, votes for itself, disk    |                     |
//!          |-- Vote t1 --------->|-------------------->|
//!          |                  disk                  disk     a vote survives a crash
//!          |<-- granted ---------|                     |
//!  leader: 2 of 3                |                     |
//!          |-- Append [1] ------>|-------------------->|     while n1's own disk writes
//!        disk                 disk                  disk
//!          |<-- matched=1 -------|                     |
//!  commit 1: n1 and n2           |                     |
//!          |-- Append [] commit=1 -------------------->|     told at once
//! ```
//! `tests/scripts/raft` holds more of them, message by message, with the words of the trace.
//!
//! # Why it is safe
//!
//! The five properties of figure 3, each of which is also code in [`invariants`]:
//!
//! 1. *Election safety*: a member votes once a term, and remembers it on its disk (5.2). Two majorities share a member, so
//!    a term has one leader.
//! 2. *Leader append-only*: a leader never changes its log, only appends (5.3).
//! 3. *Log matching*: an entry is taken only behind the very entry that precedes it in the leader's log. So equal index and
//!    term mean equal entries, and equal logs before them (5.3).
//! 4. *Leader completeness*: a voter refuses a candidate whose log ends earlier than its own (5.4.1), so an elected leader
//!    has every committed entry. This needs the rule of figure 8: a leader counts replicas only of entries of its *own* term
//!    (5.4.2).
//! 5. *State machine safety*: a member that applies an entry at an index applies what every member applies there.
//!
//! Each of these rests on *durability*: votes and acknowledgements leave a member behind the records that they reveal
//! ([`Context::send`](volvox_core::Context::send) waits for the disk). What promises nothing does not wait, and says so in
//! a comment: entries on their way out, heartbeats, reads.
//!
//! # What this adds to the paper, and what differs
//!
//! - **Who is a member.** A member is a node *in one life of its storage* ([`Member`]). A node that lost its disk is somebody
//!   else, votes nowhere, and is swapped in by a change of the configuration. Every message names the life that speaks and
//!   the life that is meant. "It votes again once it has caught up" and "it takes a higher term" are shown to give two
//!   leaders (`tests/recovery.rs`).
//! - **Pre-vote, stickiness, check-quorum** (thesis 9.6, 4.2.3, 6.2) keep a member that was cut off from disturbing the
//!   others, and a leader that was cut off from believing in itself for longer than two election timeouts. A pre-candidate
//!   that hears a candidate of its own term votes, if its vote is free, and is a follower again.
//! - **Pipelined replication and persistence** (thesis 10.2): the leader sends while its own disk writes, counts itself once
//!   that is done, and sends the next entries before the last are acknowledged, within a window of bytes and messages a
//!   follower. Retransmission has no clock of its own: a heartbeat whose answer shows less than was sent before it tells what
//!   was lost.
//! - **Heartbeats are messages of their own**, not empty `Append`s: their answers do not queue behind the disk, and confirm
//!   leadership for reads. Their `durable` field makes good for lost acknowledgements.
//! - **Reads** go by read index, one confirmation for all that wait. There are no leases: they would trust clocks.
//! - **Any change of members by joint consensus** (6). Single-server changes as published in the thesis (2014) had a bug,
//!   reported in July 2015; joint consensus never had it, and one mechanism is less than two. Only when the voters stay the
//!   same is one step taken.
//! - **Snapshots come in parts**, a few under way at a time, and go on where a broken link stopped.
//! - **The first entry of a cluster is its configuration**, so that the log says all that a later member needs (thesis 4.4).
//! - A server that holds the uncommitted entry of its own removal still campaigns, without counting its own vote
//!   (thesis 4.2.2): it may be the only one that can be elected.
//!
//! # Caveats
//!
//! - Peers may be dead, slow or confused, and anything may arrive; nothing that arrives breaks a member. But Raft believes
//!   its members: one that lies about its log can have the others lose theirs.
//! - A leader checks its quorum once an election timeout, so it may lead nobody for up to two of them. It answers no reads
//!   in that time, and commits nothing.
//! - A member that is removed while it cannot be reached does not learn of it. It asks for votes forever, and is ignored.
//! - **What is explored, and what is sampled.** `volvox lab check raft` visits every schedule of two or three members, up to four
//!   terms (figure 8), logs of up to three entries and one crash, and asks for election safety, log matching, leader
//!   completeness and state machine safety. Pre-vote and check-quorum are off there, and changes of members, snapshots, reads
//!   and transfers are not in it: those are sampled, by `tests/fuzz.rs` and `volvox lab sweep store`.
//! - What follows a received snapshot may be acknowledged only once the checkpoint is current. So worlds must not report a
//!   record as durable before a checkpoint that was made before it; they may write it earlier.
//!
//! # How to read the code
//!
//! [`interface`] says what is asked and told; [`message`] and [`record`] what is sent and written. [`configuration`] is the
//! arithmetic of majorities. [`node`] is the machine, one file a role (follower, candidate, leader) and one a mechanism
//! (read, membership, snapshot, transfer, restore). [`planted`] lists rules that tests take out, one line each.
//!
//! # References
//!
//! - D. Ongaro, J. Ousterhout: *In Search of an Understandable Consensus Algorithm (Extended Version)*, 2014. Cited as
//!   "Raft 5.2".
//! - D. Ongaro: *Consensus: Bridging Theory and Practice*, dissertation, Stanford 2014. Cited as "thesis 3.10".
//! - D. Ongaro: *bug in single-server membership changes*, raft-dev, July 2015.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod command;
pub mod configuration;
pub mod entry;
pub mod interface;
pub mod invariants;
mod log;
pub mod message;
pub mod node;
pub mod planted;
mod progress;
pub mod record;

pub use configuration::{Configuration, Member};
pub use entry::{Entry, Index, Payload, Term};
pub use interface::{Command, Config, Event, Refusal, RoleKind, Status, Ticket, Timer};
pub use message::{Body, Message};
pub use node::Raft;
pub use record::{Record, SnapshotMeta};

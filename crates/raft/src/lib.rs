//! Raft: several machines keep one log, and lose no committed entry of it while a majority of them survives.
//!
//! # The problem
//!
//! Machines that apply the same commands in the same order stay equal: agreement on a log replicates any deterministic
//! program. The agreement has to hold although messages are lost, duplicated and delayed, although machines crash and
//! restart, and although no machine can tell a slow one from a dead one.
//!
//! # The idea
//!
//! Raft (Ongaro and Ousterhout 2014) cuts the problem in two. In each *term* the members elect at most one leader, by
//! majority. Only the leader appends, and all others copy its log. An entry that a majority has copied *in its leader's
//! own term* is *committed*, with all entries before it, and is never lost: the next leader needs votes from a majority
//! too, the two majorities share a member, and that member votes for no candidate whose log lacks what it has. (An
//! entry of an earlier term may be on a majority and still be replaced: point 4 below, and figure 8 of the paper.)
//!
//! # The messages
//!
//! [`Body`] is the vocabulary; each variant says what it means. In short:
//!
//! | request | answer | section |
//! |---|---|---|
//! | `PreVote`: would you vote for me? | `PreVoteReply` | thesis 9.6 |
//! | `Vote`: vote for me in this term | `VoteReply`, once the vote is on the disk | 5.2, 5.4.1 |
//! | `Append`: entries after this one | `Appended`, once they are on the disk; or `Conflict` | 5.3 |
//! | `Heartbeat`: I am alive; am I still the leader? | `HeartbeatReply`, without waiting for the disk | 5.2, 8 |
//! | `ReadIndex`: where may I read? | `ReadIndexReply` | thesis 6.4 |
//! | `Snapshot`: one part of what the log no longer holds | `SnapshotReply`, then `Appended` | 7 |
//! | `TimeoutNow`: campaign at once | | thesis 3.10 |
//! | `Join`: I know nothing, add me; `ForwardJoin`: the same, forwarded by a member to its leader | | |
//!
//! `Stale` answers a message of an earlier term.
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
//! `tests/scripts/raft` contains more runs, message by message, in the format of the trace.
//!
//! # Why it is safe
//!
//! The five properties of figure 3, each of which is also code in [`invariants`]:
//!
//! 1. *Election safety*: a member votes once per term, and persists its vote (5.2). Two majorities share a member, so a
//!    term has one leader.
//! 2. *Leader append-only*: a leader never changes its log, only appends (5.3).
//! 3. *Log matching*: an entry is accepted only after the entry that precedes it in the leader's log. So equal index
//!    and term mean equal entries, and equal logs before them (5.3).
//! 4. *Leader completeness*: a voter refuses a candidate whose log ends earlier than its own (5.4.1), so an elected leader
//!    has every committed entry. This needs the rule of figure 8: a leader counts replicas only of entries of its *own* term
//!    (5.4.2).
//! 5. *State machine safety*: a member that applies an entry at an index applies what every member applies there.
//!
//! Each of these relies on *durability*: votes and acknowledgements wait for the records that they reveal
//! ([`Context::send`](volvox_core::Context::send) waits for the disk). Messages that promise nothing do not wait, and a
//! comment says why: outgoing entries, heartbeats, reads.
//!
//! # What this adds to the paper, and what differs
//!
//! - **Members.** A member is a node *in one incarnation of its storage* ([`Member`]). A node that lost its disk is a
//!   different member, does not vote, and is swapped in by a change of the configuration. Every message names the
//!   incarnations of its sender and its receiver. "It votes again once it has caught up" and "it adopts a higher term"
//!   are shown to lead to two leaders (`tests/recovery.rs`).
//! - **Pre-vote, stickiness, check-quorum** (thesis 9.6, 4.2.3, 6.2) prevent an isolated member from disturbing the
//!   others, and an isolated leader from believing that it leads for longer than two election timeouts. A pre-candidate
//!   that hears from a candidate of its own term votes, if its vote is free, and becomes a follower again.
//! - **Pipelined replication and persistence** (thesis 10.2): the leader sends while its own disk writes, counts itself once
//!   that is done, and sends the next entries before the last are acknowledged, within a window of bytes and messages
//!   per follower. Retransmission has no timer of its own: the answer to a heartbeat reveals the loss of messages that
//!   were sent before it.
//! - **Heartbeats are messages of their own**, not empty `Append`s: their answers do not queue behind the disk, and confirm
//!   leadership for reads. Their `durable` field makes up for lost acknowledgements.
//! - **Reads** use the read index, with one confirmation for all that wait. There are no leases, which would rely on
//!   clocks.
//! - **Any change of members by joint consensus** (6). Single-server changes as published in the thesis (2014) had a bug,
//!   reported in July 2015; joint consensus never had it, and one mechanism is simpler than two. A change takes a
//!   single step only when the voters stay the same.
//! - **Snapshots are sent in parts**, a few in flight at a time, and continue where a broken link stopped.
//! - **The first entry of a cluster is its configuration**, so that the log contains all that a later member needs
//!   (thesis 4.4).
//! - A server that holds the uncommitted entry of its own removal still campaigns, without counting its own vote
//!   (thesis 4.2.2): it may be the only electable one.
//!
//! # Caveats
//!
//! - Peers may be dead, slow or confused, and any bytes may arrive; no input breaks a member. But Raft trusts its
//!   members: one that lies about its log can make the others lose theirs.
//! - A leader checks its quorum once per election timeout, so it may be isolated for up to two of them before it steps
//!   down. It answers no reads in that time, and commits nothing.
//! - A member that is removed while it is unreachable does not learn of it. It asks for votes forever, and the others
//!   ignore it.
//! - **Exploration and sampling.** `volvox lab check raft` visits every schedule of two or three members, up to four
//!   terms (figure 8), logs of up to three entries and one crash, and checks election safety, log matching, leader
//!   completeness and state machine safety. Worlds of two members explore reads, a read whose messages are lost, a
//!   transfer, changes of the members, and a snapshot for a learner. Pre-vote and check-quorum are off in all of them.
//!   Larger worlds are sampled, by `tests/fuzz.rs` and `volvox lab sweep store`.
//! - Entries after a received snapshot may be acknowledged only once the checkpoint is current. So worlds must not
//!   report a record as durable before a checkpoint that was made before it; they may write it earlier.
//!
//! # How to read the code
//!
//! [`interface`] defines commands and events; [`message`] and [`record`] define what is sent and written.
//! [`configuration`] is the arithmetic of majorities. [`node`] is the state machine, with one file per role (follower,
//! candidate, leader) and per mechanism (read, membership, snapshot, transfer, restore). [`planted`] lists the rules
//! that tests remove, one line each.
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
pub mod index;
pub mod interface;
pub mod invariants;
mod log;
pub mod message;
pub mod node;
pub mod planted;
mod progress;
pub mod record;

pub use configuration::{Configuration, Member};
pub use entry::{Entry, Payload};
pub use index::{Index, Term};
pub use interface::{Command, Config, Event, Refusal, RoleKind, Status, Ticket, Timer};
pub use message::{Body, Message};
pub use node::Raft;
pub use record::{Record, SnapshotMeta};

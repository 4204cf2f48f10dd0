//! The live world: real sockets, real clocks, and the log on a real disk.
//!
//! A [`Node`] runs one [`Process`](volvox_core::Process): it drives it with messages, timers, commands and the progress
//! of the disk, one step at a time, and performs the effects of the steps. It decides nothing; the real network, clock
//! and disk do. Of the worlds, this is the only one that names tokio, sockets, TLS and the clocks of the operating
//! system.
//!
//! ```text
//!  doors --command()--> +-----------+ --batch--> disk thread: one write, one fdatasync
//!        <--view()----- | node loop | <--done---
//!        <--events----- | (a turn)  | --frames of the turn--> a task per peer, one write
//!                       +-----------+ <--messages-- a task per connection on the peer port
//! ```
//!
//! # Threads
//!
//! The node loop, the tasks of its sockets and, if the caller wants, its doors share **one current-thread runtime**:
//! [`Node::run`] is a future that any runtime of tokio can poll. [`spawn_thread`] gives the node a thread of its own
//! instead. The **disk always has its own thread**, because `fdatasync` blocks. The example `threads` measures both.
//!
//! * A turn takes waiting inputs, bounded: first the results of the disk, then messages, then commands, then due
//!   timers. Each input is a step; the clocks are read for each, after the input was taken.
//! * After a stall of any cause, messages that already wait in a socket are handled before timers that are due: the loop
//!   lets the sockets be read once more before it fires a timer.
//! * At the end of a turn, in this order: the disk gets its next batch, the links get their frames, the view is
//!   published, and the events are handed out. A reader that got an event reads a view that contains it.
//! * One job of the disk is in progress at a time; records persisted meanwhile form the next batch. No batch is delayed
//!   to grow. [`Limits::idle_after`] the last batch, the log is asked to write its idle batch.
//! * A step longer than 5 ms is counted and logged: it kept heartbeats and reads waiting.
//!
//! # The disk
//!
//! | condition | behaviour of the node |
//! |---|---|
//! | the folder is empty | begins a life: [`FreshLife`] says which incarnation |
//! | all records are there | resumes its life |
//! | records are lost | begins another life with nothing, and reports it; [`Life::began`] has the reason |
//! | the disk is full | stays up and serves what needs no disk; acknowledges nothing; tries again after 50 ms, at most a second apart |
//! | it stays full | beyond [`Limits::unwritten_bytes_max`] messages wait in their sockets and commands are refused; timers continue |
//! | a write, an fsync or a read fails | stops with [`NodeError`]: the content of the disk is unknown until the log is read again |
//!
//! # Links
//!
//! Each node dials every peer of its address book and **sends only on what it dialled**: one connection per ordered
//! pair. So no two nodes have to agree on which of two connections survives, and each direction fails and recovers
//! alone. The accepting node answers nothing there but pings.
//!
//! * **Framing**: [`frame`]. A length is checked before anything is allocated; a bad frame closes its connection.
//! * **Handshake**: version, cluster, both names and both incarnations, within a time limit, in three steps, so that a
//!   connection from before cannot displace a living one. A refusal is sent to the other end and logged at both.
//! * **Order**: at most one connection of a peer is read, the newest; before it is, the one before is closed and can
//!   deliver nothing more. So a link delivers at most once, and in order within one incarnation of both ends.
//! * **Loss**: what was being written when a connection broke, what was queued for another incarnation of the peer,
//!   and the newest messages when the queue is full ([`Limits::send_queue_bytes_max`], and less while the peer is away).
//! * **Reconnection**: after 10 ms, doubling to [`Limits::backoff_max`], with jitter; at once when the peer connects.
//! * **Half-open connections**: a ping every third of [`Limits::silence_max`]; unanswered ones end the link.
//! * **Back-pressure**: a connection is not read while the inbox is full; TCP then holds the sender.
//! * **Strangers**: few connections may stay unidentified, with buffers of 256 bytes; the newest wins.
//! * **TLS**: mutual, from files ([`PeerTls`]). The dialling end wants a certificate for the host that it dialled or
//!   for `node-<id>.volvox`. A certificate with names of that form is valid only for those nodes; one without is valid
//!   for every node.
//!
//! # Faults
//!
//! A node started for development takes faults ([`NodeHandle::set_faults`]). On the network they act on whole messages
//! at the receiving node, and a delay keeps the order; connections, handshakes and pings are left alone.
//!
//! # Caveats
//!
//! Messages are not signed individually: without TLS anyone who reaches the peer port and knows the cluster's id can
//! impersonate any node of the address book. Two processes that run under one id displace each other's links forever;
//! both ends log it, but neither can tell which is right.
#![forbid(unsafe_code)]
// This crate is the outside world: it may ask the operating system for the time.
#![allow(clippy::disallowed_methods)]

mod accept;
mod boot;
mod clock;
mod counters;
mod dial;
mod error;
mod faults;
pub mod frame;
mod handle;
mod handshake;
pub mod http;
mod inbox;
mod life;
mod limiter;
mod links;
mod live;
mod names;
mod node;
mod options;
mod peer;
mod refusal;
mod run;
mod site;
mod stream;
mod thread;
mod timers;
mod tls;
mod unwritten;
mod writer;

pub use boot::BootError;
pub use counters::{Counters, LATENCY_BOUNDS_MS, Latencies, PeerStatus};
pub use error::{NodeError, NodeOpenError, Overloaded};
pub use faults::FaultRefused;
pub use handle::NodeHandle;
pub use handshake::PEER_PROTOCOL_VERSION;
pub use life::{Began, Life};
pub use live::Live;
pub use node::Node;
pub use options::{FreshLife, Limits, NodeOptions, PeerTls};
pub use refusal::Refusal;
pub use thread::{NodeThread, spawn_thread};

//! From fair-loss links to reliable FIFO: a parent of any process, and the worked example of stacking.
//!
//! # The problem
//!
//! A fair-loss link loses, duplicates and reorders messages, but a message that is retransmitted forever eventually
//! arrives. Many protocols assume more: that every message arrives, once, in the order of sending (*perfect links* with
//! FIFO order: Cachin, Guerraoui and Rodrigues 2011, section 2.4 for the links, 3.9 for the order, which the book has
//! for broadcast only). [`Channel`] provides that to a process that is unaware of it: it takes the messages that the
//! process sends, and delivers those that the process should receive.
//!
//! # The idea
//!
//! Each message of a *stream* (one direction between two boots of two nodes) has a number. The receiver delivers only
//! the next number, buffers a few early ones, and acknowledges the last that it delivered. The sender retransmits
//! unacknowledged messages, with a pause that doubles. At most a *window* of messages is in flight; the rest waits in a
//! bounded queue, and when that is full the newest is dropped, as on a link of any world.
//!
//! Numbers mean nothing without the boots that they belong to. A process that restarts has lost its streams, so each
//! boot of a node has a **session**, which grows from boot to boot, and every message names both of them. A message
//! that names an older session is ignored.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Hello` | this is my session; what is yours? |
//! | `Welcome` | this is my session; I know yours |
//! | `Data` | the n-th message of this stream |
//! | `Ack` | everything up to n was delivered |
//! | `Refused` | I know a later session of yours than the one that you use |
//!
//! # A run
//!
//! ```text
//!   n1 (session 10)                         n2 (session 20)
//!   send a, b, c
//!     | Hello 10 --------------------------------> |
//!     | <------------------------- Welcome 20 -> 10|
//!     | Data 10->20 #1 a --------------------------> | hands up a
//!     | Data 10->20 #2 b ----------X                 |
//!     | Data 10->20 #3 c --------------------------> | early: kept
//!     | <-------------------------------- Ack 1, Ack 1
//!     |  the pause is over                           |
//!     | Data 10->20 #2 b --------------------------> | hands up b, c
//!     | <------------------------------------- Ack 3 |
//!                                             n2 dies; session 31
//!     | Data 10->20 #4 d --------------------------> | not my session:
//!     | <----------------------------------- Hello 31|
//!     |  d may have been handed up by the life that  |
//!     |  died: it is lost with it                    |
//!     | Data 10->31 #1 e --------------------------> | hands up e
//! ```
//!
//! # Why it is safe
//!
//! *At most once, and in order.* A receiver delivers number n of a stream only after n - 1, and remembers its progress
//! until it stops. The numbers of one pair of sessions are never reused: a restarted node has a greater session, and
//! the counts of a pair start at one only when one of its sessions is new.
//!
//! *Nothing is lost between two connected sessions.* A message leaves the sender's queue when it was acknowledged, or
//! when one of the two sessions ends. Then messages that were sent but not acknowledged are dropped: the old session
//! may already have delivered them, and at-most-once delivery takes precedence. Messages that had not been sent yet go
//! to the new session.
//!
//! *Termination.* Fair loss eventually lets a retransmission of the first unacknowledged message through, and an
//! acknowledgement.
//!
//! # Caveats
//!
//! - Sessions are taken from the wall clock at the start, and raised when a peer reports that it knows a greater one.
//!   Two boots whose clocks read the very same nanosecond at their starts would be mistaken for one.
//! - A message that waits for a record holds back those sent after it, even if they need not wait: order takes
//!   precedence over [`Context::send_after`](volvox_core::Context::send_after).
//! - The child's decisions ([`Context::choose`](volvox_core::Context::choose)) are drawn from its random numbers, see
//!   `decisions/0001`.
//! - A peer that never returns occupies at most one queue; the number of peers is bounded.
//!
//! # The same, step by step
//!
//! [`links`] builds it in layers, each of which adds one guarantee: fair loss, stubborn, perfect, FIFO. [`arq`] shows
//! what happens to the window when numbers have few bits and wrap: stop-and-wait, go-back-N, selective repeat. Those
//! modules are for reading and experiments; protocols use [`Channel`]. In the terms of those modules it is selective
//! repeat with a cumulative acknowledgement, 64-bit numbers, which never wrap, and sessions, which they lack.
//!
//! # References
//!
//! Cachin, Guerraoui, Rodrigues: *Introduction to Reliable and Secure Distributed Programming* (2011), 2.4
//! (links), 3.9 (FIFO-order broadcast).
//! RFC 9293 for windows and the three-way handshake; Belsnes, *Single-message communication* (1976) for why two
//! messages are not enough when old ones linger: here growing sessions replace the third message.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arq;
pub mod links;
mod message;
mod node;
mod stream;
pub mod talk;

pub use message::{Message, Session, Timer};
pub use node::{Channel, Config, Limits, PEERS_MAX};

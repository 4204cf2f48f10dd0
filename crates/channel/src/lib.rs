//! From fair-loss links to reliable FIFO: a parent of any process, and the worked example of stacking.
//!
//! # The problem
//!
//! A fair-loss link loses, repeats and reorders messages, but what is sent again and again arrives at last. Many
//! protocols are written for more: that every message arrives, once, in the order of sending (*perfect links* with
//! FIFO order: Cachin, Guerraoui and Rodrigues 2011, section 2.4 for the links, 3.9 for the order, which the book has for
//! broadcast only). [`Channel`] gives that to a process that knows nothing of it: it takes what the process sends, and hands
//! up what the process should receive.
//!
//! # The idea
//!
//! Each message of a *stream* (one direction between two lives of two nodes) has a number. The receiver hands up the
//! next number only, keeps a few early ones, and acknowledges the last that it handed up. The sender repeats what is
//! not acknowledged, with a pause that doubles. At most a *window* of messages is under way; the rest waits in a
//! bounded queue, and when that is full the newest is dropped, as on a link of any of the worlds.
//!
//! Numbers mean nothing without the lives that they belong to. A process that restarts has forgotten its streams, so
//! each life of a node has a **session**, which grows from life to life, and every message names both of them. What
//! names an older session is never looked at again.
//!
//! # The messages
//!
//! | message | says |
//! |---|---|
//! | `Hello` | this is my session; what is yours? |
//! | `Welcome` | this is mine; I know yours |
//! | `Data` | the n-th message of this stream |
//! | `Ack` | everything up to n was handed up |
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
//! *At most once, and in order.* A receiver hands up number n of a stream only after n - 1, and remembers how far it
//! is for as long as it lives. The numbers of one pair of sessions are never used twice: a node that starts anew has a
//! greater session, and the counts of a pair start at one only when one of its sessions is new.
//!
//! *Nothing is lost between two lives that meet.* A message leaves the sender's queue when it was acknowledged, and at
//! the end of one of the two lives. At that end, what was sent and not acknowledged is dropped: the life that died may
//! have handed it up already, and at most once weighs more. What had not been sent yet goes to the new life.
//!
//! *It ends.* Fair loss lets some repetition of the first unacknowledged message through, and some acknowledgement.
//!
//! # Caveats
//!
//! - Sessions are taken from the wall clock at the start, and raised when a peer says that it knows a greater one. The
//!   clock tells lives apart whose storage was lost, and the count of boots those whose clock stood still. Two lives
//!   would be taken for one only where both happened at once.
//! - A message that waits for a record holds back those sent after it, also when they do not wait: order weighs more
//!   than [`Context::send_after`](volvox_core::Context::send_after).
//! - The child's decisions ([`Context::choose`](volvox_core::Context::choose)) are drawn from its chance, see
//!   `decisions/0001`.
//! - A peer that is never heard of again keeps at most one queue; the number of peers is bounded.
//!
//! # The same, step by step
//!
//! [`links`] builds it in layers, each of which repairs one thing: fair loss, stubborn, perfect, FIFO. [`arq`] shows what
//! becomes of the window when numbers have few bits and wrap: stop-and-wait, go-back-N, selective repeat. Those modules
//! are for reading and breaking; [`Channel`] is what protocols stand on. In their words it is selective repeat with a
//! cumulative acknowledgement, numbers of 64 bits, which never wrap, and sessions, which they do without.
//!
//! # References
//!
//! Cachin, Guerraoui, Rodrigues: *Introduction to Reliable and Secure Distributed Programming* (2011), 2.4
//! (links), 3.9 (FIFO-order broadcast).
//! RFC 9293 for windows and the three-way handshake; Belsnes, *Single-message communication* (1976) for why two are not
//! enough when old messages linger: here sessions that grow take the third message's place.
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

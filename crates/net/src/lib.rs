//! The live world: real sockets, real clocks, and the log on a real disk.
#![forbid(unsafe_code)]
// This crate is the outside world: it may ask the operating system for the time.
#![allow(clippy::disallowed_methods)]

mod accept;
mod clock;
mod counters;
mod error;
mod faults;
pub mod frame;
mod handle;
mod handshake;
mod inbox;
mod limiter;
mod links;
mod names;
mod node;
mod options;
mod peer;
mod run;
mod site;
mod stream;
mod thread;
mod timers;
mod tls;
mod unwritten;
mod writer;

pub use counters::{Counters, PeerStatus};
pub use error::{NodeError, NodeOpenError, Overloaded, TlsError};
pub use faults::FaultRefused;
pub use handle::NodeHandle;
pub use handshake::{PEER_PROTOCOL_VERSION, Refusal};
pub use node::{Began, Life, Live, Node};
pub use options::{FreshLife, Limits, NodeOptions, PeerTls};
pub use thread::{NodeThread, spawn_thread};

//! Raft.
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

//! The core of Volvox: the interface between a protocol and the world that runs it.
//!
//! A protocol is written once, as a [`Process`]: a deterministic state machine that does no I/O. It is driven by
//! messages, timers and commands, and answers with [`Effect`]s, which it pushes through a [`Context`]. The *world* that
//! runs it decides what time it is, when and whether a message arrives, and what survives a crash: the simulator
//! (`sim`), the model checker (`check`) or the real network and disk (`net`, `disk`).
//!
//! This crate has no dependencies and does not use the standard library, so a protocol can reach only what this crate
//! offers. Read [`process`] first, then [`context`] for the verbs and [`effect`] for their results.
//!
//! | module | contents |
//! |---|---|
//! | [`process`] | the trait that every protocol implements |
//! | [`property`] | what must hold, evaluated in every world |
//! | [`context`] | the verbs of a step, and how a parent runs a child |
//! | [`effect`] | effects as plain data, and checkpoint parts |
//! | [`erased`] | a process without its type: a world compiled once for all protocols |
//! | [`outbox`] | the durability gate that every world applies to sends and events |
//! | [`identity`], [`time`], [`random`] | identity, time, and randomness |
//! | [`serial`] | numbers of requests that are never reused |
//! | [`bytes`], [`codec`] | shared byte strings, and a bounded binary encoding |
//! | [`fingerprint`] | a hash that is the same in every run |
//! | [`flat_map`] | a map of few entries |
//! | [`fault`] | the one fault vocabulary, parsed and printed |
//! | [`trace`] | one line of text per effect, the same everywhere |
//! | [`planted_bugs!`] | the one-line bugs of a crate that the sweep must find |
//! | [`vocabulary`] | tables that give the words of a protocol their kinds, texts, binary forms and parsers |
//!
//! [`process`], [`context`] and [`effect`] import one another, and must: a handler of a process takes a context of that
//! process, a context pushes effects, and an effect carries the process's own types. Elsewhere modules form layers.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bytes;
pub mod codec;
pub mod context;
pub mod effect;
pub mod erased;
pub mod fault;
pub mod fingerprint;
pub mod flat_map;
pub mod identity;
pub mod outbox;
mod planted;
pub mod process;
pub mod property;
pub mod random;
pub mod serial;
pub mod time;
pub mod trace;
pub mod vocabulary;

pub use bytes::Bytes;
pub use codec::{Decode, DecodeError, Encode, Reader, decode_all, decode_shared};
pub use context::{Context, Environment, Now, Scratch, WhichBoot};
pub use core::time::Duration;
pub use effect::{Effect, EffectOf, Note, PART_BYTES_MAX, Part};
pub use fault::{Fault, Scheduled};
pub use fingerprint::{StableHasher, fingerprint_of};
pub use flat_map::FlatMap;
pub use identity::{Boot, Incarnation, NodeId, Position};
pub use outbox::Outbox;
pub use process::{MessageKind, Payload, Process, Restored};
pub use property::{History, Picture, Property, When};
pub use random::{Choices, Rng};
pub use serial::{Serial, Serials};
pub use time::{Instant, Wall};
pub use vocabulary::{CommandError, Forms, Kinds, Line, RuleCard};

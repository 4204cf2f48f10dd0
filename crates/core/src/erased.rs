//! A process without its type, so that a world is compiled once for all protocols.
//!
//! # The problem
//! A world is generic over the process that it runs, so the compiler makes a simulator, a checker, a shrinker and a live
//! runner for each protocol. A product runs one or two protocols and wants that: every message is a plain value, and every
//! handler is inlined. A textbook runs hundreds, and would spend nearly all of its build on compiling the same worlds
//! again.
//!
//! # The idea
//! [`AnyProcess`] is a [`Process`](crate::Process) whose payloads are boxed values behind a small vtable and whose
//! configuration is the constructor of the real process. Worlds are compiled for this one type. A protocol only adds a
//! thin holder, which takes the values out of their boxes, runs the protocol's own handlers in their own context
//! ([`Context::lend`](crate::Context::lend)), and boxes their results.
//!
//! ```text
//!   world<AnyProcess>  -- AnyMessage -->  holder of P  -- P::Message -->  P::on_message
//!                      <-- effects of AnyMessage --    <-- effects of P --
//! ```
//!
//! # Why a run is the same
//! The order of effects is kept, positions are the node's own, and a boxed value hashes by exactly the writes of the value
//! inside, through one `&mut dyn Hasher`: hash chains, fingerprints, state counts and counterexamples are those of the typed
//! process. An erased `Hash` that also wrote a tag, a length or a digest would change all of them.
//!
//! # Caveats
//! A step costs an allocation for each message, record, event and timer, and virtual calls. Production stays typed.
//! Taking a value out of its box as the wrong type is a bug of the world, and panics.

mod history;
mod process;
mod timer;
mod value;

pub use history::AnyHistory;
pub use process::{AnyConfig, AnyProcess, Erasable};
pub use timer::AnyTimer;
pub use value::{AnyCommand, AnyEvent, AnyMessage, AnyRecord};

//! The trait that every protocol implements.

use crate::context::Context;
use crate::effect::Part;
use crate::identity::{NodeId, Position};
use core::fmt::{Debug, Display};
use core::hash::Hash;

/// The common bound of messages, records, commands and events: they are values. `Display` is their form in a trace.
pub trait Payload: Clone + Eq + Hash + Debug + Display {}

impl<T: Clone + Eq + Hash + Debug + Display> Payload for T {}

pub use crate::vocabulary::Kinds as MessageKind;

/// The state that a process gets back when it restarts: the parts of the last checkpoint in order, then every record
/// after it, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Restored<R> {
    /// One part of the checkpoint.
    Part(Part),
    /// The end of the parts; the checkpoint replaces the records up to this position.
    CheckpointEnd {
        /// The last position that the checkpoint covers.
        covers: Position,
    },
    /// A record that is not covered by the checkpoint.
    Record {
        /// Its position.
        position: Position,
        /// The persisted record.
        record: R,
    },
}

/// A protocol: a deterministic state machine that does no I/O.
///
/// The world calls the handlers one at a time. A handler changes the state and pushes effects; when it returns, the
/// step is over. The rules that hold in every world:
///
/// 1. **A step is atomic.** Handlers return nothing: a bad message is ignored with a [`Context::note`].
/// 2. **Durability is a position.** [`Context::send`] and [`Context::emit`] wait until everything persisted so far is
///    durable. The positional verbs wait only for what they reveal.
/// 3. **A link** delivers at most once, in order within one incarnation of both ends, and loses only what was in flight
///    when it broke, or the newest when its bounded queue is full. A positional send may overtake one that waits.
/// 4. **Timers** run on the monotonic clock. Setting one replaces it; a cancelled one never fires.
/// 5. **State is a value.** A process that is checked is also `Clone + Hash`.
/// 6. **No step takes longer than 5 ms**, and every queue inside has a bound.
pub trait Process: Sized {
    /// The configuration, fixed for the life of the node.
    type Config: Clone;
    /// The messages that nodes send one another.
    type Message: Payload + MessageKind;
    /// The timers of a node; one of each value at a time.
    type Timer: Clone + Ord + Hash + Debug;
    /// The records that a node persists.
    type Record: Payload;
    /// The commands to a node from outside.
    type Command: Payload;
    /// The events that a node emits to the outside.
    type Event: Payload;
    /// An immutable view of the state for readers, made in constant time; `()` for most protocols.
    type View: Clone;

    /// Creates a node that knows nothing yet. `members` names all nodes that the world starts with, this one included.
    /// Whatever depends on the incarnation of the node's storage comes in the configuration.
    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Self;

    /// Restores one piece of what survived the crash, before [`Process::on_start`]. No effects. A process that persists
    /// nothing ignores it.
    fn on_restore(&mut self, restored: Restored<Self::Record>) {
        let _ = restored;
    }

    /// The node starts, after everything that survived was restored.
    fn on_start(&mut self, cx: &mut Context<'_, Self>);

    /// A message arrived.
    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>);

    /// A timer fired.
    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>);

    /// A command arrived from outside.
    fn on_command(&mut self, command: Self::Command, cx: &mut Context<'_, Self>);

    /// The records up to `through` are durable.
    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Self>) {
        let _ = (through, cx);
    }

    /// The view that readers see.
    fn view(&self) -> Self::View;
}

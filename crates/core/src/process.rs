//! What a protocol is.

use crate::context::Context;
use crate::effect::Part;
use crate::identity::{NodeId, Position};
use core::fmt::{Debug, Display};
use core::hash::Hash;

/// What messages, records, commands and events are: values. `Display` is their form in a trace.
pub trait Payload: Clone + Eq + Hash + Debug + Display {}

impl<T: Clone + Eq + Hash + Debug + Display> Payload for T {}

pub use crate::vocabulary::Kinds as MessageKind;

/// What a process is given back when it restarts: the parts of the last checkpoint in their order, then every record
/// after it, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Restored<R> {
    /// One part of the checkpoint.
    Part(Part),
    /// All parts were given; the checkpoint stands for the records up to this position.
    CheckpointEnd {
        /// What the checkpoint covers.
        covers: Position,
    },
    /// A record that is not covered by the checkpoint.
    Record {
        /// Its position.
        position: Position,
        /// What was persisted.
        record: R,
    },
}

/// A protocol: a deterministic state machine that does no I/O.
///
/// The world calls the handlers one at a time. A handler changes the state and pushes effects; when it returns, the
/// step is over. The rules that hold in every world:
///
/// 1. **A step is atomic.** Handlers return nothing: a bad message is ignored with a [`Context::note`].
/// 2. **Durability is a position.** [`Context::send`] and [`Context::emit`] wait behind everything persisted so far.
///    The positional verbs wait only for what they reveal.
/// 3. **A link** delivers at most once, in order within one incarnation of both ends, and loses only what was under
///    way when it broke, or the newest when its bounded queue is full. A positional send may overtake one that waits.
/// 4. **Timers** run on the monotonic clock. Setting one replaces it; a cancelled one never fires.
/// 5. **State is a value.** A process that is checked is `Clone + Eq + Hash` too.
/// 6. **No step takes longer than 5 ms**, and every queue inside has a bound.
pub trait Process: Sized {
    /// What is fixed for the life of the node.
    type Config: Clone;
    /// What nodes send one another.
    type Message: Payload + MessageKind;
    /// The timers of a node; one of each value at a time.
    type Timer: Clone + Ord + Hash + Debug;
    /// What is persisted.
    type Record: Payload;
    /// What is asked of a node from outside.
    type Command: Payload;
    /// What a node tells the outside.
    type Event: Payload;
    /// An immutable picture of the state for readers, in constant time; `()` for most.
    type View: Clone;

    /// A node that knows nothing yet. `members` names all nodes that the world starts with, this one included. What
    /// depends on the life of the node's storage, such as its incarnation, comes in the configuration.
    fn new(id: NodeId, members: &[NodeId], config: &Self::Config) -> Self;

    /// One piece of what survived the last life, before [`Process::on_start`]. No effects. A process that persists
    /// nothing ignores it.
    fn on_restore(&mut self, restored: Restored<Self::Record>) {
        let _ = restored;
    }

    /// The node runs; everything that survived was restored.
    fn on_start(&mut self, cx: &mut Context<'_, Self>);

    /// A message arrived.
    fn on_message(&mut self, from: NodeId, message: Self::Message, cx: &mut Context<'_, Self>);

    /// A timer is due.
    fn on_timer(&mut self, timer: Self::Timer, cx: &mut Context<'_, Self>);

    /// Somebody outside asks for something.
    fn on_command(&mut self, command: Self::Command, cx: &mut Context<'_, Self>);

    /// The records up to `through` are durable.
    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Self>) {
        let _ = (through, cx);
    }

    /// The picture that readers see.
    fn view(&self) -> Self::View;
}

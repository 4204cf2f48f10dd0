//! What must hold, said once: every world evaluates the same functions.
//!
//! A protocol keeps its properties beside its rules. The simulator asks them after every step, the checker in every
//! state, the live world of what the nodes told. A property sees what no node sees: all of them at once, and what they
//! told the outside.

use crate::identity::NodeId;
use crate::process::Process;
use alloc::string::String;
use core::fmt::Debug;
use core::hash::Hash;

/// What is remembered of the events of all nodes, so that properties can speak about the past. It is part of a state
/// where it is checked, so it remembers little.
pub trait History<P: Process>: Clone + Eq + Hash + Debug + Default {
    /// A node told something.
    fn on_event(&mut self, node: NodeId, event: &P::Event);
}

/// For protocols whose properties need no past.
impl<P: Process> History<P> for () {
    fn on_event(&mut self, _: NodeId, _: &P::Event) {}
}

/// All of a system at one moment.
pub struct Picture<'a, P, H> {
    /// The nodes that are up, by id.
    pub nodes: &'a [(NodeId, &'a P)],
    /// What was told so far.
    pub history: &'a H,
}

/// When a property is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// In every state: nothing bad happens.
    Always,
    /// When a run without faults, or one whose faults were healed, has come to its end: something good happened.
    AtEnd,
}

/// Something that must hold of a protocol.
pub struct Property<P, H> {
    /// Its name, in a few words: `one holder at a time`.
    pub name: &'static str,
    /// Where it stands: a paper with its section, or a row of the catalogue.
    pub source: &'static str,
    /// When it is asked.
    pub when: When,
    /// Whether it holds, and if not, what is wrong.
    pub holds: fn(&Picture<'_, P, H>) -> Result<(), String>,
}

impl<P, H> Clone for Property<P, H> {
    fn clone(&self) -> Property<P, H> {
        *self
    }
}

impl<P, H> Copy for Property<P, H> {}

//! Properties, stated once: every world evaluates the same functions.
//!
//! A protocol keeps its properties beside its rules. The simulator evaluates them after every step, the checker in
//! every state, and the live world over the events of the nodes. A property sees what no node sees: all nodes at once,
//! and the events that they emitted.

use crate::identity::NodeId;
use crate::process::Process;
use alloc::string::String;
use core::fmt::Debug;
use core::hash::Hash;

/// A record of the events of all nodes, so that properties can refer to the past. In the checker it is part of a state,
/// so it should remember little.
pub trait History<P: Process>: Clone + Eq + Hash + Debug + Default {
    /// A node emitted an event.
    fn on_event(&mut self, node: NodeId, event: &P::Event);
}

/// For protocols whose properties need no past.
impl<P: Process> History<P> for () {
    fn on_event(&mut self, _: NodeId, _: &P::Event) {}
}

/// The whole system at one moment.
pub struct Picture<'a, P, H> {
    /// The nodes that are up, by id.
    pub nodes: &'a [(NodeId, &'a P)],
    /// The history of events so far.
    pub history: &'a H,
}

/// When a property is evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// In every state: nothing bad happens.
    Always,
    /// When a run without faults, or one whose faults were healed, has come to its end: something good happened.
    AtEnd,
}

/// A property that a protocol must satisfy.
pub struct Property<P, H> {
    /// Its name in the textbook's terms, such as `mutual exclusion`.
    pub name: &'static str,
    /// Its source: a paper and section, or a row of the catalogue.
    pub source: &'static str,
    /// When it is evaluated.
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

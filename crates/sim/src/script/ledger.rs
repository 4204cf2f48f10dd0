//! The ledger of a world that is driven by hand.

use crate::recording::{Carrier, Recording};
use std::collections::BTreeMap;
use std::rc::Rc;
use volvox_core::{FlatMap, NodeId, Process};

/// The state of a node, in a word or two.
pub(super) type StateOf<P> = Rc<dyn Fn(&P) -> String>;

/// The recording of a world.
pub(super) struct Ledger<P: Process> {
    pub(super) recording: Recording,
    pub(super) carrier: Rc<dyn Carrier<P>>,
    pub(super) state_of: StateOf<P>,
    pub(super) states: BTreeMap<NodeId, String>,
    /// Parallel to the links of the world: the place of each message in the recording.
    pub(super) under_way: FlatMap<(NodeId, NodeId), Vec<usize>>,
}

// Not derived: that would require a clonable process.
impl<P: Process> Clone for Ledger<P> {
    fn clone(&self) -> Ledger<P> {
        Ledger {
            recording: self.recording.clone(),
            carrier: Rc::clone(&self.carrier),
            state_of: Rc::clone(&self.state_of),
            states: self.states.clone(),
            under_way: self.under_way.clone(),
        }
    }
}

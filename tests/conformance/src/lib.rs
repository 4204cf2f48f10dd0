//! One test body, run in every world.
//!
//! A protocol is written once, and all worlds give it the same guarantees (`volvox_core::Process`). A guarantee that
//! one world keeps and another breaks would make the simulator's verdicts worthless. So each body here is written
//! against [`World`], which is small enough for all of them, and each world runs it: `tests/simulated.rs` over
//! `volvox_sim`, `tests/live.rs` over real sockets and real files.
//!
//! A body says what must happen, and within which time limit of the world's own time; it never says when. To crash a
//! node means, live, that its thread ends without another word and its folder stays; what `kill -9` and a power cut do
//! to real processes is tested elsewhere (`cargo xtask chaos`, `cargo xtask powercut`).

mod bodies;
mod echo;
mod live;
mod simulated;
mod talk;

pub use bodies::{channel, echoes, raft};
pub use live::Live;
pub use simulated::Simulated;
use volvox_core::{Fault, Incarnation, NodeId, Process};

/// The operations of a test body on a cluster, in any world.
pub trait World<P: Process> {
    /// Sends a command to a node.
    fn command(&mut self, id: NodeId, command: P::Command);

    /// Waits until `done` has seen enough, which is shown each event once, in the order of the world.
    ///
    /// # Panics
    /// When the patience of the world ends before.
    fn wait(&mut self, what: &str, done: impl FnMut(NodeId, &P::Event) -> bool);

    /// The process dies; its disk stays.
    fn crash(&mut self, id: NodeId);

    /// A node that died starts again.
    fn start(&mut self, id: NodeId);

    /// The network's faults are these from now on, and no others.
    fn faults(&mut self, faults: &[Fault]);
}

/// How to begin a cluster of `nodes` nodes, called 1, 2, 3: the configuration of each life.
pub struct Cluster<P: Process> {
    /// The number of nodes.
    pub nodes: u64,
    /// The configuration of a node in a life of its storage.
    pub config: fn(NodeId, Incarnation) -> P::Config,
}

//! A chapter in the live world: one operating system process a node, real sockets and files; and yet everything is seen.
//!
//! # The idea
//!
//! A process is a deterministic state machine: who knows its inputs knows all of it. So each node runs its protocol inside
//! an `Observed`, which tells every input before it hands it on: this message, that timer, the clocks
//! at that moment. The parent keeps a *shadow* of every node, feeds it the same inputs, and thereby sees what the node
//! sees: its state, its events, what it sent. The same properties are asked as in the simulator, and the same diagram is
//! drawn.
//!
//! ```text
//!   parent --- commands, faults --->  stdin   node 1 (a process)  <--- TCP --->  node 2 (a process)
//!     ^                                          |
//!     +---- inputs, one JSON line each ----- stdout
//!     |
//!     shadows of all nodes --> properties, summary, diagram
//! ```
//!
//! All processes read the same clock of this machine when a step begins, so the inputs of all nodes are followed in the
//! order in which they happened: a message is sent before it is received, also in the shadow.
//!
//! # What is real
//!
//! `crash 2` is `kill -9`, also when somebody else does it while the run lasts; `pause 2` is a SIGSTOP; partitions, delays and losses are those of `volvox-net`, at the receiver.
//! Latencies of the scenario are not: those are the machine's.
//!
//! # Caveats
//!
//! What a node did in the last moments before `kill -9` may be untold: a message that nobody is known to have sent is
//! then shown as sent when it arrives. A shadow costs what the process costs: this is for watching, not for speed.

mod child;
mod observed;
mod parent;
mod running;
mod shadow;

pub use child::node;
pub use parent::run;

use crate::study::RequestError;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use volvox_core::{Instant, NodeId};

/// The most nodes of a live run: each is a process.
pub const NODES_MAX: u64 = 16;

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends every live run of this process soon: each stops its nodes, deletes its folder, and fails as interrupted.
pub fn interrupt() {
    IS_INTERRUPTED.store(true, Ordering::Relaxed);
}

fn is_interrupted() -> bool {
    IS_INTERRUPTED.load(Ordering::Relaxed)
}

/// How far a live run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The moment of the run.
    pub at: Instant,
    /// When it ends at the latest, or has everything healed.
    pub until: Instant,
    /// How many nodes run.
    pub running: usize,
    /// How many there are.
    pub nodes: usize,
    /// Messages that were received.
    pub delivered: u64,
    /// Events that nodes told.
    pub events: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |at: Instant| at.0 as f64 / 1e9;
        let Progress { at, until, running, nodes, delivered, events } = self;
        write!(
            f,
            "{:.1} s of {:.1} s at most: {running} of {nodes} nodes run, {delivered} messages received, {events} events",
            seconds(*at),
            seconds(*until)
        )
    }
}

/// What a node process is told when it starts.
#[derive(Clone, Debug)]
pub struct LiveNode {
    /// Which chapter.
    pub protocol: String,
    /// Which node.
    pub id: NodeId,
    /// The rule that is taken out.
    pub without: Option<String>,
    /// Where chance comes from.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Where each node listens, from n1 on.
    pub addresses: Vec<SocketAddr>,
    /// Whether its disk was taken away: then it is somebody else.
    pub is_replaced: bool,
}

/// Why a live run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The request does not fit the chapter.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The live world cannot do this.
    #[error("{0}: that is for the simulator; leave --live out")]
    NotLive(String),
    /// The machine refused something.
    #[error("{what}: {source}")]
    Machine {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Somebody asked for the end.
    #[error("interrupted: every node of the run was stopped")]
    Interrupted,
    /// A node process ended, or said what makes no sense.
    #[error("the process of {node} {problem}")]
    Node {
        /// Whose.
        node: NodeId,
        /// What happened.
        problem: String,
    },
}

impl LiveError {
    fn machine(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LiveError {
        let what = what.into();
        move |source| LiveError::Machine { what, source }
    }
}

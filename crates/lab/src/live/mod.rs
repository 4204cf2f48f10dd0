//! A chapter in the live world: one OS process per node, real sockets and files; and still everything is visible.
//!
//! # The idea
//!
//! A process is a deterministic state machine: its inputs determine everything. So each node runs its protocol inside
//! an `Observed`, which reports every input before it forwards it: this message, that timer, the clocks at that moment.
//! The parent keeps a *shadow* of every node, feeds it the same inputs, and thereby sees what the node sees: its state,
//! its events and its messages. The same properties are evaluated as in the simulator, and the same diagram is drawn.
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
//! order in which they happened: a message is sent before it is received, even in the shadow.
//!
//! # What is real
//!
//! `crash 2` is `kill -9`, even when another user does it during the run; `pause 2` is a SIGSTOP; partitions, delays
//! and losses are those of `volvox-net`, at the receiver. Latencies of the scenario are not: those are the machine's.
//!
//! # Caveats
//!
//! The last steps of a node before `kill -9` may be unreported: a message without a known sending is then shown as sent
//! when it arrives. A shadow costs what the process costs: this is for watching, not for speed.

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

/// The parameters of a node process.
#[derive(Clone, Debug)]
pub struct LiveNode {
    /// The chapter.
    pub protocol: String,
    /// The node.
    pub id: NodeId,
    /// The rule to remove.
    pub without: Option<String>,
    /// The seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// The address of each node, from n1 on.
    pub addresses: Vec<SocketAddr>,
    /// Whether its disk was removed: then it is a new incarnation.
    pub is_replaced: bool,
}

/// Why a live run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The request does not fit the chapter.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The live world cannot do this.
    #[error("{0}: only the simulator can do that; omit --live")]
    NotLive(String),
    /// The machine refused something.
    #[error("{what}: {source}")]
    Machine {
        /// The failed action.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The run was interrupted.
    #[error("interrupted: every node of the run was stopped")]
    Interrupted,
    /// A node process ended, or reported something invalid.
    #[error("the process of {node} {problem}")]
    Node {
        /// Whose.
        node: NodeId,
        /// The error.
        problem: String,
    },
}

impl LiveError {
    fn machine(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LiveError {
        let what = what.into();
        move |source| LiveError::Machine { what, source }
    }
}

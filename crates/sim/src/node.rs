//! The world's state of one node.

use crate::clock::Clock;
use crate::storage::{Finished, Storage, StorageError, Write};
use std::collections::VecDeque;
use std::rc::Rc;
use volvox_core::{Boot, Environment, Incarnation, Instant, NodeId, Outbox, Position, Process};

/// Never: later than every time of a run.
pub(crate) const NEVER: u64 = u64::MAX;

/// The part that every step touches; kept small, so that many fit a cache.
pub(crate) struct Node<P: Process> {
    /// `None` while the node is down.
    pub process: Option<P>,
    pub environment: Environment,
    pub clock: Clock,
    /// Paused, or catching up after a pause: arriving messages queue behind those that already wait.
    pub stalled: bool,
    /// Counts the starts of the process, so that inputs for an earlier boot are dropped.
    pub run: u32,
    /// The last receiver, and the link to it.
    pub recent_link: (u32, u32),
    /// Peers by index, each with its link.
    pub links: Vec<(u32, u32)>,
    pub timers: Vec<Timer<P::Timer>>,
    /// Created when the process first persists a record.
    pub durability: Option<Box<Durability<P>>>,
}

/// A timer that was set, or cancelled and not yet forgotten.
pub(crate) struct Timer<T> {
    pub timer: T,
    /// The deadline on the node's monotonic clock; [`Instant::MAX`] once cancelled.
    pub due: Instant,
    /// For when the queue holds a key, in the world's time; [`NEVER`] when it holds none. A timer that is postponed
    /// keeps its key, which is moved when it comes up: a heartbeat leaves no garbage.
    pub armed: u64,
}

/// The disk, and the effects that wait for it.
pub(crate) struct Durability<P: Process> {
    pub outbox: Outbox<Outgoing<P>>,
    /// The batch that collects while another is being written.
    pub batch: Vec<Write<P::Record>>,
    /// Whether a batch is being written.
    pub syncing: bool,
    /// The last record that the storage was handed.
    pub written: Position,
    /// Whether a disk that defers something will be asked again.
    pub asks_again: bool,
    pub storage: Box<dyn Storage<P::Record>>,
}

pub(crate) enum Outgoing<P: Process> {
    Send(NodeId, P::Message),
    Emit(P::Event),
}

/// The part that is rarely touched.
pub(crate) struct Cold<P: Process> {
    pub id: NodeId,
    pub config: P::Config,
    pub members: Rc<[NodeId]>,
    pub incarnation: Incarnation,
    /// The last start of its process in this incarnation; zero before the first.
    pub boot: Boot,
    pub paused: bool,
    pub waiting: VecDeque<Waiting<P>>,
    /// The reading of the wall clock at time zero without any fault.
    pub wall_origin: i64,
    pub drift_origin_ppm: i32,
    /// Whether its storage was damaged or erased, and it has not recovered yet.
    pub damaged: bool,
}

/// The inputs that arrived while the process could not run.
pub(crate) enum Waiting<P: Process> {
    Message { link: u32, epoch: u32, message: P::Message },
    Command(P::Command),
    Synced(Result<Finished, StorageError>),
}

impl<P: Process> Node<P> {
    pub fn timer_place(&self, timer: &P::Timer) -> Result<usize, usize> {
        self.timers.binary_search_by(|entry| entry.timer.cmp(timer))
    }
}

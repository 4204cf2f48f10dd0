//! The simulated world.
//!
//! A simulation runs one [`Process`](volvox_core::Process) a node and decides everything that a process does not: what
//! time it is, when a message arrives and whether it does, what a disk keeps when the power goes, who dies when. It
//! decides from **one seed**, so that a run can be had again, on any machine, as often as it takes to understand it.
//!
//! Nothing ticks. The world is a queue of what will happen, ordered by time and, where times are equal, by the order in
//! which it was scheduled. It takes the next thing, lets one node make one step, hands the effects of the step to the
//! network, the disk and the clocks, and takes the next. An idle hour costs nothing.
//!
//! ```text
//!    queue --(time, number)--> message / timer / command / sync returns / fault
//!      ^                             |
//!      |                             v
//!      |                     one step of one node  -- effects --> hash chain
//!      |                             |
//!      +-- link: when it arrives ----+-- send, emit: behind the gate (volvox_core::Outbox)
//!      +-- clock: when it is due ----+-- timers
//!      +-- disk: when it is synced --+-- records and checkpoints, in batches
//! ```
//!
//! **What is as in production.** The gate before sends and events is the same code. A link delivers at most once, in
//! order within one life of both ends, loses what was under way when one end died, and drops the newest when its
//! bounded queue is full. After a pause, messages that wait are handled before timers that are due. A failed sync
//! stops the node. One batch is written at a time; what is persisted meanwhile is the next one.
//!
//! **What is worse, when asked for.** Links lose, duplicate, reorder, delay, corrupt and choke; partitions are whole,
//! partial or one-way; clocks are off, drift and jump; processes die with their disk or without; disks are slow, full,
//! fail, tear and rot. All of it is written in the one fault vocabulary ([`volvox_core::fault`]), from a schedule, or
//! drawn by a [`FaultPlan`] that stays within what the protocol claims to survive, so that a failure is always a bug.
//!
//! **How a failure is told.** Every step goes into a hash chain ([`Simulation::chain`]): two runs of a seed that differ
//! anywhere end differently. [`run_seed`] runs a seed, and when it fails runs it again with the trace on, and prints
//! one line that replays it.
//!
//! ```text
//! let mut sim = Builder::<Echo>::new(7, 3, ()).latency(Latency::Constant(ms(1))).build();
//! sim.command(NodeId(1), Ping);
//! let stop = sim.run_until(Duration::from_secs(1), |sim| sim.statistics().events > 0);
//! ```
//!
//! **Without a seed.** In [`script::World`] nothing happens by itself: scripts and counterexamples drive it by hand. In
//! [`restarts`] chance does, over links that keep what was under way to a node that died.
//!
//! **Caveats.** A step takes no time: a slow handler must be modelled by a pause. The random generator of a node
//! starts anew with each start of its process. [`Latency::LogNormal`] is cut at six deviations.
#![forbid(unsafe_code)]

pub mod bench;
mod builder;
mod clock;
mod fault;
mod latency;
mod life;
mod network;
mod node;
mod plan;
mod queue;
mod recording;
mod replay;
pub mod restarts;
pub mod script;
mod simulation;
mod statistics;
mod step;
pub mod storage;

pub use builder::{Builder, Clocks};
pub use latency::Latency;
pub use network::Network;
pub use plan::{FaultPlan, FaultWeights};
pub use recording::{Carrier, Described, Envelope, Moment, NodeState, Recorder, Recording, What};
pub use replay::{Failure, TraceRing, run_seed};
pub use simulation::{Happened, Happening, Simulation, Stop, Violation};
pub use statistics::{Counts, Statistics};
pub use storage::{Finished, RecordDisk, Recovery, Storage, StorageError, Write};

//! The simulated world.
//!
//! A simulation runs one [`Process`](volvox_core::Process) per node and decides everything that a process does not:
//! what time it is, whether and when a message arrives, what a disk keeps when the power fails, which node crashes
//! when. It decides from **one seed**, so that a run can be repeated, on any machine, as often as it takes to
//! understand it.
//!
//! Nothing ticks. The world is a queue of future events, ordered by time and, for equal times, by the order of
//! scheduling. It takes the next event, lets one node make one step, passes the effects of the step to the network, the
//! disk and the clocks, and takes the next event. An idle hour costs nothing.
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
//! **As in production.** The gate before sends and events is the same code. A link delivers at most once, in order
//! within one boot of both ends, loses what was in flight when one end crashed, and drops the newest when its bounded
//! queue is full. After a pause, messages that wait are handled before timers that are due. A failed sync stops the
//! node. One batch is written at a time; records persisted meanwhile form the next one.
//!
//! **Worse, on request.** Links lose, duplicate, reorder, delay, corrupt and throttle messages; partitions are whole,
//! partial or one-way; clocks are off, drift and jump; processes crash with or without their disk; disks are slow or
//! full, fail, tear writes and flip bits. All of it is expressed in the one fault vocabulary ([`volvox_core::fault`]),
//! from a schedule, or drawn by a [`FaultPlan`] that stays within what the protocol claims to survive, so that a
//! failure is always a bug.
//!
//! **Reporting a failure.** Every step is hashed into a chain ([`Simulation::chain`]): two runs of a seed that differ
//! anywhere end differently. [`run_seed`] runs a seed, and if it fails, runs it again with the trace on, and prints one
//! line that replays it.
//!
//! ```text
//! let mut sim = Builder::<Echo>::new(7, 3, ()).latency(Latency::Constant(ms(1))).build();
//! sim.command(NodeId(1), Ping);
//! let stop = sim.run_until(Duration::from_secs(1), |sim| sim.statistics().events > 0);
//! ```
//!
//! **Without a seed.** In [`script::World`] nothing happens by itself: scripts and counterexamples drive it by hand. In
//! [`restarts`] random choices drive it, over links that keep what was in flight to a crashed node.
//!
//! **Caveats.** A step takes no time: a slow handler must be modelled by a pause. The random generator of a node is
//! reset at each start of its process. [`Latency::LogNormal`] is truncated at six deviations.
#![forbid(unsafe_code)]

pub mod bench;
mod builder;
mod clock;
mod draw;
mod event;
mod fault;
mod latency;
mod life;
mod links;
mod network;
mod node;
mod observe;
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

pub use builder::Builder;
pub use clock::Clocks;
pub use event::{Happened, Happening, Violation};
pub use latency::Latency;
pub use links::Network;
pub use plan::{FaultPlan, FaultWeights};
pub use recording::{Carrier, Described, Envelope, Moment, Recorder, Recording, What};
pub use replay::{Failure, TraceRing, run_seed};
pub use simulation::{Simulation, Stop};
pub use statistics::{Counts, Statistics};
pub use storage::{Finished, RecordDisk, Recovery, Storage, StorageError, Write};

//! The checked world: every schedule of a small instance.
//!
//! # The problem
//!
//! A simulation that runs a million schedules has seen a million of them. Most bugs in protocols need few nodes, few
//! messages and one bad order (the "small scope" of Jackson), and an order that needs five coincident faults is found
//! by luck or by trying all orders. This crate tries them all.
//!
//! # The idea
//!
//! A [`Model`] defines the initial states and the successors of a state. A [`Checker`] visits every state once, level
//! by level, on all cores, and keeps only a fingerprint of each and a link to its predecessor. It reports a violated
//! property with a shortest run that violates it.
//!
//! A [`System`] makes a model of any [`Process`](volvox_core::Process): handlers are the production code, and each
//! decision of a world becomes a choice of the model.
//!
//! | what the world decides | how it is explored |
//! |---|---|
//! | which message arrives next | any ([`Network::unordered`]), or the oldest of any link ([`Network::ordered`]); some are lost, some duplicated |
//! | time | none passes: any timer that is set may fire, and a step that reads `now()` fails; or small equal ticks ([`Timed`]) |
//! | when the disk is done | at once with the step, or as a separate event ([`Durability`]) |
//! | crashes | any node, at any moment, a bounded number of times; with or without restart |
//! | `choose(n)` | every answer; `rng()` is fixed |
//! | commands | an alphabet with a budget |
//!
//! # How it is fast
//!
//! Node states, messages and histories are interned and named by numbers, so a state is a short list of words. The
//! result of a handler for a node state and an input is computed once, and then looked up. The fingerprint of a state
//! is a sum of shares of its parts, so that of a successor follows from the changed parts, and a successor that was
//! seen before is never built. The table takes 16 bytes for each state, in slots that are at least three eighths full.
//!
//! # What a result means
//!
//! *Exhausted* means: every state within the bounds was visited, and every property holds in this instance. It says
//! nothing about larger instances, nor about what the model omits. States are distinguished by 72 bits of a fingerprint
//! of 128; each report bounds the probability of a collision. A report counts the states at the bounds that were not
//! expanded ([`System::nodes_within`], [`System::within`]), and the messages that full queues dropped. Invariants hold
//! in all visited states; liveness in such a space is [`Ended::Undecided`], since a run that never reaches its goal may
//! lie beyond the bounds, unless [`Checker::bounds_are_budgets`] declares that only the runs inside matter.
//!
//! A property may hold merely because nothing happened. [`System::exercised`] lists which commands, messages, timers,
//! records, events and faults occurred in an exploration, and [`Exercised::missing`] those that never did.
//!
//! *Liveness* is checked under weak fairness, exactly: see [`Checker::leads_to`]. Each link eventually delivers, each
//! timer that stays set fires, each disk writes, and each node that may restart does. Losses have a budget, since a
//! link that loses forever delivers nothing. Commands have no fairness: one that may be given need never be.
//!
//! *Symmetry* (states that differ by the names of equal nodes) needs a process that can be renamed ([`Symmetric`]).
//! Liveness and symmetry together are refused, unless the property is declared symmetric; then only initial states are
//! joined, since renaming does not preserve fairness.
//!
//! # A run
//!
//! ```text
//! let world = System::<Node>::new(3, ()).network(Network::ordered()).crashes(1).command(NodeId(1), Begin, 1);
//! let report = Checker::new(&world)
//!     .invariant("mutual exclusion", |world, state| world.view(state).nodes().filter(|(_, n)| n.inside).count() < 2)
//!     .reachable("a node enters", |world, state| world.view(state).nodes().any(|(_, n)| n.inside))
//!     .run();
//! assert!(report.holds(), "{report}");
//! ```
//! A counterexample is a list of [`Decision`]s, which are numbers, so that the explorer and the reports are compiled
//! once for all systems. [`System::schedule`] converts it to values, and [`System::trace`] runs these with fresh
//! processes and prints the trace, line by line as in every world.
//!
//! # Caveats
//!
//! - A handler must be a function of its process, its input and its choices. A handler that keeps state elsewhere is
//!   explored wrongly.
//! - Everything stays in memory: the table, the states of two levels, and every node state. [`Checker::bytes_max`] ends
//!   an exploration before the kernel does, and [`Checker::cancel`] on request. There is no partial-order reduction.
//! - The wall clock stands still in asynchronous models, and shows the node's monotonic clock in timed ones, unless
//!   [`System::keeping_wall_clocks`] lets it go on over a restart. Reading it is never an error: the wall clock need not
//!   advance, and some protocols use it to name a boot.
//! - A panic in a handler is a counterexample if panics unwind; if they abort, it ends the program.
//!
//! # References
//!
//! - L. Lamport: *Specifying Systems*, 2002; TLC keeps fingerprints and finds shortest counterexamples the same way.
//! - R. Tarjan: *Depth-first search and linear graph algorithms*, 1972.
//! - O. Lichtenstein, A. Pnueli: *Checking that finite state concurrent programs satisfy their linear specification*, 1985:
//!   fairness and strongly connected components.
#![forbid(unsafe_code)]

mod checker;
mod explore;
mod liveness;
mod model;
mod overflow;
mod path;
mod progress;
mod questions;
mod report;
mod search;
mod seen;
mod system;
mod watch;

pub use checker::Checker;
pub use model::{Model, Steps, hash_of, share};
pub use overflow::Overflow;
pub use progress::{Ended, Progress};
pub use questions::{Order, Questions};
pub use report::{Broken, Counterexample, NO_STEP_FAILS, Report};
pub use system::{
    Action, Checked, Decision, Durability, Exercised, FirstWords, Names, Naming, Network, Schedule, State, Symmetric,
    System, Timed, Universe, View, What, first_word,
};

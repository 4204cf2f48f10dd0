//! A system of [`Process`]es as one [`Model`](crate::Model).
//!
//! The world decides everything that a process does not, in every possible way: which message arrives next, which timer
//! fires, which node crashes and what its disk keeps, the result of a choice, when a command arrives. Handlers are the
//! production code, called through the same [`Context`](volvox_core::Context) as everywhere.
//!
//! | file | what |
//! |---|---|
//! | `node` | one node as a value, and one step of it |
//! | `outcomes` | the possible outcomes of a node's step: computed once, then looked up |
//! | `network` | the messages in flight, and which may arrive next |
//! | `state` | a global state: a list of numbers; the view for properties |
//! | `next` | every step that is possible |
//! | `decision` | a step by numbers, and its meaning |
//! | `space` | a system with its types erased, as the explorer sees it |
//! | `exercised` | what happened in an exploration, and what never did |
//! | `symmetry` | states that differ by the names of equal nodes |
//! | `schedule` | a run as data and as a trace |

mod action;
mod arena;
mod bytes;
mod decision;
mod exercised;
mod network;
mod next;
mod node;
mod outcomes;
mod schedule;
mod space;
mod state;
mod symmetry;
#[cfg(test)]
mod tests;

pub use action::{Action, What};
pub use decision::Decision;
pub use exercised::{Exercised, FirstWords, Naming, Universe, first_word};
pub use network::Network;
pub use schedule::Schedule;
pub use state::{State, View};
pub use symmetry::{Names, Symmetric};

use arena::Arena;
use outcomes::{Known, Remembered, TimerKind};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use symmetry::Symmetry;
use volvox_core::{Duration, History, Incarnation, Instant, NodeId, Process};

/// A process that can be checked: its whole state is a value.
pub trait Checked:
    Process<
        Config: Send + Sync,
        Message: Send + Sync,
        Timer: Send + Sync,
        Record: Send + Sync,
        Command: Send + Sync,
        Event: Send + Sync,
    > + Clone
    + Hash
    + Send
    + Sync
    + 'static
{
}

impl<P> Checked for P where
    P: Process<
            Config: Send + Sync,
            Message: Send + Sync,
            Timer: Send + Sync,
            Record: Send + Sync,
            Command: Send + Sync,
            Event: Send + Sync,
        > + Clone
        + Hash
        + Send
        + Sync
        + 'static
{
}

/// When records are durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// At once: a step and its records are atomic. Exact for protocols that use only the waiting verbs, since an
    /// unobserved step did not happen. A positional verb is an error here.
    Atomic,
    /// At once, even with positional verbs. This omits behaviour that only a slow disk shows, and saves many states:
    /// for larger instances of models whose smaller instances are explored with [`Durability::Separate`].
    Prompt,
    /// By a separate event, in order, a whole number of steps at a time; a crash keeps any such number.
    Separate,
}

/// Time that passes in small equal ticks, for synchronous protocols, which rely on messages to arrive in time.
///
/// A message arrives `delivery_min` to `delivery_max` ticks after it was sent; a timer fires exactly when it is due by the
/// clock of its node; and no tick passes while something is overdue. Each node's clock runs at one of `drifts_ppm` for the
/// whole run, and every combination is explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timed {
    /// The duration of one tick on a true clock.
    pub tick: Duration,
    /// The least delay of a message, in ticks.
    pub delivery_min: u32,
    /// The greatest delay, in ticks; at most 200.
    pub delivery_max: u32,
    /// The possible drifts of a node's clock.
    pub drifts_ppm: Vec<i32>,
}

type Projection<P> = Box<dyn Fn(&P) -> u128 + Send + Sync>;
type Relative<P> = Box<dyn Fn(&P, Instant) -> u128 + Send + Sync>;
type Observe<P, H> = Box<dyn Fn(&mut H, NodeId, &<P as Process>::Event) + Send + Sync>;
type TimerTest<P> = Box<dyn Fn(&P, &<P as Process>::Timer) -> bool + Send + Sync>;
type TimerClass<P> = Box<dyn Fn(&<P as Process>::Timer) -> bool + Send + Sync>;
type CommandTest<P> = Box<dyn Fn(&P, &<P as Process>::Command) -> bool + Send + Sync>;
type NodeTest<P> = Box<dyn Fn(NodeId, &P) -> bool + Send + Sync>;
type Within<P, H> = Box<dyn Fn(&View<'_, P, H>) -> bool + Send + Sync>;

/// A message with its link, and its fate in some run.
struct Envelope<M> {
    from: usize,
    to: usize,
    message: M,
    is_lost: AtomicBool,
    is_doubled: AtomicBool,
    /// Its receiver was down when it arrived.
    finds_receiver_down: AtomicBool,
}

impl<M> Envelope<M> {
    fn new(from: usize, to: usize, message: M) -> Envelope<M> {
        let never = || AtomicBool::new(false);
        Envelope { from, to, message, is_lost: never(), is_doubled: never(), finds_receiver_down: never() }
    }
}

/// The places of the first budgets; those of timers and commands follow.
const LOSSES: usize = 0;
const DOUBLES: usize = 1;
const CRASHES: usize = 2;

/// A system of nodes that run `P`, under observation by `H`.
pub struct System<P: Checked, H = ()> {
    ids: Vec<NodeId>,
    config_of: Box<dyn Fn(NodeId) -> P::Config + Send + Sync>,
    incarnation: Incarnation,
    network: Network,
    durability: Durability,
    timed: Option<Timed>,
    restarts: bool,
    counts_boots: bool,
    keeps_wall_clocks: bool,
    alphabet: Vec<(usize, P::Command)>,
    timer_budgets: Vec<TimerClass<P>>,
    budgets: Vec<u32>,
    may_fire: Option<TimerTest<P>>,
    may_ask: Option<CommandTest<P>>,
    node_within: Option<NodeTest<P>>,
    within: Option<Within<P, H>>,
    projection: Option<Projection<P>>,
    relative: Option<Relative<P>>,
    first_history: H,
    observe: Observe<P, H>,
    symmetry: Option<Symmetry<P, H>>,
    nodes: Arena<Known<P>>,
    envelopes: Arena<Envelope<P::Message>>,
    timers: Arena<TimerKind<P::Timer>>,
    histories: Arena<H>,
    outcomes: Arena<Remembered<P>>,
    /// The number of messages dropped by full queues, for each link: see `link_of`.
    dropped: Box<[AtomicU64]>,
    has_restarted: AtomicBool,
    /// The texts of the notes of all steps.
    notes: Mutex<BTreeSet<&'static str>>,
}

impl<P: Checked> System<P> {
    /// Nodes 1 to `nodes` with one configuration and without an observer: asynchronous, over unordered links that lose
    /// nothing, without crashes and commands.
    pub fn new(nodes: u64, config: P::Config) -> System<P> {
        System::observed(nodes, config, (), |(), _, _| {})
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    /// As [`System::new`], with an observer: its history of the events of all nodes is part of the state, so it should
    /// remember little.
    pub fn observed(
        nodes: u64,
        config: P::Config,
        history: H,
        observe: impl Fn(&mut H, NodeId, &P::Event) + Send + Sync + 'static,
    ) -> System<P, H> {
        System {
            ids: (1..=nodes).map(NodeId).collect(),
            config_of: Box::new(move |_| config.clone()),
            incarnation: Incarnation::FIRST,
            network: Network::unordered(),
            durability: Durability::Atomic,
            timed: None,
            restarts: false,
            counts_boots: false,
            keeps_wall_clocks: false,
            alphabet: Vec::new(),
            timer_budgets: Vec::new(),
            budgets: vec![0; CRASHES + 1],
            may_fire: None,
            may_ask: None,
            node_within: None,
            within: None,
            projection: None,
            relative: None,
            first_history: history,
            observe: Box::new(observe),
            symmetry: None,
            nodes: Arena::new(),
            envelopes: Arena::new(),
            timers: Arena::new(),
            histories: Arena::new(),
            outcomes: Arena::new(),
            dropped: (0..nodes * nodes).map(|_| AtomicU64::new(0)).collect(),
            has_restarted: AtomicBool::new(false),
            notes: Mutex::default(),
        }
    }

    /// As [`System::new`], observed by the history that the protocol's own properties use.
    pub fn with_history(nodes: u64, config: P::Config) -> System<P, H>
    where
        H: History<P> + 'static,
    {
        System::observed(nodes, config, H::default(), H::on_event)
    }

    /// Sets the configuration of each node.
    pub fn configs(mut self, config_of: impl Fn(NodeId) -> P::Config + Send + Sync + 'static) -> Self {
        self.config_of = Box::new(config_of);
        self
    }

    /// Sets the links.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        (self.budgets[LOSSES], self.budgets[DOUBLES]) = (network.losses, network.doubles);
        self
    }

    /// Sets when records are durable.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Lets time pass in ticks, instead of not at all.
    ///
    /// # Panics
    /// When `timed` is invalid: no possible delay, no clock, or a tick of zero.
    pub fn timed(mut self, timed: Timed) -> Self {
        assert!(timed.delivery_min <= timed.delivery_max && timed.delivery_max <= 200, "delays of {timed:?}");
        assert!(!timed.tick.is_zero() && !timed.drifts_ppm.is_empty(), "ticks of {timed:?}");
        self.timed = Some(timed);
        self
    }

    /// Allows at most this many crashes in a run; a crashed node stays down.
    pub fn crashes(mut self, at_most: u32) -> Self {
        self.budgets[CRASHES] = at_most;
        self
    }

    /// Allows at most this many crashes in a run; a crashed node restarts with what its disk kept, at any later moment,
    /// and for liveness eventually.
    pub fn crashes_and_restarts(mut self, at_most: u32) -> Self {
        self.restarts = true;
        self.crashes(at_most)
    }

    /// Counts the starts of each process, for protocols that read [`boot()`](volvox_core::Context::boot). The count is
    /// then part of a node's state, which costs states; without it a process that reads it fails in that step if nodes
    /// restart. If none does, every boot is the first, and there is nothing to count.
    pub fn counting_boots(mut self) -> Self {
        self.counts_boots = true;
        self
    }

    /// Lets the wall clock of a machine go on while its node is down, for protocols whose nodes restart and set their clocks
    /// by one another. Its reading is then part of a node's state, so that a model without an end of time has infinitely
    /// many states; without it the wall clock shows the monotonic one, which a restart sets back.
    pub fn keeping_wall_clocks(mut self) -> Self {
        self.keeps_wall_clocks = true;
        self
    }

    /// Adds a command that may be given to a node at any moment, this many times in a run.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn command(mut self, node: NodeId, command: P::Command, times: u32) -> Self {
        self.alphabet.push((self.index_of(node), command));
        self.budgets.push(times);
        self
    }

    /// Timers for which `test` holds fire at most this many times in a run, on all nodes together. The first budget
    /// that matches a timer applies.
    ///
    /// # Panics
    /// After the first command: budgets are kept in this order.
    pub fn timer_budget(mut self, test: impl Fn(&P::Timer) -> bool + Send + Sync + 'static, times: u32) -> Self {
        assert!(self.alphabet.is_empty(), "budgets of timers come before commands");
        self.timer_budgets.push(Box::new(test));
        self.budgets.push(times);
        self
    }

    /// Only timers for which `test` holds fire. The others stay set, and do not delay ticks.
    pub fn timers(mut self, test: impl Fn(&P, &P::Timer) -> bool + Send + Sync + 'static) -> Self {
        self.may_fire = Some(Box::new(test));
        self
    }

    /// Commands are only given to nodes for which `test` holds: to leaders, say.
    pub fn commands(mut self, test: impl Fn(&P, &P::Command) -> bool + Send + Sync + 'static) -> Self {
        self.may_ask = Some(Box::new(test));
        self
    }

    /// States in which some node fails this test are not expanded: a bound on terms, or on lengths of logs.
    pub fn nodes_within(mut self, test: impl Fn(NodeId, &P) -> bool + Send + Sync + 'static) -> Self {
        self.node_within = Some(Box::new(test));
        self
    }

    /// States that fail this test are not expanded.
    pub fn within(mut self, test: impl Fn(&View<'_, P, H>) -> bool + Send + Sync + 'static) -> Self {
        self.within = Some(Box::new(test));
        self
    }

    /// Compares processes by this fingerprint instead of by their whole value, to omit counters. Correct only if
    /// processes with equal fingerprints behave alike, as far as properties see: one of them represents all.
    pub fn fingerprint(mut self, projection: impl Fn(&P) -> u128 + Send + Sync + 'static) -> Self {
        self.projection = Some(Box::new(projection));
        self
    }

    /// In timed models, for processes that read `now()`: compares them with their instants relative to now. Without it
    /// `now()` is an error, as in asynchronous models.
    pub fn relative_to_now(mut self, relative: impl Fn(&P, Instant) -> u128 + Send + Sync + 'static) -> Self {
        self.relative = Some(Box::new(relative));
        self
    }

    /// Nodes of each group are equal: states that differ only by their names are one.
    ///
    /// # Panics
    /// When there are more than 120 permutations, or the commands differ within a group.
    pub fn symmetric(mut self, groups: &[&[NodeId]], rename_history: fn(&H, &Names) -> H) -> Self
    where
        P: Symmetric,
    {
        self.symmetry = Some(Symmetry::new(&self, groups, rename_history));
        self
    }

    /// Whether the queue of some link was full in some state explored so far, and a message was dropped: then the bound
    /// is part of what was explored. [`Report::overflowed`](crate::Report::overflowed) lists the links, with counts.
    pub fn has_overflowed(&self) -> bool {
        self.dropped.iter().any(|dropped| dropped.load(Ordering::Relaxed) > 0)
    }

    fn index_of(&self, node: NodeId) -> usize {
        self.ids.iter().position(|id| *id == node).unwrap_or_else(|| panic!("there is no node {node}"))
    }

    fn timer_budget_at(&self, class: usize) -> usize {
        CRASHES + 1 + class
    }

    fn command_budget(&self, command: usize) -> usize {
        CRASHES + 1 + self.timer_budgets.len() + command
    }
}

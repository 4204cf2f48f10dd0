//! The simulated world: its state, and how a run proceeds.

use crate::event::{Happened, Happening, Pending, Violation};
use crate::links::Links;
use crate::node::{Cold, Node};
use crate::plan::FaultPlan;
use crate::queue::{Lane, Queue};
use crate::recording::{Carrier, Recorder};
use crate::replay::TraceRing;
use crate::script::Journal;
use crate::statistics::Statistics;
use crate::storage::StorageFactory;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::rc::Rc;
use volvox_core::fault::Scheduled;
use volvox_core::time::nanos;
use volvox_core::{Duration, EffectOf, Fault, Incarnation, Instant, NodeId, Process, Rng, StableHasher};

/// A world that runs one process per node, and decides everything else from one seed.
///
/// A [`Builder`](crate::Builder) creates it, and it proceeds only on request.
pub struct Simulation<P: Process> {
    pub(crate) seed: u64,
    /// The world's own time, in nanoseconds since the run began. No process sees it.
    pub(crate) now: u64,
    /// The reading of a true wall clock when the run began.
    pub(crate) wall_start: i64,
    pub(crate) queue: Queue<Pending<P>>,
    pub(crate) nodes: Vec<Node<P>>,
    pub(crate) cold: Vec<Cold<P>>,
    /// By id; only used when ids are not 1, 2, 3.
    pub(crate) directory: Vec<(NodeId, u32)>,
    pub(crate) links: Links,
    pub(crate) effects: Vec<EffectOf<P>>,
    pub(crate) chain: Option<StableHasher>,
    pub(crate) statistics: Statistics,
    pub(crate) happened: VecDeque<Happened<P::Event>>,
    pub(crate) storage: StorageFactory<P::Record>,
    pub(crate) disk_rng: Rng,
    pub(crate) life_rng: Rng,
    pub(crate) planner: Option<Planner<P>>,
    pub(crate) applied: Vec<Scheduled>,
    pub(crate) config_by_life: Option<ConfigByLife<P>>,
    pub(crate) leader: Option<LeaderTest<P>>,
    pub(crate) message_bytes: MessageBytes<P>,
    pub(crate) steps_max: u64,
    pub(crate) happened_max: usize,
    pub(crate) trace: Option<TraceRing>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) carrier: Option<Rc<dyn Carrier<P>>>,
    pub(crate) journal: Option<Journal<P>>,
    pub(crate) invariants: Vec<Invariant<P>>,
    pub(crate) violation: Option<Violation>,
}

/// The configuration of one incarnation of a node.
pub(crate) type ConfigByLife<P> = Box<dyn Fn(&<P as Process>::Config, NodeId, Incarnation) -> <P as Process>::Config>;

/// The size of a message on the wire.
pub(crate) type MessageBytes<P> = Box<dyn Fn(&<P as Process>::Message) -> usize>;

/// Whether a process believes that it leads.
pub(crate) type LeaderTest<P> = Box<dyn Fn(&P) -> bool>;

/// Whether a node whose storage was damaged has recovered, such as being a voter again.
pub(crate) type RecoveryTest<P> = Box<dyn FnMut(&Simulation<P>, NodeId) -> bool>;

/// The plan of faults, and how far it is.
pub(crate) struct Planner<P: Process> {
    pub plan: FaultPlan,
    pub rng: Rng,
    /// Nodes that are down, paused or unable to write because of this plan.
    pub afflicted: Vec<u32>,
    pub recovered: Option<RecoveryTest<P>>,
    pub token: u64,
}

/// The invariants, evaluated after every step; the node is the one that made the step.
pub(crate) type Invariant<P> = (&'static str, Box<dyn FnMut(&Simulation<P>, NodeId) -> Result<(), String>>);

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a run that stopped at a violated invariant must not pass for a good one"]
pub enum Stop {
    /// The time is over.
    Deadline,
    /// The awaited condition holds.
    Done,
    /// Nothing is left to happen.
    Idle,
    /// As many steps as the builder allows.
    StepsMax,
    /// An invariant does not hold: see [`Simulation::violation`].
    Violated,
}

impl<P: Process + 'static> Simulation<P> {
    /// Executes the next event; returns whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(due) = self.queue.pop() else { return false };
        assert!(due.time >= self.now, "time went back");
        self.now = due.time;
        self.handle(due.what);
        true
    }

    /// Runs for a span of the world's time, even if nothing is left to happen in it.
    pub fn run_for(&mut self, span: Duration) -> Stop {
        let deadline = self.now.saturating_add(nanos(span));
        match self.run_until(span, |_| false) {
            Stop::Idle => {
                self.now = deadline;
                Stop::Deadline
            }
            stop => stop,
        }
    }

    /// Runs until `done` returns true, for at most `span`. `done` is called before the first step and after each; it
    /// may inspect everything, drain happenings, and inject commands and faults.
    pub fn run_until(&mut self, span: Duration, mut done: impl FnMut(&mut Simulation<P>) -> bool) -> Stop {
        let deadline = self.now() + span;
        loop {
            if self.violation.is_some() {
                return Stop::Violated;
            }
            if done(self) {
                return Stop::Done;
            }
            if let Some(stop) = self.advance(deadline) {
                return stop;
            }
        }
    }

    /// One round of [`Simulation::run_until`], for callers that check their own condition between rounds: the next
    /// step, or why there is none by `deadline`.
    pub fn advance(&mut self, deadline: Instant) -> Option<Stop> {
        if self.statistics.steps >= self.steps_max {
            return Some(Stop::StepsMax);
        }
        match self.queue.next_time() {
            Some(time) if time <= deadline.0 => {
                self.step();
                None
            }
            Some(_) => {
                self.now = deadline.0;
                Some(Stop::Deadline)
            }
            None => Some(Stop::Idle),
        }
    }

    /// Sends a command to a node, now. A node that is down never receives it.
    pub fn command(&mut self, id: NodeId, command: P::Command) {
        self.command_after(Duration::ZERO, id, command);
    }

    /// Sends a command to a node later.
    pub fn command_after(&mut self, after: Duration, id: NodeId, command: P::Command) {
        let node = self.expect(id);
        self.schedule(after, Pending::Command { node, command: Box::new(command) });
    }

    /// Wakes the driver of this run: [`Happening::Alarm`] appears after this span.
    pub fn alarm(&mut self, after: Duration, token: u64) {
        self.schedule(after, Pending::Alarm(token));
    }

    /// Injects a fault later.
    pub fn fault_after(&mut self, after: Duration, fault: Fault) {
        self.schedule(after, Pending::Fault(Box::new(fault)));
    }

    /// Injects a fault later, and undoes it after `lasting`: a partition ends, a crashed or paused node resumes, a
    /// clock is right again.
    pub fn fault_for(&mut self, after: Duration, fault: Fault, lasting: Duration) {
        self.schedule(after, Pending::Passing(Box::new((fault, lasting))));
    }

    /// The happenings since the last call, oldest first.
    pub fn happened(&mut self) -> impl Iterator<Item = Happened<P::Event>> + '_ {
        self.happened.drain(..)
    }

    /// The oldest happening that was not taken yet.
    pub fn next_happened(&mut self) -> Option<Happened<P::Event>> {
        self.happened.pop_front()
    }

    /// The process of a node that is up.
    pub fn node(&self, id: NodeId) -> Option<&P> {
        self.find(id).and_then(|node| self.nodes[node as usize].process.as_ref())
    }

    /// All nodes that are up.
    pub fn live(&self) -> impl Iterator<Item = (NodeId, &P)> + '_ {
        self.cold.iter().zip(&self.nodes).filter_map(|(cold, node)| Some((cold.id, node.process.as_ref()?)))
    }

    /// All nodes, up or down.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.cold.iter().map(|cold| cold.id)
    }

    /// Whether a node runs: neither down nor paused.
    pub fn is_running(&self, id: NodeId) -> bool {
        self.find(id)
            .is_some_and(|node| self.nodes[node as usize].process.is_some() && !self.cold[node as usize].paused)
    }

    /// The incarnation of a node.
    pub fn incarnation(&self, id: NodeId) -> Option<Incarnation> {
        self.find(id).map(|node| self.cold[node as usize].incarnation)
    }

    /// The world's time since the run began.
    pub fn now(&self) -> Instant {
        Instant(self.now)
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The numbers of the run so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The faults of the run so far, with their times.
    pub fn applied_faults(&self) -> &[Scheduled] {
        &self.applied
    }

    /// The invariant that does not hold, if one was found.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Reports a violation from outside an invariant; the run stops.
    pub fn report(&mut self, node: NodeId, invariant: &'static str, text: String) {
        let at = self.now();
        self.violation.get_or_insert(Violation { at, node, invariant, text });
    }

    /// The hash over all inputs and effects of processes: equal for equal runs.
    ///
    /// # Panics
    /// When the builder omitted the chain.
    pub fn chain(&self) -> u64 {
        self.chain.as_ref().expect("a run that keeps its hash chain").finish()
    }

    /// The number of pending events.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// A random stream for the driver of the run, the same for the same seed.
    pub fn rng(&self, lane: u64) -> Rng {
        Rng::new(self.seed).split(lane.wrapping_add(1 << 32))
    }

    pub(crate) fn schedule(&mut self, after: Duration, what: Pending<P>) {
        self.queue.push(self.now.saturating_add(nanos(after)), Lane::Rest, what);
    }

    pub(crate) fn find(&self, id: NodeId) -> Option<u32> {
        // Ids are mostly 1, 2, 3: then the place says it.
        let guess = id.0.wrapping_sub(1);
        if self.cold.get(guess as usize).is_some_and(|cold| cold.id == id) {
            return Some(guess as u32);
        }
        let place = self.directory.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        Some(self.directory[place].1)
    }

    pub(crate) fn expect(&self, id: NodeId) -> u32 {
        self.find(id).unwrap_or_else(|| panic!("{id} is not a node of this simulation"))
    }

    pub(crate) fn tell(&mut self, node: NodeId, what: Happening<P::Event>) {
        assert!(
            self.happened.len() < self.happened_max,
            "{} happenings wait and are never taken: call happened()",
            self.happened_max
        );
        self.happened.push_back(Happened { at: Instant(self.now), node, what });
    }
}

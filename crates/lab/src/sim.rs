//! The simulated world as the claims of a chapter see it: a typed front of one erased world.
//!
//! [`Builder`] and [`Simulation`] have the methods of their namesakes in `volvox_sim` that measurements need.

use std::marker::PhantomData;
use volvox_core::erased::{AnyCommand, AnyConfig, AnyEvent, AnyMessage, AnyProcess, Erasable};
use volvox_core::{Duration, Fault, Instant, NodeId, Rng, Scheduled};
use volvox_sim as erased;
pub use volvox_sim::{
    Clocks, Described, FaultPlan, FaultWeights, Happened, Happening, Latency, Network, Statistics, Stop,
};

/// Describes a [`Simulation`]: see [`erased::Builder`].
pub struct Builder<P> {
    erased: erased::Builder<AnyProcess>,
    types: PhantomData<fn() -> P>,
}

impl<P: Erasable> Builder<P> {
    /// See [`erased::Builder::new`].
    pub fn new(seed: u64, nodes: u64, config: P::Config) -> Builder<P> {
        Builder { erased: erased::Builder::new(seed, nodes, AnyConfig::of::<P>(config)), types: PhantomData }
    }

    fn with(self, change: impl FnOnce(erased::Builder<AnyProcess>) -> erased::Builder<AnyProcess>) -> Builder<P> {
        Builder { erased: change(self.erased), types: PhantomData }
    }

    /// See [`erased::Builder::config_of`].
    pub fn config_of(self, id: NodeId, config: P::Config) -> Self {
        self.with(|builder| builder.config_of(id, AnyConfig::of::<P>(config)))
    }

    /// See [`erased::Builder::network`].
    pub fn network(self, network: Network) -> Self {
        self.with(|builder| builder.network(network))
    }

    /// See [`erased::Builder::latency`].
    pub fn latency(self, latency: Latency) -> Self {
        self.with(|builder| builder.latency(latency))
    }

    /// See [`erased::Builder::clocks`].
    pub fn clocks(self, clocks: Clocks) -> Self {
        self.with(|builder| builder.clocks(clocks))
    }

    /// See [`erased::Builder::sync`].
    pub fn sync(self, sync: Latency) -> Self {
        self.with(|builder| builder.sync(sync))
    }

    /// See [`erased::Builder::schedule`].
    pub fn schedule(self, schedule: impl IntoIterator<Item = Scheduled>) -> Self {
        self.with(|builder| builder.schedule(schedule))
    }

    /// See [`erased::Builder::faults`].
    pub fn faults(self, plan: FaultPlan) -> Self {
        self.with(|builder| builder.faults(plan))
    }

    /// See [`erased::Builder::message_bytes`].
    pub fn message_bytes(self, bytes: impl Fn(&P::Message) -> usize + 'static) -> Self {
        let bytes = move |message: &AnyMessage| bytes(message.get().expect("a message of this simulation"));
        self.with(|builder| builder.message_bytes(bytes))
    }

    /// See [`erased::Builder::steps_max`].
    pub fn steps_max(self, steps: u64) -> Self {
        self.with(|builder| builder.steps_max(steps))
    }

    /// See [`erased::Builder::happened_max`].
    pub fn happened_max(self, count: usize) -> Self {
        self.with(|builder| builder.happened_max(count))
    }

    /// See [`erased::Builder::without_hash_chain`].
    pub fn without_hash_chain(self) -> Self {
        self.with(erased::Builder::without_hash_chain)
    }

    /// See [`erased::Builder::build`].
    pub fn build(self) -> Simulation<P> {
        Simulation { erased: self.erased.build(), types: PhantomData }
    }
}

/// A world that runs one process per node: see [`erased::Simulation`].
pub struct Simulation<P> {
    erased: erased::Simulation<AnyProcess>,
    types: PhantomData<fn() -> P>,
}

impl<P: Erasable> Simulation<P> {
    /// See [`erased::Simulation::run_for`].
    pub fn run_for(&mut self, span: Duration) -> Stop {
        self.erased.run_for(span)
    }

    /// See [`erased::Simulation::run_until`].
    pub fn run_until(&mut self, span: Duration, mut done: impl FnMut(&mut Simulation<P>) -> bool) -> Stop {
        let deadline = self.now() + span;
        loop {
            if self.erased.violation().is_some() {
                return Stop::Violated;
            }
            if done(self) {
                return Stop::Done;
            }
            if let Some(stop) = self.erased.advance(deadline) {
                return stop;
            }
        }
    }

    /// See [`erased::Simulation::command`].
    pub fn command(&mut self, id: NodeId, command: P::Command) {
        self.erased.command(id, AnyCommand::of(command));
    }

    /// See [`erased::Simulation::command_after`].
    pub fn command_after(&mut self, after: Duration, id: NodeId, command: P::Command) {
        self.erased.command_after(after, id, AnyCommand::of(command));
    }

    /// See [`erased::Simulation::fault_after`].
    pub fn fault_after(&mut self, after: Duration, fault: Fault) {
        self.erased.fault_after(after, fault);
    }

    /// See [`erased::Simulation::apply_fault`].
    pub fn apply_fault(&mut self, fault: &Fault) {
        self.erased.apply_fault(fault);
    }

    /// The happenings since the last call, oldest first.
    pub fn happened(&mut self) -> impl Iterator<Item = Happened<P::Event>> + '_ {
        self.erased.happened().map(typed::<P>)
    }

    /// The oldest happening that was not taken yet.
    pub fn next_happened(&mut self) -> Option<Happened<P::Event>> {
        self.erased.next_happened().map(typed::<P>)
    }

    /// The process of a node that is up.
    pub fn node(&self, id: NodeId) -> Option<&P> {
        self.erased.node(id).map(AnyProcess::expect)
    }

    /// All nodes that are up.
    pub fn live(&self) -> impl Iterator<Item = (NodeId, &P)> + '_ {
        self.erased.live().map(|(id, node)| (id, node.expect()))
    }

    /// All nodes, up or down.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.erased.ids()
    }

    /// The world's time since the run began.
    pub fn now(&self) -> Instant {
        self.erased.now()
    }

    /// The seed of this run.
    pub fn seed(&self) -> u64 {
        self.erased.seed()
    }

    /// The numbers of the run so far.
    pub fn statistics(&self) -> &Statistics {
        self.erased.statistics()
    }

    /// See [`erased::Simulation::chain`].
    pub fn chain(&self) -> u64 {
        self.erased.chain()
    }

    /// See [`erased::Simulation::rng`].
    pub fn rng(&self, lane: u64) -> Rng {
        self.erased.rng(lane)
    }
}

fn typed<P: Erasable>(happened: Happened<AnyEvent>) -> Happened<P::Event> {
    let Happened { at, node, what } = happened;
    let what = match what {
        Happening::Event(event) => Happening::Event(event.take()),
        Happening::Started(incarnation) => Happening::Started(incarnation),
        Happening::Stopped(why) => Happening::Stopped(why),
        Happening::Alarm(token) => Happening::Alarm(token),
    };
    Happened { at, node, what }
}

//! The description of a simulation.

use crate::clock::Clocks;
use crate::event::Pending;
use crate::latency::Latency;
use crate::links::{Links, Network};
use crate::plan::FaultPlan;
use crate::queue::Queue;
use crate::recording::{Carrier, Recorder};
use crate::replay::TraceRing;
use crate::script::Journal;
use crate::simulation::{ConfigByLife, Invariant, LeaderTest, MessageBytes, Planner, RecoveryTest, Simulation};
use crate::statistics::Statistics;
use crate::storage::{RecordDisk, Storage, StorageFactory};
use std::collections::VecDeque;
use std::rc::Rc;
use volvox_core::fault::Scheduled;
use volvox_core::time::nanos;
use volvox_core::{Duration, FlatMap, NodeId, Process, Rng, StableHasher};

/// Describes a [`Simulation`]. Only the seed and this description influence a run.
pub struct Builder<P: Process> {
    seed: u64,
    ids: Vec<NodeId>,
    config: P::Config,
    configs: FlatMap<NodeId, P::Config>,
    down: Vec<NodeId>,
    network: Network,
    clocks: Clocks,
    sync: Latency,
    storage: Option<StorageFactory<P::Record>>,
    start_within: Duration,
    schedule: Vec<Scheduled>,
    plan: Option<FaultPlan>,
    recovered: Option<RecoveryTest<P>>,
    config_by_life: Option<ConfigByLife<P>>,
    leader: Option<LeaderTest<P>>,
    message_bytes: MessageBytes<P>,
    steps_max: u64,
    happened_max: usize,
    hash_chain: bool,
    trace: Option<TraceRing>,
    recorder: Option<Recorder>,
    carrier: Option<Rc<dyn Carrier<P>>>,
    journal: Option<Journal<P>>,
    invariants: Vec<Invariant<P>>,
}

impl<P: Process + 'static> Builder<P> {
    /// `nodes` nodes called 1, 2, 3 and so on, with one configuration for all.
    pub fn new(seed: u64, nodes: u64, config: P::Config) -> Builder<P> {
        Builder {
            seed,
            ids: (1..=nodes).map(NodeId).collect(),
            config,
            configs: FlatMap::new(),
            down: Vec::new(),
            network: Network::default(),
            clocks: Clocks::default(),
            sync: Latency::Uniform(Duration::from_micros(300), Duration::from_millis(2)),
            storage: None,
            start_within: Duration::ZERO,
            schedule: Vec::new(),
            plan: None,
            recovered: None,
            config_by_life: None,
            leader: None,
            message_bytes: Box::new(size_of_val::<P::Message>),
            steps_max: u64::MAX,
            happened_max: 1 << 20,
            hash_chain: true,
            trace: None,
            recorder: None,
            carrier: None,
            journal: None,
            invariants: Vec::new(),
        }
    }

    /// Sets names other than 1, 2, 3.
    pub fn ids(mut self, ids: impl IntoIterator<Item = NodeId>) -> Self {
        self.ids = ids.into_iter().collect();
        self
    }

    /// Sets the configuration of one node.
    pub fn config_of(mut self, id: NodeId, config: P::Config) -> Self {
        self.configs.insert(id, config);
        self
    }

    /// Derives the configuration of each incarnation from the given one: for processes that need their incarnation, or
    /// that start differently when they know nothing.
    pub fn config_by_life(
        mut self,
        make: impl Fn(&P::Config, NodeId, volvox_core::Incarnation) -> P::Config + 'static,
    ) -> Self {
        self.config_by_life = Some(Box::new(make));
        self
    }

    /// Keeps this node down until it is started.
    pub fn down(mut self, id: NodeId) -> Self {
        self.down.push(id);
        self
    }

    /// Sets the model of every link.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets only the latency of every link.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.network.latency = latency;
        self
    }

    /// Sets the initial errors of the clocks.
    pub fn clocks(mut self, clocks: Clocks) -> Self {
        self.clocks = clocks;
        self
    }

    /// Sets how long a sync of the built-in disk takes.
    pub fn sync(mut self, sync: Latency) -> Self {
        self.sync = sync;
        self
    }

    /// Replaces the built-in disk.
    pub fn storage(mut self, mut factory: impl FnMut(NodeId) -> Box<dyn Storage<P::Record>> + 'static) -> Self {
        self.storage = Some(Box::new(move |id| factory(id)));
        self
    }

    /// Starts nodes at random times within this span, instead of all at once.
    pub fn start_within(mut self, span: Duration) -> Self {
        self.start_within = span;
        self
    }

    /// Adds scheduled faults.
    pub fn schedule(mut self, schedule: impl IntoIterator<Item = Scheduled>) -> Self {
        self.schedule.extend(schedule);
        self
    }

    /// Adds faults drawn from the seed.
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Sets the test for when a node whose storage was damaged or erased has recovered, such as being a voter again.
    /// Without it, such a node counts against the budget for the rest of the run.
    pub fn recovered(mut self, test: impl FnMut(&Simulation<P>, NodeId) -> bool + 'static) -> Self {
        self.recovered = Some(Box::new(test));
        self
    }

    /// Sets how to recognise a leader, for `crash leader`.
    pub fn leader(mut self, test: impl Fn(&P) -> bool + 'static) -> Self {
        self.leader = Some(Box::new(test));
        self
    }

    /// Sets the size of a message on the wire, for links with a bandwidth.
    pub fn message_bytes(mut self, bytes: impl Fn(&P::Message) -> usize + 'static) -> Self {
        self.message_bytes = Box::new(bytes);
        self
    }

    /// Stops the run after this many steps.
    pub fn steps_max(mut self, steps: u64) -> Self {
        self.steps_max = steps;
        self
    }

    /// Sets how many happenings may wait to be taken, by default a million; the run panics beyond.
    pub fn happened_max(mut self, count: usize) -> Self {
        self.happened_max = count;
        self
    }

    /// Omits the hash chain.
    pub fn without_hash_chain(mut self) -> Self {
        self.hash_chain = false;
        self
    }

    /// Writes a trace, which makes a run many times as expensive.
    pub fn trace(mut self, ring: Option<&TraceRing>) -> Self {
        self.trace = ring.cloned();
        self
    }

    /// Records the run as data, at the cost of a trace.
    pub fn record(mut self, recorder: Option<&Recorder>) -> Self {
        self.recorder = recorder.cloned();
        self
    }

    /// Sets which part of each message is the protocol's own: recordings and counts distinguish the two.
    pub fn carrier(mut self, carrier: Rc<dyn Carrier<P>>) -> Self {
        self.carrier = Some(carrier);
        self
    }

    /// Records the course of the run, so that it can be replayed by hand.
    pub fn journal(mut self, journal: Option<&Journal<P>>) -> Self {
        self.journal = journal.cloned();
        self
    }

    /// Adds an invariant that must hold after every step.
    pub fn invariant(
        mut self,
        name: &'static str,
        check: impl FnMut(&Simulation<P>, NodeId) -> Result<(), String> + 'static,
    ) -> Self {
        self.invariants.push((name, Box::new(check)));
        self
    }

    /// Builds the world at time zero; nothing has happened yet, not even the starts.
    pub fn build(self) -> Simulation<P> {
        let chance = Rng::new(self.seed);
        let lane = |number: u64| chance.split((1 << 40) + number);
        let sync = self.sync;
        let storage = self.storage.unwrap_or_else(|| Box::new(move |_| Box::new(RecordDisk::new(sync))));
        let plan_from = self.plan.as_ref().map(|plan| plan.from);
        let recovered = self.recovered;
        let planner = self.plan.map(|plan| Planner { plan, rng: lane(3), afflicted: Vec::new(), recovered, token: 0 });
        let mut simulation = Simulation {
            seed: self.seed,
            now: 0,
            wall_start: self.clocks.wall_start,
            queue: Queue::new(),
            nodes: Vec::with_capacity(self.ids.len()),
            cold: Vec::with_capacity(self.ids.len()),
            directory: Vec::with_capacity(self.ids.len()),
            links: Links::new(self.network, lane(0)),
            effects: Vec::new(),
            chain: self.hash_chain.then(|| StableHasher::new(self.seed)),
            statistics: Statistics::default(),
            happened: VecDeque::new(),
            storage,
            disk_rng: lane(1),
            life_rng: lane(2),
            planner,
            applied: Vec::new(),
            config_by_life: self.config_by_life,
            leader: self.leader,
            message_bytes: self.message_bytes,
            steps_max: self.steps_max,
            happened_max: self.happened_max,
            trace: self.trace,
            recorder: self.recorder,
            carrier: self.carrier,
            journal: self.journal,
            invariants: self.invariants,
            violation: None,
        };
        if let Some(journal) = &simulation.journal {
            journal.begin(self.seed);
        }
        let members: Rc<[NodeId]> = Rc::from(self.ids.as_slice());
        let mut configs = self.configs;
        let mut drawing = lane(4);
        for id in self.ids {
            let config = configs.remove(&id).unwrap_or_else(|| self.config.clone());
            let offset = symmetric(&mut drawing, nanos(self.clocks.offset_max));
            let drift = symmetric(&mut drawing, self.clocks.drift_ppm_max.into()) as i32;
            simulation.insert_node(id, Rc::clone(&members), config, self.clocks.wall_start + offset, drift);
            let starts = drawing.between(0, nanos(self.start_within));
            if !self.down.contains(&id) {
                let node = simulation.nodes.len() as u32 - 1;
                simulation.schedule(Duration::from_nanos(starts), Pending::Start { node });
            }
        }
        assert!(
            configs.is_empty(),
            "a configuration of a node that does not exist: {:?}",
            configs.keys().collect::<Vec<_>>()
        );
        for scheduled in self.schedule {
            simulation.schedule(scheduled.at, Pending::Fault(Box::new(scheduled.fault)));
        }
        if let Some(from) = plan_from {
            simulation.schedule(from, Pending::Plan);
        }
        simulation
    }
}

fn symmetric(rng: &mut Rng, most: u64) -> i64 {
    let most = most.min(i64::MAX as u64 / 2);
    rng.between(0, 2 * most) as i64 - most as i64
}

//! The simulated world as a [`World`].

use crate::{Cluster, World};
use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId, Process};
use volvox_sim::{Builder, Clocks, Happening, Latency, Simulation, Stop};

/// A cluster in the simulated world, and the seed that it runs from.
pub struct Simulated<P: Process> {
    simulation: Simulation<P>,
}

/// How long a wait may last, in the world's time.
const PATIENCE: Duration = Duration::from_secs(120);

impl<P: Process + 'static> Simulated<P> {
    /// The cluster at time zero.
    pub fn new(seed: u64, cluster: &Cluster<P>) -> Simulated<P> {
        let make = cluster.config;
        let first = make(NodeId(1), volvox_core::Incarnation(1));
        let simulation = Builder::new(seed, cluster.nodes, first)
            .config_by_life(move |_, id, life| make(id, life))
            .latency(Latency::LogNormal { median: Duration::from_micros(300), sigma_thousandths: 600 })
            .sync(Latency::Uniform(Duration::from_micros(200), Duration::from_millis(3)))
            .clocks(Clocks { offset_max: Duration::from_millis(20), drift_ppm_max: 100, ..Clocks::default() })
            .start_within(Duration::from_millis(5))
            .build();
        let mut world = Simulated { simulation };
        let stop = world.simulation.run_for(Duration::from_millis(5));
        assert_eq!(stop, Stop::Deadline);
        world
    }
}

impl<P: Process + 'static> World<P> for Simulated<P> {
    fn command(&mut self, id: NodeId, command: P::Command) {
        self.simulation.command(id, command);
    }

    fn wait(&mut self, what: &str, mut done: impl FnMut(NodeId, &P::Event) -> bool) {
        let stop = self.simulation.run_until(PATIENCE, |simulation| {
            while let Some(happened) = simulation.next_happened() {
                if let Happening::Event(event) = &happened.what
                    && done(happened.node, event)
                {
                    return true;
                }
            }
            false
        });
        let seed = self.simulation.seed();
        assert_eq!(stop, Stop::Done, "seed {seed}: timed out: {what}\n{}", self.simulation.statistics());
    }

    fn crash(&mut self, id: NodeId) {
        self.simulation.apply_fault(&Fault::Crash { who: Target::Node(id), without_disk: false });
    }

    fn start(&mut self, id: NodeId) {
        self.simulation.apply_fault(&Fault::Start(id));
    }

    fn faults(&mut self, faults: &[Fault]) {
        self.simulation.heal();
        faults.iter().for_each(|fault| self.simulation.apply_fault(fault));
    }
}

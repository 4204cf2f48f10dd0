//! What was written down of a run is the run: followed by hand it ends in the same processes.

use super::ms;
use std::hash::Hash;
use volvox_core::fault::LinkFault;
use volvox_core::{Process, fingerprint_of};
use volvox_sim::script::Journal;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Latency, Simulation};

pub const SEEDS: u64 = 100;

/// Every fault that there is, often.
pub fn everything(until_ms: u64) -> FaultPlan {
    FaultPlan {
        weights: FaultWeights::ALL,
        from: ms(0),
        until: ms(until_ms),
        every: Latency::Exponential { minimum: ms(1), mean: ms(60) },
        lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
        link: LinkFault {
            duplicate_ppm: 100_000,
            reorder_ppm: 100_000,
            bandwidth: 100_000,
            ..FaultPlan::default().link
        },
        ..FaultPlan::default()
    }
}

/// Runs a seed, follows it by hand, and compares; says how many actions there were.
pub fn follow<P: Process<Config = ()> + Hash + 'static>(
    seed: u64,
    build: impl Fn(Builder<P>) -> Simulation<P>,
    millis: u64,
) -> usize {
    let journal = Journal::new(1 << 20);
    let mut sim = build(Builder::new(seed, 5, ()).journal(Some(&journal)));
    while sim.now() < volvox_core::Instant::ZERO + ms(millis) {
        let _ = sim.run_for(ms(100));
        sim.happened().for_each(drop);
    }
    let course = journal.course();
    assert!(!course.is_cut);
    let mut world = course.world(|_, _| ());
    for (place, action) in course.actions.iter().enumerate() {
        if let Err(why) = world.act(action) {
            panic!("seed {seed}, action {place}, {action}: {why}");
        }
        assert_eq!(world.now(), action.at, "seed {seed}: {action} happens later than it did");
    }
    for id in sim.ids() {
        let (was, is) = (sim.node(id).map(fingerprint_of), world.node(id).map(fingerprint_of));
        assert_eq!(was, is, "seed {seed}: {id} is another");
    }
    course.actions.len()
}

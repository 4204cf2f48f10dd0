//! The record of a run is complete: replayed by hand it ends in the same processes.

use std::hash::Hash;
use volvox_clocks::ntp::{self, Ntp};
use volvox_commit::transaction;
use volvox_commit::two_phase::TwoPhase;
use volvox_core::fault::LinkFault;
use volvox_core::{NodeId, Process, fingerprint_of};
use volvox_membership::swim::Swim;
use volvox_sim::bench::ms;
use volvox_sim::script::Journal;
use volvox_sim::{Builder, Clocks, FaultPlan, FaultWeights, Latency, Network, Simulation};

const SEEDS: u64 = 100;

#[test]
fn a_run_with_records_and_crashes_is_followed_by_hand() {
    let build = |builder: Builder<TwoPhase>| {
        let mut sim = builder.faults(everything(2_500)).build();
        (0..40).for_each(|number| sim.command_after(ms(number * 50), NodeId(1), transaction::Command::Begin));
        sim
    };
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 3_000)).sum();
    assert!(actions > 50_000, "{actions}");
}

#[test]
fn a_run_with_jitter_over_datagrams_is_followed_by_hand() {
    let fault = LinkFault { loss_ppm: 20_000, duplicate_ppm: 20_000, reorder_ppm: 50_000, ..LinkFault::default() };
    let network = Network { ordered: false, fault, ..Network::default() };
    let build = |builder: Builder<Swim>| builder.network(network).faults(everything(2_500)).build();
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 3_000)).sum();
    assert!(actions > 10_000, "{actions}");
}

#[test]
fn a_run_with_wrong_clocks_is_followed_by_hand() {
    let build = |builder: Builder<Ntp>| {
        let clocks = Clocks { offset_max: ms(500), drift_ppm_max: 200, ..Clocks::default() };
        let mut sim = builder.clocks(clocks).start_within(ms(50)).faults(everything(8_000)).build();
        (0..40).for_each(|number| sim.command_after(ms(number * 200), NodeId(1 + number % 5), ntp::Command::Poll));
        sim
    };
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 9_000)).sum();
    assert!(actions > 10_000, "{actions}");
}

/// Every fault that there is, often.
fn everything(until_ms: u64) -> FaultPlan {
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
fn follow<P: Process<Config: Default + Clone> + Hash + 'static>(
    seed: u64,
    build: impl Fn(Builder<P>) -> Simulation<P>,
    millis: u64,
) -> usize {
    let journal = Journal::new(1 << 20);
    let mut sim = build(Builder::new(seed, 5, P::Config::default()).journal(Some(&journal)));
    while sim.now() < volvox_core::Instant::ZERO + ms(millis) {
        let _ = sim.run_for(ms(100));
        sim.happened().for_each(drop);
    }
    let course = journal.course();
    assert!(!course.is_cut);
    let mut world = course.world(|_, _| P::Config::default());
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

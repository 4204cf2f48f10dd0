//! Many schedules, under every fault that SWIM claims to survive; afterwards all know which members are alive.

use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Picture, When};
use volvox_membership::swim::{Config, History, Rule, Swim, properties};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, Stop};

const NODES: u64 = 9;

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

fn simulation(seed: u64, without: Option<Rule>) -> Simulation<Swim> {
    let plan = FaultPlan {
        from: ms(500),
        until: ms(6_000),
        every: Latency::Exponential { minimum: ms(20), mean: ms(200) },
        lasting: Latency::Exponential { minimum: ms(20), mean: ms(1_000) },
        weights: FaultWeights { slow: 4, cut: 1, pause: 3, crash: 4, drift: 1, ..FaultWeights::NONE },
        link: LinkFault { delay: ms(40), loss_ppm: 300_000, ..LinkFault::default() },
        ..FaultPlan::default()
    };
    let fault = LinkFault { loss_ppm: 30_000, duplicate_ppm: 50_000, reorder_ppm: 50_000, ..LinkFault::default() };
    let network = Network { latency: Latency::Uniform(ms(1), ms(10)), fault, ordered: false, ..Network::default() };
    let config = Config { without, ..Config::default() };
    Builder::new(seed, NODES, config).network(network).faults(plan).build()
}

fn ask(sim: &mut Simulation<Swim>, history: &mut History, when: When) -> Result<(), String> {
    while let Some(happened) = sim.next_happened() {
        if let Happening::Event(event) = &happened.what {
            volvox_core::History::<Swim>::on_event(history, happened.node, event);
        }
    }
    let nodes: Vec<_> = sim.live().collect();
    let picture = Picture { nodes: &nodes, history };
    properties()
        .iter()
        .filter(|property| property.when == when)
        .try_for_each(|property| (property.holds)(&picture).map_err(|why| format!("{}: {why}", property.name)))
}

fn torment(seed: u64, without: Option<Rule>) -> Result<(Simulation<Swim>, History), String> {
    let (mut sim, mut heard, mut broken) = (simulation(seed, without), History::default(), Ok(()));
    let stop = sim.run_until(ms(7_000), |sim| {
        broken = ask(sim, &mut heard, When::Always);
        broken.is_err()
    });
    assert!(matches!(stop, Stop::Deadline | Stop::Done), "{stop:?}");
    broken.map(|()| (sim, heard))
}

#[test]
fn whatever_happens_all_know_in_the_end_which_members_are_alive() {
    let mut announced = 0;
    for seed in 0..30 {
        let (mut sim, mut heard) = torment(seed, None).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        // One member crashes for good; the others are well.
        for text in ["heal", "crash 4"] {
            sim.apply_fault(&text.parse().expect("a fault"));
        }
        for node in (1..=NODES).filter(|node| *node != 4) {
            sim.apply_fault(&format!("start {node}").parse().expect("a fault"));
            sim.apply_fault(&format!("resume {node}").parse().expect("a fault"));
        }
        let known = |sim: &mut Simulation<Swim>| ask(sim, &mut heard, When::AtEnd).is_ok();
        let stop = sim.run_until(ms(60_000), known);
        assert_eq!(stop, Stop::Done, "seed {seed}: {:?}", ask(&mut sim, &mut heard, When::AtEnd));
        announced += heard.announced.values().filter(|standing| standing.life > 0).count();
    }
    assert!(announced > 10, "only {announced} members were declared faulty and rejoined");
}

/// Shows that the test above can fail.
#[test]
fn without_a_rule_something_breaks() {
    for (rule, name) in [(Rule::Precedence, "monotonic views"), (Rule::Limit, "bounded dissemination")] {
        let found = (0..20).find_map(|seed| torment(seed, Some(rule)).err());
        assert!(found.is_some_and(|found| found.starts_with(name)), "{} is not missed", rule.name());
    }
}

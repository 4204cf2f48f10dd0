//! Many schedules, with everything that Paxos claims to survive; then progress.

use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Picture, When};
use volvox_paxos::single::{Command, Config, History, Learning, Paxos, Rule, Value, properties};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, Stop};

const NODES: u64 = 5;

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

fn plan() -> FaultPlan {
    FaultPlan {
        from: Duration::ZERO,
        until: ms(800),
        every: Latency::Exponential { minimum: ms(2), mean: ms(20) },
        lasting: Latency::Exponential { minimum: ms(5), mean: ms(80) },
        weights: FaultWeights {
            partition: 3,
            cut: 2,
            slow: 4,
            pause: 2,
            crash: 5,
            crash_all: 1,
            disk_slow: 2,
            ..FaultWeights::NONE
        },
        link: LinkFault { delay: ms(40), loss_ppm: 300_000, ..LinkFault::default() },
        ..FaultPlan::default()
    }
}

fn simulation(seed: u64, config: Config) -> Simulation<Paxos> {
    let fault = LinkFault { loss_ppm: 50_000, duplicate_ppm: 100_000, reorder_ppm: 100_000, ..LinkFault::default() };
    let network = Network { latency: Latency::Uniform(ms(1), ms(10)), fault, ordered: false, ..Network::default() };
    Builder::new(seed, NODES, config).network(network).faults(plan()).build()
}

/// Runs, evaluates the properties after every step, and returns the name of the first that breaks.
fn run_for(sim: &mut Simulation<Paxos>, told: &mut History, span: Duration) -> Result<(), String> {
    let mut broken = Ok(());
    let stop = sim.run_until(span, |sim| {
        broken = ask(sim, told, When::Always);
        broken.is_err()
    });
    assert!(matches!(stop, Stop::Deadline | Stop::Done | Stop::Idle), "{stop:?}");
    broken
}

fn ask(sim: &mut Simulation<Paxos>, told: &mut History, when: When) -> Result<(), String> {
    while let Some(happened) = sim.next_happened() {
        if let Happening::Event(event) = &happened.what {
            volvox_core::History::<Paxos>::on_event(told, happened.node, event);
        }
    }
    let nodes: Vec<_> = sim.live().collect();
    let picture = Picture { nodes: &nodes, history: told };
    properties()
        .iter()
        .filter(|property| property.when == when)
        .try_for_each(|property| (property.holds)(&picture).map_err(|why| format!("{}: {why}", property.name)))
}

/// Proposals at all processes, under every kind of fault.
fn torment(seed: u64, config: Config) -> Result<(Simulation<Paxos>, History), String> {
    let mut sim = simulation(seed, config);
    let mut told = History::default();
    let mut chance = sim.rng(1);
    for value in 0..20 {
        let node = NodeId(chance.between(1, NODES));
        sim.command_after(ms(chance.below(800)), node, Command::Propose(Value(value)));
    }
    run_for(&mut sim, &mut told, ms(900))?;
    Ok((sim, told))
}

#[test]
fn one_value_is_chosen_whatever_happens_and_everybody_learns_it_in_the_end() {
    let mut contested = 0;
    for (seed, learning) in (0..40).map(|seed| (seed, [Learning::Proposer, Learning::All][seed as usize % 2])) {
        let config = Config { learning, ..Config::default() };
        let (mut sim, mut told) = torment(seed, config).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        contested += u64::from(sim.statistics().kinds.of("Refused") > 0);
        sim.apply_fault(&"heal".parse().expect("a fault"));
        for node in 1..=NODES {
            sim.apply_fault(&format!("start {node}").parse().expect("a fault"));
            sim.apply_fault(&format!("resume {node}").parse().expect("a fault"));
            sim.command(NodeId(node), Command::Propose(Value(100 + node)));
        }
        run_for(&mut sim, &mut told, ms(5_000)).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        ask(&mut sim, &mut told, When::AtEnd).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        assert_eq!((sim.live().count() as u64, told.chosen.len()), (NODES, 1), "seed {seed}");
    }
    assert!(contested > 20, "proposers met in {contested} runs only");
}

/// Shows that the test above can fail: each rule whose absence the simulator detects within this many seeds.
#[test]
fn without_a_rule_two_values_are_chosen() {
    for rule in [Rule::Intersection, Rule::PromiseKept, Rule::AdoptNewest, Rule::SameBallot, Rule::AcceptanceOnDisk] {
        let learning = if rule == Rule::SameBallot { Learning::All } else { Learning::Proposer };
        let config = Config { learning, without: Some(rule), ..Config::default() };
        let found = (0..400).find_map(|seed| torment(seed, config.clone()).err());
        let found = found.unwrap_or_else(|| panic!("{} is not missed", rule.name()));
        assert!(found.starts_with("agreement"), "{}: {found}", rule.name());
    }
}

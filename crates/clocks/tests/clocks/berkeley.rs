//! The Berkeley algorithm (Gusella and Zatti 1989).

use super::{ms, round_trip, watch};
use volvox_clocks::berkeley::{Berkeley, Command, Config, Event, History, Message, Round, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{NodeId, Process};
use volvox_sim::{Builder, Clocks, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, script};

const MINUTE: i64 = 60_000_000_000;

/// Five clocks, one of which is an hour off.
fn config() -> Config {
    Config {
        every: ms(250),
        starts_off_ns: vec![0, 40_000_000, -25_000_000, 3_000_000, -60 * MINUTE],
        ..Config::default()
    }
}

/// Over links that lose, duplicate and reorder messages and break, between nodes that pause, crash and restart.
fn troubled(seed: u64) -> Simulation<Berkeley> {
    let fault = LinkFault { loss_ppm: 50_000, duplicate_ppm: 50_000, reorder_ppm: 100_000, ..LinkFault::default() };
    let latency = Latency::Exponential { minimum: ms(1), mean: ms(2) };
    let weights = FaultWeights { pause: 2, crash: 2, ..FaultWeights::NETWORK };
    let (every, lasting) = (Latency::Constant(ms(100)), Latency::Uniform(ms(10), ms(200)));
    let plan = FaultPlan { from: ms(1), until: ms(3_000), every, lasting, weights, ..FaultPlan::default() };
    let network = Network { latency, fault, ordered: false, ..Network::default() };
    Builder::new(seed, 5, config()).network(network).faults(plan).build()
}

#[test]
fn clocks_of_a_round_agree_and_the_broken_one_moves_nobody_whatever_the_network_does() {
    let mut events = 0;
    for seed in 0..40 {
        let mut sim = troubled(seed);
        watch::<Berkeley, History>(&mut sim, &properties(), ms(8_000));
        events += sim.statistics().events;
    }
    assert!(events > 2_000, "{events}");
}

/// Section II: only e remains after a round, and the clocks drift apart at 2 rho until the next.
#[test]
fn drift_adds_what_it_must_and_no_more() {
    for seed in 0..30 {
        let clocks = Clocks { drift_ppm_max: 100, ..Clocks::default() };
        let config = Config { slew_ppm: 100_000, starts_off_ns: vec![0, 40_000_000, -25_000_000], ..config() };
        let latency = Latency::Uniform(ms(1), ms(5));
        let mut sim = Builder::<Berkeley>::new(seed, 5, config).latency(latency).clocks(clocks).build();
        for millis in (1_500..4_000).step_by(17) {
            (1..=5).for_each(|id| sim.command_after(ms(millis), NodeId(id), Command::Show));
        }
        let _ = sim.run_for(ms(4_000));
        let shown: Vec<i64> = sim
            .happened()
            .filter_map(|happened| match happened.what {
                Happening::Event(Event::Shows(reading)) => Some(reading.clock),
                _ => None,
            })
            .collect();
        // 2e; a delta that is still being slewed in, at most 2e as well; and 200 ppm of 270 ms.
        let bound = 4 * 5_000_000 + 2 * 100 * 270_000 / 1_000;
        assert!(shown.len() > 600);
        for clocks in shown.chunks_exact(5) {
            let (low, high) = (clocks.iter().min().expect("five"), clocks.iter().max().expect("five"));
            assert!(high.abs_diff(*low) <= bound, "seed {seed}: {clocks:?}");
        }
    }
}

#[test]
fn golden_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/berkeley");
    script::check_folder::<Berkeley>(folder, |_, _| Config {
        starts_off_ns: vec![0, 25 * MINUTE, -10 * MINUTE],
        gamma: ms(3_600_000),
        rounds: Some(1),
        ..Config::default()
    });
}

#[test]
fn messages_and_commands_come_back_and_hostile_ones_make_no_panic() {
    let round = Round { life: -3, number: 300 };
    for message in [Message::Poll(round), Message::Clock(round, i64::MIN), Message::Adjust(round, i64::MAX)] {
        round_trip(&message);
    }
    for command in [Command::Poll, Command::Show] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert!("adjust".parse::<Command>().is_err());

    use volvox_core::{Context, Environment, Incarnation, Position, Rng};
    let members = [NodeId(1), NodeId(2), NodeId(3)];
    for id in [1, 2] {
        let mut environment = Environment::new(NodeId(id), Incarnation(1), Position::NONE, &Rng::new(1));
        let mut effects = Vec::new();
        let mut node = Berkeley::new(NodeId(id), &members, &Config::default());
        let mut cx = Context::new(&mut environment, &mut effects);
        node.on_start(&mut cx);
        for value in [i64::MIN, i64::MAX, 0] {
            let round = Round { life: 0, number: 1 };
            for from in [1, 2, 3, 9].into_iter().filter(|from| *from != id) {
                node.on_message(NodeId(from), Message::Poll(round), &mut cx);
                node.on_message(NodeId(from), Message::Clock(round, value), &mut cx);
                node.on_message(NodeId(from), Message::Adjust(round, value), &mut cx);
            }
            node.on_command(Command::Show, &mut cx);
        }
    }
}

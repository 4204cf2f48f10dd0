//! Cristian's algorithm (1989).

use super::{ms, round_trip, watch};
use volvox_clocks::cristian::{Command, Config, Cristian, Event, History, Message, Rule, properties};
use volvox_core::fault::LinkFault;
use volvox_core::{Boot, Duration, NodeId, Process, Serial};
use volvox_sim::bench::Bench;
use volvox_sim::restarts::Restarts;
use volvox_sim::script::Order;
use volvox_sim::{Builder, Clocks, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, script};

const SERVER: NodeId = NodeId(1);

fn config() -> Config {
    Config { every: Some(ms(300)), starts_off_ns: vec![0, 40_000_000, -25_000_000, 3_000_000], ..Config::default() }
}

/// Over links that lose, duplicate and reorder messages and break, between nodes that pause, crash and restart.
fn troubled(seed: u64) -> Simulation<Cristian> {
    let fault = LinkFault { loss_ppm: 50_000, duplicate_ppm: 50_000, reorder_ppm: 100_000, ..LinkFault::default() };
    let latency = Latency::Exponential { minimum: ms(1), mean: ms(3) };
    let weights = FaultWeights { pause: 2, crash: 2, ..FaultWeights::NETWORK };
    let (every, lasting) = (Latency::Constant(ms(100)), Latency::Uniform(ms(10), ms(200)));
    let plan = FaultPlan { from: ms(1), until: ms(3_000), every, lasting, weights, ..FaultPlan::default() };
    let network = Network { latency, fault, ordered: false, ..Network::default() };
    Builder::new(seed, 4, config()).network(network).faults(plan).build()
}

#[test]
fn estimates_stay_within_their_bound_whatever_the_network_does_and_everybody_makes_contact() {
    let mut estimates = 0;
    for seed in 0..40 {
        let mut sim = troubled(seed);
        watch::<Cristian, History>(&mut sim, &properties(), ms(6_000));
        estimates += sim.statistics().events;
    }
    assert!(estimates > 1_000, "{estimates}");
}

/// Section 4: clocks drift while a round trip lasts, and between two of them.
#[test]
fn drift_adds_what_it_must_and_no_more() {
    for seed in 0..30 {
        let clocks = Clocks { drift_ppm_max: 100, ..Clocks::default() };
        let latency = Latency::Uniform(ms(1), ms(5));
        let config = Config { slew_ppm: 100_000, ..config() };
        let mut sim = Builder::<Cristian>::new(seed, 4, config).latency(latency).clocks(clocks).build();
        for millis in (1_000..4_000).step_by(17) {
            (1..=4).for_each(|id| sim.command_after(ms(millis), NodeId(id), Command::Show));
        }
        let _ = sim.run_for(ms(4_000));
        let shown: Vec<i64> = sim
            .happened()
            .filter_map(|happened| match happened.what {
                Happening::Event(Event::Shows(reading)) => Some(reading.clock),
                _ => None,
            })
            .collect();
        // U - min, and 200 ppm between two synchronisations of 300 ms and a little.
        let bound = 5_000_000 + 2 * 100 * 350_000 / 1_000;
        assert!(shown.len() > 600);
        for clocks in shown.chunks_exact(4) {
            for clock in clocks {
                assert!(clock.abs_diff(clocks[0]) <= bound, "seed {seed}: {clocks:?}");
            }
        }
    }
}

/// Section 4: contact is made with some probability, and a client that made none reports it.
#[test]
fn a_client_that_nobody_answers_gives_up_and_tries_again_later() {
    let mut sim = Builder::<Cristian>::new(1, 2, config()).latency(Latency::Constant(ms(1))).build();
    sim.fault_after(Duration::ZERO, "partition 1|2".parse().expect("a fault"));
    sim.fault_after(ms(200), "heal".parse().expect("a fault"));
    let history = watch::<Cristian, History>(&mut sim, &[], ms(160));
    assert_eq!(history, history.clone());
    assert_eq!(sim.statistics().kinds.of("Request"), 5);
    watch::<Cristian, History>(&mut sim, &properties(), ms(400));
}

#[test]
fn without_the_half_the_clock_is_late_by_the_way_back() {
    let config = Config { without: Some(Rule::Half), every: None, ..Config::default() };
    let mut sim = Builder::<Cristian>::new(1, 2, config).latency(Latency::Constant(ms(4))).build();
    let _ = sim.run_for(ms(100));
    let estimate = sim.node(NodeId(2)).and_then(Cristian::estimate).expect("an answer");
    assert_eq!((estimate.ahead_ns, estimate.round_trip), (-4_000_000, ms(8)));
    assert!(sim.node(SERVER).is_some_and(Cristian::is_server));
}

/// A reply to a request from before a crash would look fast.
#[test]
fn a_reply_to_an_earlier_boot_is_not_used() {
    for (without, text) in [
        (None, "note ignored: answers an older request 1"),
        (Some(Rule::Unique), "event adjusts by +0.500ms after a round trip of 0ns"),
    ] {
        let config = Config { without, ..Config::default() };
        let mut client = Bench::restart(Cristian::new(NodeId(2), &[SERVER, NodeId(2)], &config), 2, Boot(2));
        let reply = Message::Reply { number: Serial::first_boot(1), time: 500_000, handling: 0 };
        assert_eq!(client.message(1, reply)[0], text);
    }
}

#[test]
fn a_client_that_restarts_amid_a_question_uses_no_old_answer() {
    let commands = [(NodeId(2), Command::Sync), (NodeId(3), Command::Sync)];
    let restarts = Restarts { nodes: 3, order: Order::Free, commands: &commands, steps: 400 };
    let run = |seed, without| {
        let config = Config { delay_min: Duration::ZERO, without, ..config() };
        restarts.run::<Cristian, History>(seed, move |_, _| config.clone(), &properties())
    };
    let mut amid = 0;
    for seed in 0..200 {
        amid += run(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}")).amid_a_question;
    }
    assert!(amid > 200, "{amid} restarts amid a question");
    let broken = |seed| run(seed, Some(Rule::Unique)).is_err_and(|wrong| wrong.starts_with("error within half"));
    assert!((0..200).any(broken), "estimates stay within their bound without numbers that are given once");
}

#[test]
fn golden_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/cristian");
    script::check_folder::<Cristian>(folder, |_, _| Config {
        round_trip_max: ms(15),
        handling: ms(2),
        starts_off_ns: vec![0, -2_000_000_000],
        ..Config::default()
    });
}

#[test]
fn messages_and_commands_come_back_and_hostile_ones_make_no_panic() {
    round_trip(&Message::Request { number: Serial::first_boot(300) });
    round_trip(&Message::Reply { number: Serial { boot: Boot(2), count: 3 }, time: -5, handling: u64::MAX });
    for command in [Command::Sync, Command::Show] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert!("sync n1".parse::<Command>().is_err());

    use volvox_core::{Context, Environment, Incarnation, Position, Rng};
    let members = [SERVER, NodeId(2)];
    let mut environment = Environment::new(NodeId(2), Incarnation(1), Position::NONE, &Rng::new(1));
    let mut effects = Vec::new();
    let mut node = Cristian::new(NodeId(2), &members, &Config::default());
    node.on_start(&mut Context::new(&mut environment, &mut effects));
    for (time, handling) in [(0, u64::MAX), (i64::MAX, 0), (i64::MIN, 0), (i64::MIN, 0)] {
        let mut cx = Context::new(&mut environment, &mut effects);
        node.on_command(Command::Sync, &mut cx);
        (1..=8).map(Serial::first_boot).for_each(|number| {
            node.on_message(SERVER, Message::Reply { number, time, handling }, &mut cx);
        });
        node.on_command(Command::Show, &mut cx);
    }
}

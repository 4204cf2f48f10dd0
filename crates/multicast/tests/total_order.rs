//! Lamport's totally ordered multicast: rule by rule, in the simulated world under every fault of the network, and in
//! every schedule of a small group.

use volvox_channel::{Channel, Config as Over, Limits};
use volvox_check::{Checker, Ended, Network as Links, System};
use volvox_core::fault::LinkFault;
use volvox_core::{DecodeError, Duration, Encode, NodeId, Picture, Process, Rng, When, decode_all};
use volvox_multicast::total_order::{
    Command, Config, Event, History, Message, OWN_MAX, Rule, Stamp, TEXT_MAX, Text, Time, TotalOrder, properties,
};
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, run_seed};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn world(nodes: u64, config: Config) -> Simulation<TotalOrder> {
    Builder::new(1, nodes, config).latency(Latency::Constant(ms(1))).build()
}

fn line(text: &str) -> Text {
    text.parse().expect("a line")
}

fn ask(text: &str) -> Command {
    Command::Multicast(line(text))
}

/// Adds the new events to the history, and evaluates every safety property after each.
fn observe<P: Process<Event = Event> + 'static>(sim: &mut Simulation<P>, history: &mut History) -> Result<(), String> {
    let told: Vec<_> = sim.happened().collect();
    for one in told {
        let Happening::Event(event) = &one.what else { continue };
        volvox_core::History::<P>::on_event(history, one.node, event);
        judge(sim, history, When::Always).map_err(|why| format!("{} {why}", one.at))?;
    }
    Ok(())
}

fn judge<P: Process<Event = Event> + 'static>(
    sim: &Simulation<P>,
    history: &History,
    when: When,
) -> Result<(), String> {
    let nodes: Vec<_> = sim.live().collect();
    let picture = Picture { nodes: &nodes, history };
    for property in properties::<P>().into_iter().filter(|property| property.when == when) {
        (property.holds)(&picture).map_err(|why| format!("{}: {why}", property.name))?;
    }
    Ok(())
}

fn delivered(sim: &mut Simulation<TotalOrder>, node: NodeId) -> Vec<String> {
    sim.happened()
        .filter_map(|one| match one.what {
            Happening::Event(Event::Delivered { text, .. }) if one.node == node => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

/// Rule 3: a message waits for every process, even if it is the first.
#[test]
fn nothing_is_delivered_before_every_process_was_heard() {
    let mut sim = world(3, Config::default());
    sim.command(ONE, ask("a"));
    let _ = sim.run_for(ms(1));
    assert_eq!(delivered(&mut sim, ONE), [""; 0]);
    // n2 has received from n1 and itself, but not yet from n3.
    assert_eq!(sim.node(TWO).map(TotalOrder::waiting), Some(1));
    let _ = sim.run_for(ms(1));
    assert_eq!(delivered(&mut sim, ONE), ["a"]);
    assert_eq!(sim.node(TWO).map(TotalOrder::waiting), Some(0));
}

/// Lamport 1978, the relation `=>`: equal clocks are ordered by name.
#[test]
fn equal_stamps_are_ordered_by_name() {
    let mut sim = world(2, Config::default());
    sim.command(TWO, ask("b"));
    sim.command(ONE, ask("a"));
    let _ = sim.run_for(ms(10));
    assert_eq!(delivered(&mut sim, TWO), ["a", "b"]);
}

/// IR2: a clock is greater than everything received.
#[test]
fn a_clock_is_beyond_what_was_received() {
    let mut sim = world(2, Config::default());
    for _ in 0..5 {
        sim.command(ONE, ask("a"));
    }
    let _ = sim.run_for(ms(1));
    assert!(sim.node(TWO).is_some_and(|node| node.clock() > Time(5)));
}

#[test]
fn a_group_of_one_delivers_at_once() {
    let mut sim = world(1, Config { sender_acknowledges: true, without: None });
    sim.command(ONE, ask("a"));
    let _ = sim.run_for(ms(1));
    assert_eq!(delivered(&mut sim, ONE), ["a"]);
}

/// NF: nothing more arrives from a crashed member, and nothing is delivered.
#[test]
fn one_crashed_member_stops_all_and_the_sender_refuses_in_the_end() {
    let mut sim = world(3, Config::default());
    let _ = sim.run_for(ms(1));
    sim.apply_fault(&"crash 3".parse().expect("a fault"));
    for _ in 0..OWN_MAX + 10 {
        sim.command(ONE, ask("a"));
    }
    let _ = sim.run_for(ms(1_000));
    assert_eq!(delivered(&mut sim, ONE), [""; 0]);
    assert_eq!(sim.node(ONE).map(TotalOrder::waiting), Some(OWN_MAX));
    assert_eq!(sim.statistics().notes.of("refused: too many of its own wait"), 10);
}

#[test]
fn strangers_and_impostors_are_ignored() {
    let stamp = Stamp { time: Time(1), process: TWO };
    let mut node = TotalOrder::new(ONE, &[ONE, TWO, NodeId(3)], &Config::default());
    let mut environment =
        volvox_core::Environment::new(ONE, volvox_core::Incarnation(1), volvox_core::Position::NONE, &Rng::new(1));
    let mut effects = Vec::new();
    for (from, message) in [
        (NodeId(9), Message::Ack { time: Time(1) }),
        (ONE, Message::Ack { time: Time(1) }),
        (NodeId(3), Message::Multicast { stamp, text: line("in the name of another") }),
    ] {
        node.on_message(from, message, &mut volvox_core::Context::new(&mut environment, &mut effects));
    }
    assert!(effects.iter().all(|effect| matches!(effect, volvox_core::Effect::Note(_))), "{effects:?}");
    assert_eq!(node.waiting(), 0);
}

/// Q-ORD-1, both counts.
#[test]
fn messages_of_a_multicast() {
    for (sender_acknowledges, expected) in [(true, 24), (false, 20)] {
        let mut sim = world(5, Config { sender_acknowledges, without: None });
        sim.command(ONE, ask("a"));
        let _ = sim.run_for(ms(10));
        assert_eq!((sim.statistics().sent, delivered(&mut sim, TWO).len()), (expected, 1));
    }
}

#[test]
fn one_order_over_channels_whatever_the_network_does() {
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-multicast one_order_over_channels", seed, 80, |seed, ring| {
            let config = Over { child: Config::default(), limits: Limits::default() };
            let weights = FaultWeights { pause: 2, skew: 1, drift: 1, ..FaultWeights::NETWORK };
            let plan = FaultPlan { weights, from: ms(0), until: ms(1_000), ..FaultPlan::default() };
            let fault =
                LinkFault { loss_ppm: 50_000, duplicate_ppm: 50_000, reorder_ppm: 50_000, ..LinkFault::default() };
            let network = Network { fault, ordered: false, ..Network::default() };
            let nodes = 2 + seed % 4;
            let mut sim = Builder::<Channel<TotalOrder>>::new(seed, nodes, config)
                .network(network)
                .faults(plan)
                .trace(ring)
                .build();
            let mut rng = sim.rng(0);
            for number in 0..40 {
                let node = NodeId(rng.between(1, nodes));
                sim.command_after(ms(rng.below(1_000)), node, ask(&format!("m{number}")));
            }
            let mut history = History::default();
            for _ in 0..600 {
                let _ = sim.run_for(ms(100));
                observe(&mut sim, &mut history)?;
                if history.multicasts() == 40 && judge(&sim, &history, When::AtEnd).is_ok() {
                    return Ok(());
                }
            }
            judge(&sim, &history, When::AtEnd)
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn without_a_rule_the_order_breaks_in_the_simulator_too() {
    for rule in [Rule::Acknowledgements, Rule::Fifo] {
        let broken = (0..10).filter(|seed| {
            let config = Config { without: Some(rule), ..Config::default() };
            let mut sim = Builder::<TotalOrder>::new(*seed, 3, config).build();
            for (at, node) in [(0, 2), (0, 3), (15, 1)] {
                sim.command_after(ms(at), NodeId(node), ask("a"));
            }
            let _ = sim.run_for(ms(1_000));
            observe(&mut sim, &mut History::default()).is_err_and(|why| why.contains("total order"))
        });
        assert!(broken.count() > 0, "{rule:?}");
    }
}

type Instance = System<TotalOrder, History>;

fn every_schedule(nodes: u64, links: Links, config: Config, crashes: u32) -> (Ended, u64, Option<String>) {
    let world: Instance = System::with_history(nodes, config).network(links).crashes(crashes);
    let world = (1..=2).fold(world, |world, node| world.command(NodeId(node), ask("a"), 1));
    let mut checker = Checker::new(&world)
        .reachable("a process delivers both", |world, state| world.view(state).history().delivered(NodeId(1)) == 2);
    for property in properties::<TotalOrder>().into_iter().filter(|property| property.when == When::Always) {
        checker = checker.invariant(property.name, move |world, state| {
            let view = world.view(state);
            let nodes: Vec<_> = view.nodes().collect();
            (property.holds)(&Picture { nodes: &nodes, history: view.history() }).is_ok()
        });
    }
    let report = checker.run();
    println!("{report}");
    (report.ended, report.states, report.violation.map(|violation| violation.property))
}

#[test]
fn every_schedule_of_a_small_group() {
    let config = Config::default();
    for sender_acknowledges in [true, false] {
        let config = Config { sender_acknowledges, ..config };
        let (ended, _, broken) = every_schedule(2, Links::ordered(), config, 1);
        assert_eq!((ended, broken), (Ended::Exhausted, None));
    }
    let (ended, states, broken) = every_schedule(3, Links::ordered(), config, 0);
    assert_eq!((ended, broken), (Ended::Exhausted, None), "{states} states");
    for (links, without) in [
        (Links::unordered(), None),
        (Links::ordered(), Some(Rule::Fifo)),
        (Links::ordered(), Some(Rule::Acknowledgements)),
    ] {
        let (_, _, broken) = every_schedule(2, links, Config { without, ..config }, 0);
        assert_eq!(broken.as_deref(), Some("total order"), "{links:?} {without:?}");
    }
}

fn examples() -> [Message; 3] {
    let stamp = Stamp { time: Time(300), process: TWO };
    [
        Message::Multicast { stamp, text: line("pay in 100") },
        Message::Multicast { stamp, text: line(&"x".repeat(TEXT_MAX)) },
        Message::Ack { time: Time(1 << 40) },
    ]
}

#[test]
fn messages_and_commands_come_back() {
    for message in examples() {
        assert_eq!(decode_all::<Message>(&message.to_bytes()), Ok(message));
    }
    for text in ["multicast a", "multicast pay in 100", "multicast ü  two spaces"] {
        assert_eq!(text.parse::<Command>().map(|command| command.to_string()).as_deref(), Ok(text));
    }
    for text in ["", "multicast", "multicast ", "multicast a\nb", "enter"] {
        assert!(text.parse::<Command>().is_err(), "{text:?}");
    }
}

/// A faulty peer must not drive the clocks of the others to a stamp without a successor.
#[test]
fn a_time_beyond_the_last_is_refused() {
    let bytes = Message::Ack { time: Time(1 << 62) }.to_bytes();
    assert_eq!(decode_all::<Message>(&bytes), Err(DecodeError::Invalid("time of a multicast")));
    let last = Message::Ack { time: Time((1 << 62) - 1) };
    assert_eq!(decode_all::<Message>(&last.to_bytes()), Ok(last));
}

#[test]
fn hostile_bytes_are_refused_and_never_panic() {
    let mut rng = Rng::new(11);
    let mut refused = 0;
    for _ in 0..50_000 {
        let mut bytes = examples()[2 * rng.below(2) as usize].to_bytes();
        for _ in 0..rng.between(1, 3) {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] = rng.next_u64() as u8;
        }
        bytes.truncate(rng.between(0, bytes.len() as u64) as usize);
        match decode_all::<Message>(&bytes) {
            Ok(message) => assert_eq!(decode_all(&message.to_bytes()), Ok(message)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn the_scripts_print_what_they_say() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    volvox_sim::script::check_folder::<TotalOrder>(scripts, |_, _| Config::default());
}

//! Chandy and Lamport's snapshots of a bank: rule by rule, over faulty networks, and in every schedule of a small bank.

mod theorem;

use volvox_channel::{Channel, Config as Over, Limits};
use volvox_check::{Checker, Ended, Network as Links, System};
use volvox_core::fault::LinkFault;
use volvox_core::{Boot, Duration, Encode, NodeId, Picture, Process, Rng, Serial, When, decode_all};
use volvox_sim::restarts::Restarts;
use volvox_sim::script::Order;
use volvox_sim::{Builder, FaultPlan, FaultWeights, Happening, Latency, Network, Simulation, run_seed};
use volvox_snapshot::bank::{self, Bank};
use volvox_snapshot::chandy_lamport::{
    BankEvent, ChandyLamport, Command, Config, Event, Graph, History, Message, Rule, SNAPSHOTS_MAX, SnapshotId,
    properties,
};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

type Branch = ChandyLamport<Bank>;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn config(graph: Graph, without: Option<Rule>) -> Config<bank::Config> {
    Config { application: bank::Config::default(), graph, without }
}

fn world(nodes: u64, graph: Graph) -> Simulation<Branch> {
    Builder::new(1, nodes, config(graph, None)).latency(Latency::Constant(ms(1))).build()
}

fn ask(text: &str) -> Command<bank::Command> {
    text.parse().expect("a command")
}

fn told<P: Process<Event = BankEvent> + 'static>(sim: &mut Simulation<P>) -> Vec<(NodeId, BankEvent)> {
    sim.happened()
        .filter_map(|one| match one.what {
            Happening::Event(event) => Some((one.node, event)),
            _ => None,
        })
        .collect()
}

/// Adds the new events to the history; then evaluates every property of this kind.
fn judge<P: Process<Event = BankEvent> + 'static>(
    sim: &mut Simulation<P>,
    history: &mut History,
    when: When,
) -> Result<(), String> {
    for (node, event) in told(sim) {
        volvox_core::History::<P>::on_event(history, node, &event);
    }
    let nodes: Vec<_> = sim.live().collect();
    let picture = Picture { nodes: &nodes, history };
    for property in properties::<P>().into_iter().filter(|property| property.when == when) {
        (property.holds)(&picture).map_err(|why| format!("{}: {why}", property.name))?;
    }
    Ok(())
}

/// The run of the chapter: 3.2, both rules.
#[test]
fn what_is_under_way_is_recorded() {
    let mut sim = world(2, Graph::Mesh);
    sim.command(ONE, ask("pay 10 to n2"));
    sim.command(TWO, ask("pay 20 to n1"));
    sim.command(ONE, ask("snapshot"));
    let _ = sim.run_for(ms(10));
    let texts: Vec<String> = told(&mut sim)
        .iter()
        .filter(|(_, event)| !matches!(event, Event::Application(_)))
        .map(|(node, event)| format!("{node} {event}"))
        .collect();
    assert_eq!(
        texts,
        [
            "n1 snapshot n1#1: balance 90",
            "n2 snapshot n1#1: balance 90",
            "n2 snapshot n1#1: channel from n1: empty",
            "n2 snapshot n1#1: complete",
            "n1 snapshot n1#1: channel from n2: [Payment 20]",
            "n1 snapshot n1#1: complete",
        ]
    );
}

/// Q-ORD-5 and Q-ORD-6: one marker on each channel; complete one delay after the farthest recorded.
#[test]
fn one_marker_on_each_channel_whatever_the_graph() {
    for (graph, nodes, markers, complete_at) in
        [(Graph::Mesh, 5, 20, 2), (Graph::Line, 5, 8, 5), (Graph::Ring, 5, 5, 5), (Graph::Mesh, 1, 0, 0)]
    {
        let mut sim = world(nodes, graph);
        sim.command(ONE, ask("snapshot"));
        let mut history = History::default();
        let _ = sim.run_for(ms(complete_at));
        assert_eq!(judge(&mut sim, &mut history, When::AtEnd), Ok(()), "{graph:?}");
        assert_eq!((sim.statistics().kinds.of("Marker"), history.complete()), (markers, 1), "{graph:?}");
    }
}

#[test]
fn several_beginners_at_once_are_told_apart() {
    let mut sim = world(4, Graph::Mesh);
    for node in 1..=4 {
        sim.command(NodeId(node), ask("snapshot"));
        sim.command(NodeId(node), ask(&format!("pay 5 to n{}", node % 4 + 1)));
        sim.command(NodeId(node), ask("snapshot"));
    }
    let mut history = History::default();
    let _ = sim.run_for(ms(10));
    for when in [When::Always, When::AtEnd] {
        assert_eq!(judge(&mut sim, &mut history, when), Ok(()));
    }
    assert_eq!((history.begun(), history.complete()), (8, 8));
    assert!(sim.live().all(|(_, node)| node.recording() == 0));
}

#[test]
fn too_many_snapshots_are_refused_and_strangers_ignored() {
    let mut sim = world(2, Graph::Mesh);
    let _ = sim.run_for(ms(1));
    sim.apply_fault(&"crash 2".parse().expect("a fault"));
    for _ in 0..SNAPSHOTS_MAX + 3 {
        sim.command(ONE, ask("snapshot"));
    }
    sim.command(ONE, ask("pay 101 to n2"));
    sim.command(ONE, ask("pay 1 to n1"));
    sim.command(ONE, ask("pay 1 to n9"));
    let _ = sim.run_for(ms(10));
    assert_eq!(sim.statistics().notes.of("refused: too many snapshots are in progress"), 3);
    assert_eq!(sim.statistics().notes.of("refused: no such branch, or not enough money"), 3);
    assert_eq!(sim.node(ONE).map(|node| (node.recording(), node.application().balance())), Some((SNAPSHOTS_MAX, 100)));

    let mut node = Branch::new(ONE, &[ONE, TWO], &config(Graph::Mesh, None));
    let mut environment =
        volvox_core::Environment::new(ONE, volvox_core::Incarnation(1), volvox_core::Position::NONE, &Rng::new(1));
    let mut effects = Vec::new();
    let first = Serial::first_boot(1);
    let marker = |beginner: u64| Message::Marker(SnapshotId { beginner: NodeId(beginner), number: first });
    for (from, message) in [
        (NodeId(9), marker(9)),
        (NodeId(9), Message::Application(bank::Message(5))),
        (TWO, marker(9)),
        // A snapshot of its own, begun by an earlier boot.
        (TWO, marker(1)),
        (TWO, Message::Application(bank::Message(u64::MAX))),
    ] {
        node.on_message(from, message, &mut volvox_core::Context::new(&mut environment, &mut effects));
    }
    assert!(effects.iter().all(|effect| matches!(effect, volvox_core::Effect::Note(_))), "{effects:?}");
}

/// Payments everywhere, with occasional snapshots.
fn busy<P>(sim: &mut Simulation<P>, nodes: u64, snapshots: u64)
where
    P: Process<Command = Command<bank::Command>> + 'static,
{
    let mut rng = sim.rng(0);
    for number in 0..60 + snapshots {
        let (at, node) = (ms(rng.below(1_000)), rng.between(1, nodes));
        let to = NodeId(node % nodes + 1);
        let pay = Command::Application(bank::Command::Pay { amount: rng.between(1, 9), to });
        sim.command_after(at, NodeId(node), if number < snapshots { Command::Snapshot } else { pay });
    }
}

#[test]
fn no_snapshot_makes_or_loses_money_whatever_the_network_does() {
    let mut under_way = 0;
    for seed in 0..30 {
        let outcome = run_seed("cargo test -p volvox-snapshot no_snapshot_makes", seed, 80, |seed, ring| {
            let weights = FaultWeights { pause: 2, skew: 1, drift: 1, ..FaultWeights::NETWORK };
            let plan = FaultPlan { weights, from: ms(0), until: ms(1_000), ..FaultPlan::default() };
            let fault =
                LinkFault { loss_ppm: 50_000, duplicate_ppm: 50_000, reorder_ppm: 50_000, ..LinkFault::default() };
            let nodes = 2 + seed % 4;
            let config = Over { child: config(Graph::Mesh, None), limits: Limits::default() };
            let mut sim = Builder::<Channel<Branch>>::new(seed, nodes, config)
                .network(Network { fault, ordered: false, ..Network::default() })
                .faults(plan)
                .trace(ring)
                .build();
            busy(&mut sim, nodes, 8);
            let mut history = History::default();
            for _ in 0..600 {
                let _ = sim.run_for(ms(100));
                judge(&mut sim, &mut history, When::Always)?;
                if history.begun() == 8 && judge(&mut sim, &mut history, When::AtEnd).is_ok() {
                    return Ok(history.under_way());
                }
            }
            judge(&mut sim, &mut history, When::AtEnd).map(|()| history.under_way())
        });
        under_way += outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(under_way > 100, "channels were empty: nothing was shown of them");
}

#[test]
fn a_beginner_that_restarted_amid_its_snapshot_begins_others_that_complete() {
    let commands = [(ONE, ask("snapshot")), (TWO, ask("snapshot"))];
    let restarts = Restarts { nodes: 3, order: Order::Strict, commands: &commands, steps: 300 };
    let run = |seed, without| -> Result<u32, String> {
        let config = config(Graph::Mesh, without);
        let mut outcome = restarts.run::<Branch, History>(seed, move |_, _| config, &properties())?;
        outcome.settle(&properties())?;
        for beginner in [ONE, TWO] {
            let before = outcome.history.complete();
            outcome
                .act(volvox_sim::script::What::Command { node: beginner, command: ask("snapshot") }, &properties())?;
            outcome.settle(&properties())?;
            if outcome.history.complete() != before + 1 {
                return Err(format!("the snapshot of {beginner} does not complete"));
            }
        }
        Ok(outcome.amid_a_question)
    };
    let mut amid = 0;
    for seed in 0..100 {
        amid += run(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
    assert!(amid > 100, "{amid} restarts amid a snapshot");
    assert!(
        (0..100).any(|seed| run(seed, Some(Rule::Unique)).is_err_and(|wrong| wrong.ends_with("does not complete")))
    );
}

#[test]
fn without_a_rule_a_snapshot_is_wrong_in_the_simulator_too() {
    for (rule, property) in [
        (Rule::MarkerFirst, "consistent cut"),
        (Rule::Fifo, "channel states"),
        (Rule::ChannelState, "channel states"),
        (Rule::PassOn, "termination"),
    ] {
        let broken = (0..10).filter(|seed| {
            let mut sim = Builder::<Branch>::new(*seed, 3, config(Graph::Mesh, Some(rule))).build();
            busy(&mut sim, 3, 8);
            let _ = sim.run_for(ms(3_000));
            let mut history = History::default();
            let verdict =
                judge(&mut sim, &mut history, When::Always).and_then(|()| judge(&mut sim, &mut history, When::AtEnd));
            verdict.is_err_and(|why| why.contains(property))
        });
        assert!(broken.count() > 0, "{rule:?}");
    }
}

fn every_schedule(
    nodes: u64,
    links: Links,
    without: Option<Rule>,
    beginners: u64,
) -> (Ended, u64, Option<(String, usize)>) {
    let world: System<Branch, History> = System::with_history(nodes, config(Graph::Mesh, without)).network(links);
    let world = (1..=2)
        .fold(world, |world, node| world.command(NodeId(node), ask(&format!("pay 1 to n{}", node % nodes + 1)), 1));
    let world = (1..=beginners).fold(world, |world, node| world.command(NodeId(node), ask("snapshot"), 1));
    let mut checker = Checker::new(&world).leads_to(
        "termination",
        |world, state| world.view(state).history().begun() > 0,
        |world, state| world.view(state).history().complete() == world.view(state).history().begun(),
    );
    for property in properties::<Branch>().into_iter().filter(|property| property.when == When::Always) {
        checker = checker.invariant(property.name, move |world, state| {
            let view = world.view(state);
            let nodes: Vec<_> = view.nodes().collect();
            (property.holds)(&Picture { nodes: &nodes, history: view.history() }).is_ok()
        });
    }
    let report = checker.run();
    println!("{report}");
    (report.ended, report.states, report.violation.map(|found| (found.property.clone(), found.actions().len())))
}

#[test]
fn every_schedule_of_a_small_bank() {
    for (nodes, beginners) in [(2, 2), (3, 1)] {
        let (ended, _, broken) = every_schedule(nodes, Links::ordered(), None, beginners);
        assert_eq!((ended, broken), (Ended::Exhausted, None));
    }
    for (nodes, links, without, property) in [
        (2, Links::unordered(), None, "channel states"),
        (2, Links::ordered(), Some(Rule::MarkerFirst), "consistent cut"),
        (2, Links::ordered(), Some(Rule::Fifo), "channel states"),
        (2, Links::ordered(), Some(Rule::ChannelState), "channel states"),
        (2, Links::ordered(), Some(Rule::PassOn), "termination"),
        // No marker separates what n2 sends to n3 after it recorded from what it sent before.
        (3, Links::ordered(), Some(Rule::PassOn), "consistent cut"),
    ] {
        let (_, _, broken) = every_schedule(nodes, links, without, 1);
        assert_eq!(broken.map(|(name, _)| name).as_deref(), Some(property), "{links:?} {without:?}");
    }
}

#[test]
fn messages_and_commands_come_back() {
    for message in examples() {
        assert_eq!(decode_all::<Message<bank::Message>>(&message.to_bytes()), Ok(message));
    }
    for text in ["snapshot", "pay 10 to n2", "pay 0 to n18446744073709551615"] {
        assert_eq!(text.parse::<Command<bank::Command>>().map(|ask| ask.to_string()).as_deref(), Ok(text));
    }
    for text in ["", "snapshots", "pay", "pay 10", "pay 10 to", "pay ten to n2", "pay -1 to n2", "pay 1 to +2"] {
        assert!(text.parse::<Command<bank::Command>>().is_err(), "{text:?}");
    }
}

fn examples() -> [Message<bank::Message>; 2] {
    [
        Message::Marker(SnapshotId { beginner: NodeId(300), number: Serial { boot: Boot(300), count: 1 << 40 } }),
        Message::Application(bank::Message(1_000_000)),
    ]
}

#[test]
fn hostile_bytes_are_refused_and_never_panic() {
    let mut rng = Rng::new(11);
    let mut refused = 0;
    for _ in 0..50_000 {
        let mut bytes = examples()[rng.below(2) as usize].to_bytes();
        for _ in 0..rng.between(1, 3) {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] = rng.next_u64() as u8;
        }
        bytes.truncate(rng.between(0, bytes.len() as u64) as usize);
        match decode_all::<Message<bank::Message>>(&bytes) {
            Ok(message) => assert_eq!(decode_all(&message.to_bytes()), Ok(message)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn the_scripts_print_what_they_say() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    volvox_sim::script::check_folder::<Branch>(scripts, |_, _| config(Graph::Mesh, None));
}

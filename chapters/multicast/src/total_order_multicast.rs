//! Lamport's totally ordered multicast: over a channel where links lose, by itself where they are FIFO.

use std::fmt::Debug;
use volvox_channel::{Channel, Limits};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Process, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, Described, FaultPlan, FaultWeights, Happening, Latency, Simulation};
use volvox_multicast::total_order::{self as protocol, Command, Config, Event, History, TotalOrder};

/// The chapter.
pub struct TotalOrderMulticast;

static CARD: Card = Card {
    id: "total-order-multicast",
    title: "Totally ordered multicast after Lamport",
    mechanisms: &["ORD-03"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Lamport: Time, clocks, and the ordering of events in a distributed system, CACM 21(7), 1978",
    reading: Reading {
        needs: &["channels", "lamport-clocks"],
        level: Level::Day,
        teaches: "one order everywhere, from stamps and acknowledgements",
    },
    questions: include_str!("../../../book/src/questions/total-order-multicast.md"),
    source: include_str!("../../../crates/multicast/src/total_order/mod.rs"),
    nodes: Nodes { least: 2, most: 32, default: 3 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/total-order-multicast.txt"),
    golden: &[
        Golden {
            name: "01-two-at-once.txt",
            text: include_str!("../../../crates/multicast/tests/scripts/01-two-at-once.txt"),
        },
        Golden {
            name: "02-links-without-order.txt",
            text: include_str!("../../../crates/multicast/tests/scripts/02-links-without-order.txt"),
        },
    ],
};

impl Chapter for TotalOrderMulticast {
    type Process = Channel<TotalOrder>;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> volvox_channel::Config<Config> {
        let without = settings.without.and_then(protocol::Rule::named);
        volvox_channel::Config { child: Config { without, ..Config::default() }, limits: Limits::default() }
    }

    fn properties() -> Vec<Property<Channel<TotalOrder>, History>> {
        protocol::properties()
    }

    fn carried(message: &<Self::Process as Process>::Message) -> Option<&dyn Described> {
        match message {
            volvox_channel::Message::Data { payload, .. } => Some(payload),
            _ => None,
        }
    }

    fn carried_timer(timer: &<Self::Process as Process>::Timer) -> Option<&dyn Debug> {
        match timer {
            volvox_channel::Timer::Child(timer) => Some(timer),
            volvox_channel::Timer::Repeat(_) => None,
        }
    }

    fn state(process: &Channel<TotalOrder>) -> String {
        match process.child().waiting() {
            0 => String::new(),
            waiting => format!("{waiting} wait"),
        }
    }

    /// All faults of the network, and nodes that pause: the channel provides FIFO links. No crash, which stops all
    /// others.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: Duration::ZERO,
            until: ms(800),
            every: Latency::Exponential { minimum: ms(5), mean: ms(60) },
            lasting: Latency::Exponential { minimum: ms(5), mean: ms(150) },
            weights: FaultWeights { pause: 2, skew: 1, drift: 1, ..FaultWeights::NETWORK },
            link: LinkFault {
                delay: ms(50),
                loss_ppm: 200_000,
                duplicate_ppm: 100_000,
                reorder_ppm: 200_000,
                ..LinkFault::default()
            },
            ..FaultPlan::default()
        }
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

static MODELS: [CheckedModel; 7] = [
    CheckedModel {
        name: "three nodes, two multicasts, one crash",
        text: "lossless FIFO links; a crash at any moment, for good: there is one order of delivery",
        expects: Expects::Holds { states: 32_388 },
        explore: || {
            let world = system(3, &[1, 2], Network::ordered(), Config::default()).crashes(1);
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "three nodes, one multicast each",
        text: "lossless FIFO links; no crash: with one there are 5.7 million states",
        expects: Expects::Holds { states: 968_777 },
        explore: || {
            let world = system(3, &[1, 2, 3], Network::ordered(), Config::default());
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "three nodes, two multicasts, every node delivers",
        text: "lossless FIFO links; no crash: after one, nothing is delivered any more",
        expects: Expects::Holds { states: 5_241 },
        explore: || live(&system(3, &[1, 2], Network::ordered(), Config::default())),
    },
    CheckedModel {
        name: "two nodes, four multicasts, the sender acknowledges",
        text: "FIFO links; two multicasts each, causes before effects; one crash",
        expects: Expects::Holds { states: 17_594 },
        explore: || {
            let config = Config { sender_acknowledges: true, without: None };
            let world = system(2, &[1, 1, 2, 2], Network::ordered(), config).crashes(1);
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "over links without order",
        text: "two nodes, one multicast each, no rule of the protocol removed: the links are not FIFO",
        expects: Expects::Counterexample { property: "total order", steps: 4 },
        explore: || {
            let world = system(2, &[1, 2], Network::unordered(), Config::default());
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "without fifo",
        text: "two nodes, one multicast each: messages are sent after later acknowledgements",
        expects: Expects::Counterexample { property: "total order", steps: 5 },
        explore: || without(protocol::Rule::Fifo),
    },
    CheckedModel {
        name: "without acknowledgements",
        text: "two nodes, one multicast each",
        expects: Expects::Counterexample { property: "total order", steps: 2 },
        explore: || without(protocol::Rule::Acknowledgements),
    },
];

type Instance = System<TotalOrder, History>;

/// `nodes` nodes; each of `senders` multicasts once for each time that it is named.
fn system(nodes: u64, senders: &[u64], network: Network, config: Config) -> Instance {
    let system = System::with_history(nodes, config).network(network);
    (1..=nodes).fold(system, |system, node| {
        let times = senders.iter().filter(|sender| **sender == node).count() as u32;
        if times == 0 { system } else { system.command(NodeId(node), multicast(), times) }
    })
}

fn multicast() -> Command {
    Command::Multicast("m".parse().expect("a line"))
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &protocol::properties()).reachable("a node delivers two messages", |world, state| {
        let view = world.view(state);
        view.nodes().any(|(id, _)| view.history().delivered(id) >= 2)
    })
}

fn live(world: &Instance) -> Explored {
    let checker = (1..=3).fold(safe(world), |checker, node| {
        checker.leads_to(
            "validity",
            |world, state| world.view(state).history().multicasts() == 2,
            move |world, state| world.view(state).history().delivered(NodeId(node)) == 2,
        )
    });
    explore(world, checker)
}

fn without(rule: protocol::Rule) -> Explored {
    let config = Config { without: Some(rule), ..Config::default() };
    let world = system(2, &[1, 2], Network::ordered(), config);
    explore(&world, safe(&world))
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ORD-1",
    text: "totally ordered multicast: (N-1)+N(N-1) messages if all acknowledge, N(N-1) if the message counts as its \
           sender's acknowledgement",
    measure: || costs(None),
    breakage: "no node acknowledges, and none waits",
    measure_broken: || costs(Some(protocol::Rule::Acknowledgements)),
    plot: Some(|rows| {
        let (values, names) = (&[3.0, 5.0, 8.0], &["all acknowledge", "sender's is implied"]);
        Against {
            title: "Totally ordered multicast",
            x_label: "processes N",
            y_label: "messages per multicast",
            values,
            names,
        }
        .svg(rows)
    }),
}];

const MULTICASTS: u64 = 100;

/// Messages of a multicast, over links that are FIFO by themselves: a channel would add its own.
fn costs(without: Option<protocol::Rule>) -> Vec<Row> {
    let mut rows = Vec::new();
    for nodes in [3, 5, 8] {
        for (sender_acknowledges, expected) in [(true, nodes - 1 + nodes * (nodes - 1)), (false, nodes * (nodes - 1))] {
            let config = Config { sender_acknowledges, without };
            let mut sim: Simulation<TotalOrder> = Builder::new(7, nodes, config).build();
            let mut rng = sim.rng(0);
            for _ in 0..MULTICASTS {
                let at = Duration::from_millis(rng.below(1_000));
                sim.command_after(at, NodeId(rng.between(1, nodes)), multicast());
            }
            let _ = sim.run_for(Duration::from_secs(10));
            let is_delivery = |what| matches!(what, Happening::Event(Event::Delivered { .. }));
            let delivered = sim.happened().filter(|one| is_delivery(one.what.clone())).count() as u64 / nodes;
            let acknowledging = if sender_acknowledges { "all acknowledge" } else { "the message acknowledges" };
            rows.push(Row {
                label: format!("N={nodes}, {acknowledging}"),
                expected: expected as f64,
                measured: sim.statistics().sent as f64 / delivered.max(1) as f64,
                tolerance: Tolerance::Exact,
                unit: "messages per multicast",
                over: format!("{delivered} multicasts that every node delivered"),
            });
        }
    }
    rows
}

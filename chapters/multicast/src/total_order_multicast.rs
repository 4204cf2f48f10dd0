//! Lamport's totally ordered multicast: over a channel where links lose, by itself where they are FIFO.

use std::fmt::Debug;
use volvox_channel::{Channel, Limits};
use volvox_core::erased::AnyProcess;
use volvox_core::{Duration, NodeId, Process, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, Described, FaultPlan, Happening, Simulation};
use volvox_multicast::total_order::{self as protocol, Command, Config, Event, History, TotalOrder};

/// The chapter.
pub struct TotalOrderMulticast;

static CARD: Card = Card {
    title: "Totally ordered multicast after Lamport",
    mechanisms: &["ORD-03"],
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
    ..found!("total-order-multicast")
};

impl Chapter for TotalOrderMulticast {
    type Process = Channel<TotalOrder>;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> volvox_channel::Config<Config> {
        let without = settings.without.and_then(protocol::Rule::named);
        volvox_channel::Config { child: Config { without, ..Config::default() }, limits: Limits::default() }
    }

    fn properties() -> Vec<Property<Channel<TotalOrder>, History>> {
        protocol::properties()
    }

    fn carried(message: &<Self::Process as Process>::Message) -> Option<&dyn Described> {
        message.carried().map(|message| message as _)
    }

    fn carried_timer(timer: &<Self::Process as Process>::Timer) -> Option<&dyn Debug> {
        timer.carried().map(|timer| timer as _)
    }

    fn state(process: &Channel<TotalOrder>) -> NodeState {
        state(process.child())
    }

    fn state_in_model(process: &AnyProcess) -> NodeState {
        process.get().map_or_else(NodeState::default, state)
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["total order", "integrity", "causal order", "validity"],
            "a restarted process is unknown to its own group.",
        )
    }

    /// All faults of the network, and nodes that pause: the channel provides FIFO links. No crash, which stops all
    /// others.
    fn faults(_: &Settings) -> FaultPlan {
        plans::network_and_pauses()
    }
}

fn state(process: &TotalOrder) -> NodeState {
    match process.waiting() {
        0 => NodeState::default(),
        waiting => NodeState::plain(format_args!("{waiting} wait")),
    }
}

static MODELS: [CheckedModel; 7] = [
    CheckedModel {
        name: "three nodes, two multicasts, one crash",
        text: "lossless FIFO links; a crash at any moment, for good: there is one order of delivery",
        expects: Expects::Holds { states: 32_388 },
        explore: || Bounds { crashes: 1, ..THREE }.explored(None),
    },
    CheckedModel {
        name: "three nodes, one multicast each",
        text: "lossless FIFO links; no crash: with one there are 5.7 million states",
        expects: Expects::Holds { states: 968_777 },
        explore: || {
            let world = Bounds { senders: 3, ..THREE }.world(None);
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "three nodes, two multicasts, every node delivers",
        text: "lossless FIFO links; no crash: after one, nothing is delivered any more",
        expects: Expects::Holds { states: 5_241 },
        explore: || THREE.explored(None),
    },
    CheckedModel {
        name: "two nodes, four multicasts, the sender acknowledges",
        text: "FIFO links; two multicasts each, causes before effects; one crash",
        expects: Expects::Holds { states: 17_594 },
        explore: || {
            let two = Bounds { nodes: 2, multicasts: 2, crashes: 1, ..THREE };
            let world = two.configured(Config { sender_acknowledges: true, without: None });
            explore(&world, safe(&world))
        },
    },
    CheckedModel {
        name: "over links without order",
        text: "two nodes, one multicast each, no rule of the protocol removed: the links are not FIFO",
        expects: Expects::Counterexample { property: "total order", steps: 4 },
        explore: || Bounds { nodes: 2, order: Order::Unordered, ..THREE }.explored(None),
    },
    CheckedModel {
        name: "without fifo",
        text: "two nodes, one multicast each: messages are sent after later acknowledgements",
        expects: Expects::Without { rule: "fifo", property: "total order", steps: 5 },
        explore: || Bounds { nodes: 2, ..THREE }.explored(Some(protocol::Rule::Fifo)),
    },
    CheckedModel {
        name: "without acknowledgements",
        text: "two nodes, one multicast each",
        expects: Expects::Without { rule: "acknowledgements", property: "total order", steps: 2 },
        explore: || Bounds { nodes: 2, ..THREE }.explored(Some(protocol::Rule::Acknowledgements)),
    },
];

type Instance = System<TotalOrder, History>;

bounds! {
    /// Nodes of which the first ones multicast.
    struct Bounds;
    nodes: u64 = 3, "that deliver" in 2..=4 nodes;
    senders: u64 = 2, "that multicast: the first ones" in 1..=4 nodes;
    multicasts: u32 = 1, "of each of these" in 1..=3 messages;
    crashes: u32 = 0, "of nodes, for good; with one, only safety is asked" in 0..=2 crashes;
    order: Order = Order::Fifo, "in which the messages of a link arrive";
}

const THREE: Bounds = Bounds { nodes: 3, senders: 2, multicasts: 1, crashes: 0, order: Order::Fifo };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, senders, .. } = self;
        (senders > nodes).then(|| format!("--nodes {nodes} and --senders {senders} contradict one another"))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn configured(self, config: Config) -> Instance {
        let system = System::with_history(self.nodes, config).network(self.order.network()).crashes(self.crashes);
        (1..=self.senders).fold(system, |system, node| system.command(NodeId(node), multicast(), self.multicasts))
    }

    fn world(self, without: Option<protocol::Rule>) -> Instance {
        self.configured(Config { without, ..Config::default() })
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let (world, count) = (self.world(without), self.senders * u64::from(self.multicasts));
        if self.crashes > 0 || count < 2 {
            return explore(&world, safe(&world));
        }
        let checker = (1..=self.nodes).fold(safe(&world), |checker, node| {
            checker.leads_to(
                "validity",
                move |world, state| world.view(state).history().multicasts() as u64 == count,
                move |world, state| world.view(state).history().delivered(NodeId(node)) as u64 == count,
            )
        });
        explore(&world, checker)
    }
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

//! Chandy and Lamport's snapshots of a bank: over a channel where links lose, by themselves where they are FIFO.

use std::fmt::Debug;
use volvox_channel::{Channel, Limits};
use volvox_core::erased::AnyProcess;
use volvox_core::{Duration, NodeId, Process, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, Described, FaultPlan, Happening, Latency, Simulation};
use volvox_lab::{bounds, words};
use volvox_snapshot::bank::{self, Bank};
use volvox_snapshot::chandy_lamport::{self as protocol, Command, Config, Event, Graph, History};

type Branch = protocol::ChandyLamport<Bank>;
type BankConfig = Config<volvox_snapshot::bank::Config>;

/// The chapter.
pub struct ChandyLamport;

static CARD: Card = Card {
    title: "Distributed snapshots after Chandy and Lamport",
    mechanisms: &["ORD-09"],
    reference: "Chandy and Lamport: Distributed snapshots: determining global states of distributed systems, \
                ACM TOCS 3(1), 1985, sections 3.2 and 4",
    reading: Reading {
        needs: &["channels", "lamport-clocks"],
        level: Level::Day,
        teaches: "a global state that no node ever saw, and that is consistent all the same",
    },
    questions: include_str!("../../../book/src/questions/chandy-lamport.md"),
    source: include_str!("../../../crates/snapshot/src/chandy_lamport/mod.rs"),
    nodes: Nodes { least: 2, most: 32, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("chandy-lamport")
};

impl Chapter for ChandyLamport {
    type Process = Channel<Branch>;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> volvox_channel::Config<BankConfig> {
        let without = settings.without.and_then(protocol::Rule::named);
        volvox_channel::Config { child: Config { without, ..Config::default() }, limits: Limits::default() }
    }

    fn properties() -> Vec<Property<Channel<Branch>, History>> {
        protocol::properties()
    }

    fn carried(message: &<Self::Process as Process>::Message) -> Option<&dyn Described> {
        message.carried().map(|message| message as _)
    }

    fn carried_timer(timer: &<Self::Process as Process>::Timer) -> Option<&dyn Debug> {
        timer.carried().map(|timer| timer as _)
    }

    fn state(process: &Channel<Branch>) -> NodeState {
        state(process.child())
    }

    fn state_in_model(process: &AnyProcess) -> NodeState {
        process.get().map_or_else(NodeState::default, state)
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["consistent cut", "channel states", "termination"],
            "A process that crashes prevents every snapshot in progress from completing",
        )
    }

    /// All faults of the network, and nodes that pause: the channel provides FIFO links. No crash, which prevents every
    /// snapshot in progress from completing.
    fn faults(_: &Settings) -> FaultPlan {
        plans::network_and_pauses()
    }
}

fn state(branch: &Branch) -> NodeState {
    let balance = branch.application().balance();
    let records = if branch.recording() == 0 { "" } else { ", records" };
    NodeState::plain(format_args!("{balance}{records}"))
}

static MODELS: [CheckedModel; 11] = [
    CheckedModel {
        name: "three branches, four payments, a snapshot",
        text: "lossless FIFO channels in a full mesh; the snapshot completes. No crash: it would prevent that",
        expects: Expects::Holds { states: 18_753 },
        explore: || live(&system(3, Graph::Mesh, &[(1, 2), (2, 3), (3, 1), (2, 1)], &[1])),
    },
    CheckedModel {
        name: "three branches, two payments, two snapshots at once",
        text: "lossless FIFO channels in a full mesh; two begin; both complete",
        expects: Expects::Holds { states: 47_097 },
        explore: || live(&system(3, Graph::Mesh, &[(1, 2), (2, 3)], &[1, 3])),
    },
    CheckedModel {
        name: "four branches in a ring, four payments, a snapshot",
        text: "a channel only from each to the next: the graph is just strongly connected; the snapshot completes",
        expects: Expects::Holds { states: 1_313 },
        explore: || live(&system(4, Graph::Ring, &[(1, 2), (2, 3), (3, 4), (4, 1)], &[2])),
    },
    CheckedModel {
        name: "three branches, one crash",
        text: "FIFO channels; a crash at any moment, for good: the recorded state is still consistent",
        expects: Expects::Holds { states: 7_257 },
        explore: || Bounds { crashes: 1, ..THREE }.explored(None),
    },
    CheckedModel {
        name: "three branches, an initiator restarts",
        text: "FIFO channels; no payments; n1 begins two snapshots, with a crash and a restart at any moment: what n1 begins \
               after its return completes",
        expects: Expects::Holds { states: 18_112 },
        explore: || returning(None),
    },
    CheckedModel {
        name: "over channels without order",
        text: "two branches, a payment, a snapshot, no rule of the protocol removed: the links are not FIFO",
        expects: Expects::Counterexample { property: "channel states", steps: 3 },
        explore: || Bounds { nodes: 2, payments: 1, order: Order::Unordered, ..THREE }.explored(None),
    },
    CheckedModel {
        name: "without marker-first",
        text: "two branches, a payment, a snapshot: payments sent after the recording overtake the marker",
        expects: Expects::Without { rule: "marker-first", property: "consistent cut", steps: 5 },
        explore: || Bounds { nodes: 2, ..THREE }.explored(Some(protocol::Rule::MarkerFirst)),
    },
    CheckedModel {
        name: "without fifo",
        text: "two branches, a payment, a snapshot: payments are sent after the marker",
        expects: Expects::Without { rule: "fifo", property: "channel states", steps: 3 },
        explore: || Bounds { nodes: 2, ..THREE }.explored(Some(protocol::Rule::Fifo)),
    },
    CheckedModel {
        name: "without channel-state",
        text: "two branches, one payment each, a snapshot",
        expects: Expects::Without { rule: "channel-state", property: "channel states", steps: 5 },
        explore: || Bounds { nodes: 2, ..THREE }.explored(Some(protocol::Rule::ChannelState)),
    },
    CheckedModel {
        name: "without pass-on",
        text: "three branches: no marker separates what n2 sends to n3 after it recorded from what it sent before",
        expects: Expects::Without { rule: "pass-on", property: "consistent cut", steps: 5 },
        explore: || THREE.explored(Some(protocol::Rule::PassOn)),
    },
    CheckedModel {
        name: "without unique",
        text: "as \"an initiator restarts\": its markers are those of a finished snapshot",
        expects: Expects::Without { rule: "unique", property: "a snapshot begun after a restart completes", steps: 9 },
        explore: || returning(Some(protocol::Rule::Unique)),
    },
];

type Instance = System<Branch, History>;

fn configured(nodes: u64, config: BankConfig, payments: &[(u64, u64)], beginners: &[u64]) -> Instance {
    let system = System::with_history(nodes, config).network(Network::ordered()).counting_boots();
    let system = payments.iter().fold(system, |system, (from, to)| {
        system.command(NodeId(*from), Command::Application(bank::Command::Pay { amount: *from, to: NodeId(*to) }), 1)
    });
    beginners.iter().fold(system, |system, node| system.command(NodeId(*node), Command::Snapshot, 1))
}

/// This many branches with these channels, payments and initiators.
fn system(nodes: u64, graph: Graph, payments: &[(u64, u64)], beginners: &[u64]) -> Instance {
    configured(nodes, Config { graph, ..Config::default() }, payments, beginners)
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &protocol::properties())
        .reachable("money in transit is recorded", |world, state| world.view(state).history().under_way() > 0)
}

/// Safety, and that every snapshot that was begun eventually completes everywhere.
fn live(world: &Instance) -> Explored {
    explore(world, completes(safe(world)))
}

fn completes<'w>(checker: Checker<'w, Instance>) -> Checker<'w, Instance> {
    checker.leads_to(
        "termination",
        |world, state| world.view(state).history().begun() > 0,
        |world, state| world.view(state).history().complete() == world.view(state).history().begun(),
    )
}

fn returning(without: Option<protocol::Rule>) -> Explored {
    let beginner = NodeId(1);
    let world = configured(3, Config { without, ..Config::default() }, &[], &[]).crashes_and_restarts(1).command(
        beginner,
        Command::Snapshot,
        2,
    );
    let is_recording = move |world: &Instance, state: &volvox_check::State| {
        let view = world.view(state);
        view.history().has_reopened(beginner) && view.node(beginner).is_some_and(|branch| branch.recording() > 0)
    };
    let checker = hold(Checker::new(&world), &protocol::properties())
        .reachable("a snapshot completes", |world, state| world.view(state).history().complete() > 0);
    let checker = checker.leads_to("a snapshot begun after a restart completes", is_recording, move |world, state| {
        !is_recording(world, state)
    });
    explore(&world, checker)
}

words! {
    /// Which branches have channels.
    enum Channels { Mesh = "mesh", Ring = "ring" }
}

bounds! {
    /// Branches of a bank; each pays the next, one after the other, and the first ones begin snapshots.
    struct Bounds;
    nodes: u64 = 3, "that have accounts" in 2..=4 branches;
    graph: Channels = Channels::Mesh, "whether each has a channel to each, or to the next only";
    payments: u64 = 2, "by n1 to n2, n2 to n3, and so on round" in 0..=6 payments;
    snapshots: u64 = 1, "by n1, n2, and so on, at any moments" in 1..=2 snapshots;
    crashes: u32 = 0, "of branches, for good; with one, only safety is asked" in 0..=2 crashes;
    order: Order = Order::Fifo, "in which the messages of a channel arrive";
}

const THREE: Bounds =
    Bounds { nodes: 3, graph: Channels::Mesh, payments: 2, snapshots: 1, crashes: 0, order: Order::Fifo };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let graph = match self.graph {
            Channels::Mesh => Graph::Mesh,
            Channels::Ring => Graph::Ring,
        };
        let payments: Vec<_> = (0..self.payments).map(|at| (at % self.nodes + 1, (at + 1) % self.nodes + 1)).collect();
        let beginners: Vec<u64> = (1..=self.snapshots).collect();
        let world = configured(self.nodes, Config { graph, without, ..Config::default() }, &payments, &beginners)
            .network(self.order.network())
            .crashes(self.crashes);
        let checker =
            if self.payments > 0 { safe(&world) } else { hold(Checker::new(&world), &protocol::properties()) };
        explore(&world, if self.crashes > 0 { checker } else { completes(checker) })
    }
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-ORD-5",
        text: "Chandy-Lamport: exactly one marker on each channel, N(N-1) in a full mesh",
        measure: || markers(None),
        breakage: "a process that receives a marker does not forward it",
        measure_broken: || markers(Some(protocol::Rule::PassOn)),
        plot: None,
    },
    Claim {
        id: "Q-ORD-6",
        text: "Chandy-Lamport: all have recorded within diameter * delay, and are complete one delay later",
        measure: || times(None),
        breakage: "markers are not sent first, but later",
        measure_broken: || times(Some(protocol::Rule::MarkerFirst)),
        plot: None,
    },
];

const SNAPSHOTS: u64 = 50;

/// A busy bank: each branch keeps paying its neighbour, and each in turn begins a snapshot. The links are FIFO by
/// themselves, since a channel would add its own messages.
fn busy(nodes: u64, graph: Graph, without: Option<protocol::Rule>, latency: Latency) -> Simulation<Branch> {
    let config = Config { graph, without, ..Config::default() };
    let mut sim: Simulation<Branch> = Builder::new(7, nodes, config).latency(latency).build();
    let mut rng = sim.rng(0);
    for number in 0..SNAPSHOTS {
        sim.command_after(Duration::from_millis(number * 100), NodeId(number % nodes + 1), Command::Snapshot);
        for _ in 0..10 {
            // From each to the next there is a channel in every graph.
            let (at, from) = (number * 100 + rng.below(100), rng.between(1, nodes - 1));
            let pay = bank::Command::Pay { amount: rng.between(1, 5), to: NodeId(from + 1) };
            sim.command_after(Duration::from_millis(at), NodeId(from), Command::Application(pay));
        }
    }
    sim
}

fn markers(without: Option<protocol::Rule>) -> Vec<Row> {
    let latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(9));
    let graphs = [
        ("full mesh, N=5", 5, Graph::Mesh, 20),
        ("full mesh, N=8", 8, Graph::Mesh, 56),
        ("line, N=5, two channels per link", 5, Graph::Line, 8),
        ("one-way ring, N=5", 5, Graph::Ring, 5),
    ];
    let count = |(label, nodes, graph, expected): (&str, u64, Graph, u64)| {
        let mut sim = busy(nodes, graph, without, latency);
        let _ = sim.run_for(Duration::from_secs(20));
        let complete = sim.happened().filter(|one| matches!(one.what, Happening::Event(Event::Complete(_)))).count();
        Row {
            label: label.to_string(),
            expected: expected as f64,
            measured: sim.statistics().kinds.of("Marker") as f64 / SNAPSHOTS as f64,
            tolerance: Tolerance::Exact,
            unit: "markers per snapshot",
            over: format!("{SNAPSHOTS} snapshots, of which {} complete", complete as u64 / nodes),
        }
    };
    graphs.into_iter().map(count).collect()
}

/// The longest of many snapshots, in delays: until the last has recorded its state, and until all is complete.
fn times(without: Option<protocol::Rule>) -> Vec<Row> {
    let delay = Duration::from_millis(5);
    let graphs = [
        ("full mesh, N=5, diameter 1", 5, Graph::Mesh, 1.0),
        ("line, N=5, diameter 4", 5, Graph::Line, 4.0),
        ("one-way ring, N=8, diameter 7", 8, Graph::Ring, 7.0),
    ];
    let measure = |(label, nodes, graph, diameter): (&str, u64, Graph, f64)| {
        let mut sim = busy(nodes, graph, without, Latency::Constant(delay));
        let _ = sim.run_for(Duration::from_secs(20));
        let (mut begun, mut recorded, mut complete) = (std::collections::BTreeMap::new(), 0, 0);
        for one in sim.happened() {
            match one.what {
                Happening::Event(Event::State { snapshot, .. }) => {
                    let begun = *begun.entry(snapshot).or_insert(one.at);
                    recorded = one.at.since(begun).as_nanos().max(recorded);
                }
                Happening::Event(Event::Complete(snapshot)) => {
                    complete = one.at.since(begun[&snapshot]).as_nanos().max(complete);
                }
                _ => {}
            }
        }
        let row = |what: &str, expected: f64, nanos: u128| Row {
            label: format!("{label}: {what}"),
            expected,
            measured: nanos as f64 / delay.as_nanos() as f64,
            tolerance: Tolerance::AtMost,
            unit: "delays",
            over: format!("the longest of {SNAPSHOTS} snapshots"),
        };
        [row("recorded", diameter, recorded), row("complete", diameter + 1.0, complete)]
    };
    graphs.into_iter().flat_map(measure).collect()
}

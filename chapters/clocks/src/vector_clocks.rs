//! Vector clocks, judged by the exact happened-before.

use super::causality::{self, history};
use super::telling::{Told, VectorBounds, tells_any};
use volvox_clocks::happened_before::{Action, Stamp};
use volvox_clocks::lamport::{self, Lamport, Time};
use volvox_clocks::vector::{self as protocol, Config, Event, History, Vector, VectorClock};
use volvox_core::Property;
use volvox_lab::ask::Asking;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;

/// The chapter.
pub struct VectorClocks;

static CARD: Card = Card {
    title: "Vector clocks",
    mechanisms: &["ORD-04"],
    reference: "Fidge 1988; Mattern: Virtual time and global states of distributed systems, 1988, sections 5 and 6",
    reading: Reading {
        needs: &["lamport-clocks"],
        level: Level::Evening,
        teaches: "a clock that captures happened-before exactly, and what that costs",
    },
    questions: include_str!("../../../book/src/questions/vector-clocks.md"),
    source: include_str!("../../../crates/clocks/src/vector.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("vector-clocks")
};

impl Chapter for VectorClocks {
    type Process = VectorClock;
    type History = History<Vector>;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<VectorBounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named) }
    }

    fn properties() -> Vec<Property<VectorClock, History<Vector>>> {
        protocol::properties()
    }

    fn state(process: &VectorClock) -> NodeState {
        NodeState::plain(process.vector())
    }
    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["clock condition", "distinct timestamps", "strong clock condition", "event counting"],
            "a process that restarts has lost its counts and is another process.",
        )
    }

    fn faults(_: &Settings) -> FaultPlan {
        causality::faults()
    }
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ORD-2",
    text: "a vector clock puts N counters on every message, 8N bytes at 64 bits; a Lamport clock one",
    measure: || [3, 10, 30].into_iter().flat_map(|nodes| sizes(nodes, None)).collect(),
    breakage: "messages carry only the sender's count",
    measure_broken: || sizes(10, Some(protocol::Rule::Whole)),
    plot: Some(|rows| {
        let (values, names) = (&[3.0, 10.0, 30.0], &["vector clock", "Lamport clock"]);
        Against {
            title: "What a clock costs on the wire",
            x_label: "processes N",
            y_label: "bytes of counters per message",
            values,
            names,
        }
        .svg(rows)
    }),
}];

static MODELS: [CheckedModel; 8] = [
    CheckedModel {
        name: "three processes in a ring",
        text: "each has one local event and sends to the next once; any order, any loss, one duplicate. A \
               message that arrives after the end is lost. No crash: a process that forgets its clock is another process",
        expects: Expects::Holds { states: 11_391 },
        explore: || run(&VectorBounds::default().world(None)),
    },
    CheckedModel {
        name: "three processes, each sends to each",
        text: "one message on each of the six links; any order, any loss, one duplicate",
        expects: Expects::Holds { states: 672_799 },
        explore: || run(&VectorBounds { works: 0, told: Told::All, ..VectorBounds::default() }.world(None)),
    },
    CheckedModel::holds("two processes, each tells any", "two processes; each tells the other", 13, || {
        tells_any::<VectorClock, _>(2, Config::default(), &VectorClocks::properties())
    }),
    CheckedModel::holds(
        "three processes, each tells any",
        "each tells one of the two others, as the world chooses: each of them can be chosen",
        314,
        || tells_any::<VectorClock, _>(3, Config::default(), &VectorClocks::properties()),
    ),
    CheckedModel::breaks("without tick", "as the ring", ("clock condition", 2), || {
        run(&VectorBounds::default().world(Some(protocol::Rule::Tick)))
    })
    .without("tick"),
    CheckedModel::breaks("without maximum", "as the ring", ("clock condition", 2), || {
        run(&VectorBounds::default().world(Some(protocol::Rule::Maximum)))
    })
    .without("maximum"),
    CheckedModel::breaks(
        "without own places",
        "as the ring; the uniqueness of stamps, which breaks sooner, is not checked",
        ("strong clock condition", 3),
        || {
            let world = VectorBounds::default().world(Some(protocol::Rule::Own));
            let properties = VectorClocks::properties();
            let converse: Vec<_> = properties.into_iter().filter(|one| one.name == "strong clock condition").collect();
            explore(&world, hold(Checker::new(&world), &converse))
        },
    )
    .without("own"),
    CheckedModel::breaks("without whole vectors", "as the ring", ("clock condition", 4), || {
        run(&VectorBounds::default().world(Some(protocol::Rule::Whole)))
    })
    .without("whole"),
];

type Instance = System<VectorClock, History<Vector>>;

impl volvox_lab::ask::Instance for VectorBounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = self.world(without.and_then(protocol::Rule::named));
        explore(&world, hold(Checker::new(&world), &VectorClocks::properties()))
    }
}

impl VectorBounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        self.asked(System::with_history(self.nodes, Config { without }))
    }
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_000_000), &VectorClocks::properties())
        .reachable("information comes full circle", |world, state| {
            world.view(state).nodes().any(|(_, node)| node.vector().0.iter().all(|count| *count > 0))
        });
    explore(world, checker)
}

/// The cost of the clocks of `nodes` processes on the wire.
fn sizes(nodes: u64, without: Option<protocol::Rule>) -> Vec<Row> {
    const COUNTER_BYTES: usize = 8;
    let row = |clock: &str, counters: u64, carried: Vec<usize>| Row {
        label: format!("{clock}, N={nodes}"),
        expected: (counters * COUNTER_BYTES as u64) as f64,
        measured: (carried.iter().sum::<usize>() * COUNTER_BYTES) as f64 / carried.len().max(1) as f64,
        tolerance: Tolerance::Exact,
        unit: "bytes of counters per message",
        over: format!("{} messages", carried.len()),
    };
    let vectors = history::<VectorClock, Vector>(7, nodes, Config { without });
    let lamport = history::<Lamport, Time>(7, nodes, lamport::Config::default());
    vec![row("vector", nodes, carried(&vectors)), row("Lamport", 1, carried(&lamport))]
}

/// The number of counters in each message.
fn carried<S: Stamp>(history: &History<S>) -> Vec<usize> {
    let counters = |event: &Event<S>| match event.action {
        Action::Send { counters, .. } => Some(counters),
        _ => None,
    };
    history.events().filter_map(|(_, _, event)| counters(event)).collect()
}

//! Lamport clocks, judged by the exact happened-before.

use super::causality::{self, history};
use super::telling::{LamportBounds, Told, tells_any};
use std::collections::BTreeMap;
use volvox_clocks::happened_before::{Action, Stamp};
use volvox_clocks::lamport::{self as protocol, Config, History, Lamport, Time};
use volvox_clocks::vector::{self, Vector, VectorClock};
use volvox_core::Property;
use volvox_lab::ask::Asking;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;

/// The chapter.
pub struct LamportClocks;

static CARD: Card = Card {
    title: "Lamport clocks",
    mechanisms: &["ORD-01", "ORD-02"],
    reference: "Lamport: Time, clocks, and the ordering of events in a distributed system, CACM 21(7), 1978",
    reading: Reading { needs: &[], level: Level::Evening, teaches: "happened-before, and a clock that respects it" },
    questions: include_str!("../../../book/src/questions/lamport-clocks.md"),
    source: include_str!("../../../crates/clocks/src/lamport.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("lamport-clocks")
};

impl Chapter for LamportClocks {
    type Process = Lamport;
    type History = History<Time>;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<LamportBounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named) }
    }

    fn properties() -> Vec<Property<Lamport, History<Time>>> {
        protocol::properties()
    }

    fn state(process: &Lamport) -> NodeState {
        NodeState::plain(format_args!("C={}", process.clock()))
    }
    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["clock condition", "total order", "event counting"],
            "A process that restarts has lost its count and is, for this protocol, another process.",
        )
    }

    fn faults(_: &Settings) -> FaultPlan {
        causality::faults()
    }
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ORD-3",
    text: "Lamport clocks order concurrent events, except ties; vector clocks order none",
    measure: || false_order(None, None),
    breakage: "a receipt is not counted; all processes count in one component of the vector",
    measure_broken: || false_order(Some(protocol::Rule::Tick), Some(vector::Rule::Own)),
    plot: None,
}];

static MODELS: [CheckedModel; 7] = [
    CheckedModel {
        name: "three processes in a ring",
        text: "each has one local event and sends to the next once; any order, any loss, one duplicate. A \
               message that arrives after the end is lost. No crash: a process that forgets its clock is another process",
        expects: Expects::Holds { states: 11_391 },
        explore: || run(&LamportBounds::default().world(None)),
    },
    CheckedModel {
        name: "three processes, each sends to each",
        text: "one message on each of the six links; any order, any loss, one duplicate",
        expects: Expects::Holds { states: 672_799 },
        explore: || run(&LamportBounds { works: 0, told: Told::All, ..LamportBounds::default() }.world(None)),
    },
    CheckedModel::holds("two processes, each tells any", "two processes; each tells the other", 13, || {
        tells_any::<Lamport, _>(2, Config::default(), &LamportClocks::properties())
    }),
    CheckedModel::holds(
        "three processes, each tells any",
        "each tells one of the two others, as the world chooses: each of them can be chosen",
        314,
        || tells_any::<Lamport, _>(3, Config::default(), &LamportClocks::properties()),
    ),
    CheckedModel::breaks("without tick", "as the ring", ("clock condition", 2), || {
        run(&LamportBounds::default().world(Some(protocol::Rule::Tick)))
    })
    .without("tick"),
    CheckedModel::breaks("without maximum", "as the ring", ("clock condition", 2), || {
        run(&LamportBounds::default().world(Some(protocol::Rule::Maximum)))
    })
    .without("maximum"),
    CheckedModel::breaks("without names", "as the ring", ("total order", 2), || {
        run(&LamportBounds::default().world(Some(protocol::Rule::Names)))
    })
    .without("names"),
];

type Instance = System<Lamport, History<Time>>;

impl volvox_lab::ask::Instance for LamportBounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = self.world(without.and_then(protocol::Rule::named));
        explore(&world, hold(Checker::new(&world), &LamportClocks::properties()))
    }
}

impl LamportBounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        self.asked(System::with_history(self.nodes, Config { without }))
    }
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_000_000), &LamportClocks::properties())
        .invariant("a message carries one counter", |world, state| {
            world.view(state).history().events().all(|(_, _, event)| match event.action {
                Action::Send { counters, .. } => counters == 1,
                _ => true,
            })
        })
        .reachable("a clock jumps", |world, state| world.view(state).nodes().any(|(_, node)| node.clock() > 3));
    explore(world, checker)
}

const SEED: u64 = 7;
const PROCESSES: u64 = 5;

/// The share of concurrent pairs that each clock orders.
fn false_order(without: Option<protocol::Rule>, vector_without: Option<vector::Rule>) -> Vec<Row> {
    let lamport = history::<Lamport, Time>(SEED, PROCESSES, Config { without });
    let pairs = lamport.concurrent();
    let ordered = pairs.iter().filter(|(one, other)| one.count != other.count).count();
    let vectors = history::<VectorClock, Vector>(SEED, PROCESSES, vector::Config { without: vector_without });
    let vector_pairs = vectors.concurrent();
    let vector_ordered = vector_pairs.iter().filter(|(one, other)| one.precedes(other) || other.precedes(one)).count();
    let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
    let row = |label: &str, expected: f64, measured: f64, pairs: usize| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance: Tolerance::Exact,
        unit: "of concurrent pairs ordered",
        over: format!("{pairs} concurrent pairs, N={PROCESSES}"),
    };
    vec![
        row(
            "Lamport, counts alone: 1 - ties",
            1.0 - share(ties(&lamport), pairs.len()),
            share(ordered, pairs.len()),
            pairs.len(),
        ),
        row("vector clocks", 0.0, share(vector_ordered, vector_pairs.len()), vector_pairs.len()),
    ]
}

/// Pairs with equal counts, by the stamps alone: where the clock condition holds, none of them is causally related.
fn ties(history: &History<Time>) -> usize {
    let mut with: BTreeMap<u64, usize> = BTreeMap::new();
    for (_, _, event) in history.events() {
        *with.entry(event.stamp.count).or_default() += 1;
    }
    with.values().map(|count| count * (count - 1) / 2).sum()
}

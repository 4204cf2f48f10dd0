//! Lamport clocks, judged by the exact happened-before.

use std::collections::BTreeMap;
use volvox_clocks::happened_before::Stamp;
use volvox_clocks::lamport::{self as protocol, Command, Config, Event, History, Lamport, Time};
use volvox_clocks::vector::{self, Vector, VectorClock};
use volvox_core::erased::Erasable;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Happening, Latency};

/// The chapter.
pub struct LamportClocks;

static CARD: Card = Card {
    id: "lamport-clocks",
    title: "Lamport clocks",
    mechanisms: &["ORD-01", "ORD-02"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Lamport: Time, clocks, and the ordering of events in a distributed system, CACM 21(7), 1978",
    reading: Reading { needs: &[], level: Level::Evening, teaches: "happened-before, and a clock that respects it" },
    questions: include_str!("../../../book/src/questions/lamport-clocks.md"),
    source: include_str!("../../../crates/clocks/src/lamport.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/lamport-clocks.txt"),
    golden: &[Golden {
        name: "01-clock-condition.txt",
        text: include_str!("../../../crates/clocks/tests/scripts/lamport/01-clock-condition.txt"),
    }],
};

impl Chapter for LamportClocks {
    type Process = Lamport;
    type History = History<Time>;

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named) }
    }

    fn properties() -> Vec<Property<Lamport, History<Time>>> {
        protocol::properties()
    }

    fn state(process: &Lamport) -> String {
        format!("C={}", process.clock())
    }

    fn faults(_: &Settings) -> FaultPlan {
        faults()
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        vec![Claim {
            id: "Q-ORD-3",
            text: "Lamport clocks order concurrent events, except ties; vector clocks order none",
            measure: || false_order(None, None),
            breakage: "a receipt is not counted; all processes count in one component of the vector",
            measure_broken: || false_order(Some(protocol::Rule::Tick), Some(vector::Rule::Own)),
            plot: None,
        }]
    }
}

/// All faults of the network, and pauses. No crash: a process that loses its clock is another process.
pub(super) fn faults() -> FaultPlan {
    let ms = Duration::from_millis;
    FaultPlan {
        from: Duration::ZERO,
        until: ms(500),
        every: Latency::Exponential { minimum: ms(2), mean: ms(20) },
        lasting: Latency::Exponential { minimum: ms(5), mean: ms(50) },
        weights: FaultWeights { pause: 2, ..FaultWeights::NETWORK },
        link: LinkFault {
            delay: ms(50),
            loss_ppm: 200_000,
            duplicate_ppm: 200_000,
            reorder_ppm: 300_000,
            ..LinkFault::default()
        },
        ..FaultPlan::default()
    }
}

static MODELS: [CheckedModel; 5] = [
    CheckedModel {
        name: "three processes in a ring",
        text: "each has one local event and sends to the next once; any order, any loss, one duplicate. What is lost \
               is what arrives after the end. No crash: a process that forgets its clock is another process",
        expects: Expects::Holds { states: 11_391 },
        explore: || run(&ring(1, None)),
    },
    CheckedModel {
        name: "three processes, each sends to each",
        text: "one message on each of the six links; any order, any loss, one duplicate",
        expects: Expects::Holds { states: 672_799 },
        explore: || run(&mesh(None)),
    },
    CheckedModel::breaks("without tick", "as the ring", ("clock condition", 2), || {
        run(&ring(1, Some(protocol::Rule::Tick)))
    }),
    CheckedModel::breaks("without maximum", "as the ring", ("clock condition", 2), || {
        run(&ring(1, Some(protocol::Rule::Maximum)))
    }),
    CheckedModel::breaks("without names", "as the ring", ("total order", 2), || {
        run(&ring(1, Some(protocol::Rule::Names)))
    }),
];

type Instance = System<Lamport, History<Time>>;

fn system(without: Option<protocol::Rule>) -> Instance {
    System::with_history(3, Config { without }).network(Network::unordered().doubles(1))
}

/// Each has one local event and sends to the next this many times.
fn ring(times: u32, without: Option<protocol::Rule>) -> Instance {
    let links = [(1, 2), (2, 3), (3, 1)];
    links.into_iter().fold(system(without), |system, (from, to)| {
        system.command(NodeId(from), Command::Work, 1).command(NodeId(from), Command::Tell(NodeId(to)), times)
    })
}

/// Each sends to each other once.
fn mesh(without: Option<protocol::Rule>) -> Instance {
    let links = [(1, 2), (2, 3), (3, 1), (2, 1), (3, 2), (1, 3)];
    links
        .into_iter()
        .fold(system(without), |system, (from, to)| system.command(NodeId(from), Command::Tell(NodeId(to)), 1))
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_000_000), &LamportClocks::properties())
        .reachable("a clock jumps", |world, state| world.view(state).nodes().any(|(_, node)| node.clock() > 3));
    explore(world, checker)
}

/// The history of `nodes` processes with commands at random times, half of them to send to a peer.
pub(super) fn history<P, S>(seed: u64, nodes: u64, config: P::Config) -> History<S>
where
    P: Erasable<Command = Command, Event = Event<S>>,
    S: Stamp + 'static,
{
    let ms = Duration::from_millis;
    let mut sim = Builder::<P>::new(seed, nodes, config).latency(Latency::Uniform(ms(1), ms(10))).build();
    let mut rng = sim.rng(1);
    for _ in 0..40 * nodes {
        let command = if rng.below(2) == 0 { Command::Work } else { Command::TellAny };
        sim.command_after(ms(rng.between(1, 400)), NodeId(rng.between(1, nodes)), command);
    }
    let _ = sim.run_for(ms(1_000));
    let mut history = History::default();
    for happened in sim.happened() {
        if let Happening::Event(event) = happened.what {
            volvox_core::History::<P>::on_event(&mut history, happened.node, &event);
        }
    }
    history
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

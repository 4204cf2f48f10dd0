//! Ricart and Agrawala's mutual exclusion: the protocol by itself, over lossless links without order.

use super::entries::{
    asked, costs_at_full_load, count, exactly, more_crashes_than_others, no_starvation, overtaking_and_pauses, quiet,
    round, simulation,
};
use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{FaultPlan, Simulation};
use volvox_mutex::ricart_agrawala::{self as protocol, Config};
use volvox_mutex::section::{Event, History};

/// The chapter.
pub struct RicartAgrawala;

static CARD: Card = Card {
    title: "Mutual exclusion after Ricart and Agrawala",
    mechanisms: &["MTX-03"],
    reference: "Ricart and Agrawala: An optimal algorithm for mutual exclusion in computer networks, CACM 24(1), 1981",
    reading: Reading {
        needs: &["lamport-mutex"],
        level: Level::Day,
        teaches: "the same with a third fewer messages: a reply that is withheld",
    },
    questions: include_str!("../../../book/src/questions/ricart-agrawala.md"),
    source: include_str!("../../../crates/mutex/src/ricart_agrawala.rs"),
    nodes: Nodes { least: 3, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("ricart-agrawala")
};

impl Chapter for RicartAgrawala {
    type Process = protocol::RicartAgrawala;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Self::Process, History>> {
        protocol::properties()
    }

    fn state(process: &Self::Process) -> NodeState {
        match (process.is_inside(), process.is_requesting()) {
            (true, _) => "inside".into(),
            (_, true) => "requesting".into(),
            _ => NodeState::default(),
        }
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(&["mutual exclusion", "no starvation"], "A node that returns has forgotten its requests, and mistakes a reply to an old one for a reply to the next.")
    }

    /// Slow links that reorder messages, and nodes that pause. Nothing is lost: see the caveats.
    fn faults(_: &Settings) -> FaultPlan {
        overtaking_and_pauses()
    }
}

static MODELS: [CheckedModel; 12] = [
    CheckedModel {
        name: "two nodes, two entries each",
        text: "lossless links without order; no node starves. No crash: after one, some node waits forever",
        expects: Expects::Holds { states: 251 },
        explore: || TWO.entries(2).explored(None),
    },
    CheckedModel::holds("one node alone, two entries", "no other node is asked: it enters at once", 6, || {
        Bounds { nodes: 1, entries: 2, ..TWO }.explored(None)
    }),
    CheckedModel::holds(
        "two nodes, three entries each",
        "no requested entry is forgotten, however many wait",
        1_023,
        || TWO.entries(3).explored(None),
    ),
    CheckedModel {
        name: "three nodes, one entry each",
        text: "lossless links without order; no node starves. No crash: after one, some node waits forever",
        expects: Expects::Holds { states: 2_822 },
        explore: || THREE.explored(None),
    },
    CheckedModel {
        name: "three nodes, two entries each",
        text: "the same",
        expects: Expects::Holds { states: 90_516 },
        explore: || THREE.entries(2).explored(None),
    },
    CheckedModel {
        name: "three nodes, of which two crash",
        text: "links without order; crashes at any moment, for good: still mutual exclusion",
        expects: Expects::Holds { states: 24_900 },
        explore: || Bounds { crashes: 2, ..THREE }.explored(None),
    },
    CheckedModel::breaks(
        "a crash, and some node waits forever",
        "two nodes, one entry each, no rule removed: silence is never a reply",
        ("no starvation", 3),
        || live(&Bounds { crashes: 1, ..TWO }.world(None), 2),
    ),
    CheckedModel::breaks("without order", "two nodes, one entry each", ("mutual exclusion", 6), || {
        TWO.explored(Some(protocol::Rule::Order))
    })
    .without("order"),
    CheckedModel::breaks(
        "without the clock",
        "two nodes, one entry each: a request with a small number overtakes the reply sent before it",
        ("mutual exclusion", 6),
        || TWO.explored(Some(protocol::Rule::Clock)),
    )
    .without("clock"),
    CheckedModel::breaks(
        "without tie-break",
        "two nodes, one entry each: equal numbers, both reply",
        ("mutual exclusion", 6),
        || TWO.explored(Some(protocol::Rule::TieBreak)),
    )
    .without("tie-break"),
    CheckedModel::breaks(
        "without tie-break, deferring",
        "two nodes, one entry each: equal numbers, neither replies",
        ("no starvation", 4),
        || TWO.explored(Some(protocol::Rule::TieBreakDeferring)),
    )
    .without("tie-break-deferring"),
    CheckedModel::breaks("without late replies", "two nodes, one entry each", ("no starvation", 6), || {
        TWO.explored(Some(protocol::Rule::LateReply))
    })
    .without("late-reply"),
];

bounds! {
    /// Nodes that are asked to enter.
    struct Bounds;
    nodes: u64 = 3, "each of them is asked to enter" in 2..=4 nodes;
    entries: u32 = 1, "that each node is asked for" in 1..=4 entries;
    crashes: u32 = 0, "of nodes, for good; with one, only safety is asked" in 0..=3 crashes;
    losses: u32 = 0, "of messages; with one, only safety is asked" in 0..=2 losses;
    order: Order = Order::Unordered, "in which the messages of a link arrive";
}

const THREE: Bounds = Bounds { nodes: 3, entries: 1, crashes: 0, losses: 0, order: Order::Unordered };
const TWO: Bounds = Bounds { nodes: 2, ..THREE };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        more_crashes_than_others(self.nodes, self.crashes)
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

type Instance = System<protocol::RicartAgrawala, History>;

impl Bounds {
    fn entries(self, entries: u32) -> Bounds {
        Bounds { entries, ..self }
    }

    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let system = quiet(self.nodes, Config { without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes(self.crashes);
        asked(system, 1..=self.nodes, self.entries)
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        if self.crashes + self.losses > 0 { explore(&world, safe(&world)) } else { live(&world, self.nodes) }
    }
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &RicartAgrawala::properties())
        .reachable("a node is inside", |world, state| world.view(state).nodes().any(|(_, node)| node.is_inside()))
}

fn live(world: &Instance, nodes: u64) -> Explored {
    explore(world, no_starvation(safe(world), nodes))
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-MTX-3",
        text: "Ricart-Agrawala: 2(N-1) messages per entry; one message delay from an exit to the next entry",
        measure: || [3, 5, 10].into_iter().flat_map(|nodes| costs(nodes, None)).collect(),
        breakage: "a node that leaves sends no replies",
        measure_broken: || costs(5, Some(protocol::Rule::LateReply)),
        plot: Some(|rows| {
            let (values, names) = (&[3.0, 5.0, 10.0], &["2(N-1)", ""]);
            Against {
                title: "Ricart and Agrawala at full load",
                x_label: "nodes N",
                y_label: "messages per entry",
                values,
                names,
            }
            .svg(rows)
        }),
    },
    Claim {
        id: "Q-MTX-7",
        text: "Ricart-Agrawala: one crash, and there are no entries afterwards",
        measure: || entries_around(true),
        breakage: "the node does not crash",
        measure_broken: || entries_around(false),
        plot: None,
    },
];

fn costs(nodes: u64, without: Option<protocol::Rule>) -> Vec<Row> {
    let config = Config { without, ..Config::default() };
    costs_at_full_load::<protocol::RicartAgrawala>(nodes, 1..=nodes, config, (2 * (nodes - 1)) as f64, 1.0)
}

/// Entries of five nodes, before one of them crashes and afterwards.
fn entries_around(crash: bool) -> Vec<Row> {
    let mut sim = simulation(5, Config::default());
    let before = entries("N=5, before the crash", 50, &mut sim);
    if crash {
        sim.fault_after(Duration::ZERO, Fault::Crash { who: Target::Node(NodeId(5)), without_disk: false });
        let _ = sim.run_for(Duration::from_secs(1));
    }
    vec![before, entries("N=5, after it", 0, &mut sim)]
}

fn entries(label: &str, expected: u64, sim: &mut Simulation<protocol::RicartAgrawala>) -> Row {
    let told: Vec<_> = (0..10).flat_map(|_| round(sim, 1..=5)).collect();
    let (asked, entered) = (count(&told, Event::Asked), count(&told, Event::Entered));
    exactly(label, expected as f64, entered as f64, "entries", format!("{asked} asked for"))
}

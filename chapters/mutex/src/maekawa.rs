//! Maekawa's quorums: the protocol by itself, over FIFO links that lose nothing.

use super::entries::{
    FullLoad, asked, count, exactly, full_load, mean, more_askers_than_nodes, more_crashes_than_others, no_starvation,
    quiet, round, simulation, slow_links_and_pauses,
};
use volvox_core::{NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;
use volvox_mutex::maekawa::{self as protocol, Config, Rule, voting_set};
use volvox_mutex::section::{Event, History};

/// The chapter.
pub struct Maekawa;

static CARD: Card = Card {
    title: "Mutual exclusion by Maekawa's quorums",
    // The catalogue has no row for it.
    mechanisms: &[],
    reference: "Maekawa: A sqrt(N) algorithm for mutual exclusion in decentralized systems, ACM TOCS 3(2), 1985",
    reading: Reading {
        needs: &["ricart-agrawala"],
        level: Level::Day,
        teaches: "quorums of the square root of N nodes, the deadlock of votes, and its cure",
    },
    questions: include_str!("../../../book/src/questions/maekawa.md"),
    source: include_str!("../../../crates/mutex/src/maekawa.rs"),
    nodes: Nodes { least: 3, most: 64, default: 7 },
    rules: protocol::Rule::CARDS,
    ..found!("maekawa")
};

impl Chapter for Maekawa {
    type Process = protocol::Maekawa;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Self::Process, History>> {
        protocol::properties()
    }

    fn state(process: &Self::Process) -> NodeState {
        match (process.is_inside(), process.votes(), process.locked_for()) {
            (true, ..) => "inside".into(),
            (_, Some(votes), _) => NodeState::of("votes", votes),
            (_, None, Some(node)) => NodeState::of("locked for", node),
            _ => NodeState::default(),
        }
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["mutual exclusion", "no starvation"],
            "A node that returns has forgotten to whom it gave its vote, so its arbiters may let two nodes in.",
        )
    }

    /// Order is kept: see the caveats.
    fn faults(_: &Settings) -> FaultPlan {
        slow_links_and_pauses()
    }
}

static MODELS: [CheckedModel; 15] = [
    CheckedModel::holds(
        "three nodes, one entry each",
        "the sets {n1, n2}, {n2, n3}, {n3, n1}; FIFO links; no node starves. No crash: after one, some node waits forever",
        457,
        || THREE.explored(None),
    ),
    CheckedModel::holds("three nodes, two entries each", "the same", 15_657, || THREE.entries(2).explored(None)),
    CheckedModel::holds("one node alone, two entries", "no other node is asked: it enters at once", 6, || {
        Bounds { nodes: 1, entries: 2, ..THREE }.explored(None)
    }),
    CheckedModel::holds(
        "three nodes, of which two ask for three entries each",
        "no requested entry is forgotten, however many wait",
        1_278,
        || Bounds { askers: 2, entries: 3, ..THREE }.explored(None),
    ),
    CheckedModel::holds(
        "four nodes in a square, of which three ask",
        "sets of three: a request may be overtaken in a queue (Sanders' case); no node starves",
        8_204,
        || SQUARE.explored(None),
    ),
    CheckedModel::holds(
        "seven nodes in a plane, of which two ask",
        "sets of three, of which two share one node",
        231,
        || Bounds { nodes: 7, askers: 2, ..THREE }.explored(None),
    ),
    CheckedModel::holds(
        "three nodes, of which two crash",
        "at any moment, for good: still mutual exclusion",
        4_393,
        || Bounds { crashes: 2, ..THREE }.explored(None),
    ),
    CheckedModel::breaks(
        "a crash, and some node waits forever",
        "three nodes, of which one asks, no rule removed: a dead arbiter gives no vote",
        ("no starvation", 2),
        || live(&Bounds { crashes: 1, askers: 1, ..THREE }.world(None), 3),
    ),
    CheckedModel::breaks(
        "links without order",
        "four nodes in a square, of which three ask, no rule removed: an Inquire overtakes its Locked, and has no answer",
        ("no starvation", 10),
        || Bounds { order: Order::Unordered, ..SQUARE }.explored(None),
    ),
    CheckedModel::breaks(
        "without intersection",
        "four nodes, of which n2 and n4 share no arbiter",
        ("mutual exclusion", 6),
        || SQUARE.explored(Some(Rule::Intersection)),
    )
    .without("intersection"),
    CheckedModel::breaks("without one vote", "three nodes, one entry each", ("mutual exclusion", 6), || {
        THREE.explored(Some(Rule::OneVote))
    })
    .without("one-vote"),
    CheckedModel::breaks("without keep", "three nodes, one entry each", ("mutual exclusion", 6), || {
        THREE.explored(Some(Rule::Keep))
    })
    .without("keep"),
    CheckedModel::breaks(
        "without inquire",
        "three nodes, one entry each: the deadlock of votes, in which each has one and needs another's",
        ("no starvation", 7),
        || THREE.explored(Some(Rule::Inquire)),
    )
    .without("inquire"),
    CheckedModel::breaks(
        "without failed",
        "three nodes, one entry each: every holder believes that it may succeed",
        ("no starvation", 6),
        || THREE.explored(Some(Rule::Failed)),
    )
    .without("failed"),
    CheckedModel::breaks(
        "without overtaken",
        "four nodes in a square, of which three ask: the deadlock of the algorithm as it was published",
        ("no starvation", 14),
        || SQUARE.explored(Some(Rule::Overtaken)),
    )
    .without("overtaken"),
];

bounds! {
    /// Nodes that are asked to enter.
    struct Bounds;
    nodes: u64 = 3, "that take part" in 2..=7 nodes;
    askers: u64 = 0, "that are asked to enter: the last ones; with 0, all" in 0..=4 nodes;
    entries: u32 = 1, "that each of these is asked for" in 1..=4 entries;
    crashes: u32 = 0, "of nodes, for good; with one, only safety is asked" in 0..=3 crashes;
    losses: u32 = 0, "of messages; with one, only safety is asked" in 0..=2 losses;
    order: Order = Order::Fifo, "in which the messages of a link arrive";
}

const THREE: Bounds = Bounds { nodes: 3, askers: 0, entries: 1, crashes: 0, losses: 0, order: Order::Fifo };
const SQUARE: Bounds = Bounds { nodes: 4, askers: 3, ..THREE };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, askers, crashes, .. } = *self;
        more_askers_than_nodes(nodes, askers).or_else(|| more_crashes_than_others(nodes, crashes))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(Rule::named))
    }
}

type Instance = System<protocol::Maekawa, History>;

impl Bounds {
    fn entries(self, entries: u32) -> Bounds {
        Bounds { entries, ..self }
    }

    fn world(self, without: Option<Rule>) -> Instance {
        let system = quiet(self.nodes, Config { without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes(self.crashes);
        let askers = if self.askers == 0 { self.nodes } else { self.askers };
        asked(system, self.nodes + 1 - askers..=self.nodes, self.entries)
    }

    fn explored(self, without: Option<Rule>) -> Explored {
        let world = self.world(without);
        if self.crashes + self.losses > 0 { explore(&world, safe(&world)) } else { live(&world, self.nodes) }
    }
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &Maekawa::properties())
        .reachable("a node is inside", |world, state| world.view(state).nodes().any(|(_, node)| node.is_inside()))
}

fn live(world: &Instance, nodes: u64) -> Explored {
    explore(world, no_starvation(safe(world), nodes))
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "maekawa.1",
        text: "Maekawa: 3(K-1) messages per entry without contention, where K, the size of a voting set, is about the square root of N",
        measure: || [3, 7, 13, 21, 31].into_iter().flat_map(|nodes| alone(nodes, None)).collect(),
        breakage: "voting sets need not share a node",
        measure_broken: || alone(13, Some(Rule::Intersection)),
        plot: Some(|rows| {
            let values = &[3.0, 7.0, 13.0, 21.0, 31.0];
            let names = &["messages per entry", "size of a voting set"];
            Against { title: "Maekawa without contention", x_label: "nodes N", y_label: "messages", values, names }
                .svg(rows)
        }),
    },
    Claim {
        id: "maekawa.2",
        text: "Maekawa with Sanders' cure: at most 6(K-1) messages per entry at full load; at most two message delays from an exit to the next entry",
        measure: || [3, 7, 13, 31].into_iter().flat_map(|nodes| crowded(nodes, None)).collect(),
        breakage: "no vote is asked back",
        measure_broken: || crowded(7, Some(Rule::Inquire)),
        plot: None,
    },
];

/// The size of a voting set among this many nodes.
fn set_size(nodes: u64) -> usize {
    let members: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    voting_set(NodeId(1), &members, true).len()
}

/// The size that N = K(K-1) + 1 asks for.
fn size_of_line(nodes: u64) -> f64 {
    0.5 + (nodes as f64 - 0.75).sqrt()
}

/// Each node enters once, alone.
fn alone(nodes: u64, without: Option<Rule>) -> Vec<Row> {
    let mut sim = simulation::<protocol::Maekawa>(nodes, Config { without, ..Config::default() });
    let entries: u64 = (1..=nodes).map(|node| count(&round(&mut sim, node..=node), Event::Entered)).sum();
    let messages = sim.statistics().sent as f64 / entries.max(1) as f64;
    let over = format!("{entries} entries");
    let size = size_of_line(nodes);
    vec![
        exactly(format!("N={nodes}, alone"), 3.0 * (size - 1.0), messages, "messages per entry", over),
        exactly(format!("N={nodes}"), size, set_size(nodes) as f64, "nodes in a voting set", "each node".to_string()),
    ]
}

/// All nodes ask at the same moment, ten times.
fn crowded(nodes: u64, without: Option<Rule>) -> Vec<Row> {
    let config = Config { without, ..Config::default() };
    let FullLoad { entries, messages, delays } = full_load::<protocol::Maekawa>(nodes, 1..=nodes, config);
    let label = format!("N={nodes}, at full load");
    let bound = |expected, measured, tolerance, unit, over| Row {
        label: label.clone(),
        expected,
        measured,
        tolerance,
        unit,
        over,
    };
    vec![
        bound((10 * nodes) as f64, entries as f64, Tolerance::Exact, "entries", format!("{} requests", 10 * nodes)),
        bound(
            6.0 * (set_size(nodes) - 1) as f64,
            messages,
            Tolerance::AtMost,
            "messages per entry",
            format!("{entries} entries"),
        ),
        bound(
            2.0,
            mean(&delays),
            Tolerance::AtMost,
            "message delays from exit to entry",
            format!("{} handovers", delays.len()),
        ),
    ]
}

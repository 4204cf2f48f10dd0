//! Suzuki and Kasami's token: the protocol by itself, over lossless links without order.

use super::entries::{
    asked, costs_at_full_load, count, exactly, more_crashes_than_others, no_starvation, overtaking_and_pauses, quiet,
    round, simulation,
};
use volvox_core::Property;
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;
use volvox_mutex::section::{Event, History};
use volvox_mutex::suzuki_kasami::{self as protocol, Config, Place, Rule};

/// The chapter.
pub struct SuzukiKasami;

static CARD: Card = Card {
    title: "Mutual exclusion by Suzuki and Kasami's token",
    // The catalogue has no row for it.
    mechanisms: &[],
    reference: "Suzuki and Kasami: A distributed mutual exclusion algorithm, ACM TOCS 3(4), 1985",
    reading: Reading {
        needs: &["ricart-agrawala", "token-ring"],
        level: Level::Evening,
        teaches: "a token that comes when it is asked for: N messages, or none",
    },
    questions: include_str!("../../../book/src/questions/suzuki-kasami.md"),
    source: include_str!("../../../crates/mutex/src/suzuki_kasami.rs"),
    nodes: Nodes { least: 3, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("suzuki-kasami")
};

impl Chapter for SuzukiKasami {
    type Process = protocol::SuzukiKasami;
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
        match (process.place(), process.token()) {
            (Place::Inside, _) => "inside".into(),
            (Place::Waiting, _) => "waiting".into(),
            (Place::Outside, Some(_)) => "token".into(),
            (Place::Outside, None) => NodeState::default(),
        }
    }

    /// The holder of the token counts as the leader.
    fn is_leader(process: &Self::Process) -> bool {
        process.token().is_some()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["no starvation"],
            "A node that returns has forgotten the token and its own numbers, so that it may wait forever",
        )
    }

    /// Slow links that reorder messages, and nodes that pause. Nothing is lost: see the caveats.
    fn faults(_: &Settings) -> FaultPlan {
        overtaking_and_pauses()
    }
}

static MODELS: [CheckedModel; 12] = [
    CheckedModel::holds(
        "three nodes, one entry each",
        "lossless links without order; no node starves. No crash: after one, some node waits forever",
        727,
        || THREE.explored(None),
    ),
    CheckedModel::holds("three nodes, two entries each", "the same", 78_572, || THREE.entries(2).explored(None)),
    CheckedModel::holds("one node alone, two entries", "it has the token, and enters at once", 6, || {
        Bounds { nodes: 1, entries: 2, ..TWO }.explored(None)
    }),
    CheckedModel::holds(
        "two nodes, three entries each",
        "no requested entry is forgotten, however many wait",
        573,
        || TWO.entries(3).explored(None),
    ),
    CheckedModel::holds(
        "three nodes, of which two crash",
        "at any moment, for good: still mutual exclusion",
        5_917,
        || Bounds { crashes: 2, ..THREE }.explored(None),
    ),
    CheckedModel::holds(
        "two nodes, of which one crashes and returns",
        "two entries each: a node that returns creates no second token",
        1_253,
        || {
            let world = TWO.entries(2).world(None).crashes_and_restarts(1).counting_boots();
            explore(&world, safe(&world))
        },
    ),
    CheckedModel::breaks(
        "a crash, and some node waits forever",
        "two nodes, one entry each, no rule removed: the token is gone",
        ("no starvation", 6),
        || live(&Bounds { crashes: 1, ..TWO }.world(None), 2),
    ),
    CheckedModel::breaks("without keep", "two nodes, one entry each", ("mutual exclusion", 4), || {
        TWO.explored(Some(Rule::Keep))
    })
    .without("keep"),
    CheckedModel::breaks(
        "without broadcast",
        "three nodes, one entry each: the token is no longer where it was first",
        ("no starvation", 6),
        || THREE.explored(Some(Rule::Broadcast)),
    )
    .without("broadcast"),
    CheckedModel::breaks(
        "without remembering",
        "three nodes, one entry each: a request arrives before the token, and the token has to come back",
        ("no starvation", 8),
        || THREE.explored(Some(Rule::Remember)),
    )
    .without("remember"),
    CheckedModel::breaks(
        "without served numbers",
        "three nodes, one entry each: the token goes to a node that has entered already, and stays there",
        ("no starvation", 14),
        || THREE.explored(Some(Rule::Served)),
    )
    .without("served"),
    CheckedModel::breaks("without passing on", "two nodes, one entry each", ("no starvation", 6), || {
        TWO.explored(Some(Rule::Pass))
    })
    .without("pass"),
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
        self.explored(without.and_then(Rule::named))
    }
}

type Instance = System<protocol::SuzukiKasami, History>;

impl Bounds {
    fn entries(self, entries: u32) -> Bounds {
        Bounds { entries, ..self }
    }

    fn world(self, without: Option<Rule>) -> Instance {
        let system = quiet(self.nodes, Config { without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes(self.crashes);
        asked(system, 1..=self.nodes, self.entries)
    }

    fn explored(self, without: Option<Rule>) -> Explored {
        let world = self.world(without);
        if self.crashes + self.losses > 0 { explore(&world, safe(&world)) } else { live(&world, self.nodes) }
    }
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &SuzukiKasami::properties()).reachable("a node is inside", |world, state| {
        world.view(state).nodes().any(|(_, node)| node.place() == Place::Inside)
    })
}

fn live(world: &Instance, nodes: u64) -> Explored {
    explore(world, no_starvation(safe(world), nodes))
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "suzuki-kasami.1",
        text: "Suzuki-Kasami: N messages per entry, or none for the node that has the token",
        measure: || [3, 5, 10].into_iter().flat_map(|nodes| alone(nodes, None)).collect(),
        breakage: "a request goes to one node only",
        measure_broken: || alone(5, Some(Rule::Broadcast)),
        plot: None,
    },
    Claim {
        id: "suzuki-kasami.2",
        text: "Suzuki-Kasami at full load: one message delay from an exit to the next entry, and N messages for each but the holder",
        measure: || [3, 5, 10].into_iter().flat_map(|nodes| crowded(nodes, None)).collect(),
        breakage: "a node that leaves keeps the token",
        measure_broken: || crowded(5, Some(Rule::Pass)),
        plot: None,
    },
];

/// Each node enters twice in a row, far apart: for the first entry the token must come, except to the first node.
fn alone(nodes: u64, without: Option<Rule>) -> Vec<Row> {
    let mut sim = simulation::<protocol::SuzukiKasami>(nodes, Config { without, ..Config::default() });
    let mut enter = |node: u64| {
        let before = sim.statistics().sent;
        let entered = count(&round(&mut sim, node..=node), Event::Entered);
        (entered, (sim.statistics().sent - before) as f64)
    };
    let _ = enter(1);
    let (mut entries, mut to_come, mut to_stay) = (0, 0.0, 0.0);
    for node in 2..=nodes {
        let ((first, coming), (second, staying)) = (enter(node), enter(node));
        entries += first + second;
        to_come += coming;
        to_stay += staying;
    }
    let others = (nodes - 1) as f64;
    let row = |what: &str, expected: f64, sum: f64| {
        let label = format!("N={nodes}, {what}");
        exactly(label, expected, sum / others, "messages per entry", format!("{} entries", nodes - 1))
    };
    vec![
        row("the token is elsewhere", nodes as f64, to_come),
        row("the token is here", 0.0, to_stay),
        exactly(format!("N={nodes}"), 2.0 * others, entries as f64, "entries", format!("{} requests", 2 * (nodes - 1))),
    ]
}

/// All nodes ask at the same moment: one of them has the token.
fn crowded(nodes: u64, without: Option<Rule>) -> Vec<Row> {
    let config = Config { without, ..Config::default() };
    costs_at_full_load::<protocol::SuzukiKasami>(nodes, 1..=nodes, config, (nodes - 1) as f64, 1.0)
}

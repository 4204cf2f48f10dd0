//! Election on a ring after Chang and Roberts: only the highest id passes all round the ring.

use std::collections::BTreeSet;
use volvox_core::{Duration, NodeId, Property, Rng};
use volvox_election::chang_roberts::{self as protocol, ChangRoberts as Node, Command, Config};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings, World};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Latency, Simulation};

/// The chapter.
pub struct ChangRoberts;

static CARD: Card = Card {
    title: "Election on a ring after Chang and Roberts",
    mechanisms: &["ELE-03"],
    worlds: &[World::Simulated, World::Checked],
    reference: "Chang and Roberts: An improved algorithm for decentralized extrema-finding, CACM 22(5), 1979",
    reading: Reading {
        needs: &[],
        level: Level::Evening,
        teaches: "an election on a ring: the greatest name comes back",
    },
    questions: include_str!("../../../book/src/questions/chang-roberts.md"),
    source: include_str!("../../../crates/election/src/chang_roberts.rs"),
    nodes: Nodes { least: 2, most: 1_024, default: 5 },
    rules: protocol::Rule::CARDS,
    ..found!("chang-roberts")
};

impl Chapter for ChangRoberts {
    type Process = Node;
    type History = protocol::History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Node, protocol::History>> {
        protocol::properties()
    }

    fn state(process: &Node) -> NodeState {
        process.standing().into()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(&["termination"], "No node fails and no message is lost.")
    }

    /// Slow links and nodes that pause. Nothing is lost or reordered, no node crashes: see the caveats.
    fn faults(_: &Settings) -> FaultPlan {
        FaultPlan {
            from: Duration::ZERO,
            weights: FaultWeights { slow: 3, pause: 2, ..FaultWeights::NONE },
            link: volvox_core::fault::LinkFault { delay: Duration::from_millis(50), ..Default::default() },
            ..FaultPlan::default()
        }
    }
}

/// The property breaks in this many decisions.
const fn broken(name: &'static str, property: &'static str, steps: usize, explore: fn() -> Explored) -> CheckedModel {
    let text = "three nodes, each of which may begin once";
    CheckedModel { name, text, expects: Expects::Counterexample { property, steps }, explore }
}

const LEARNS: &str = "termination";

/// Every id travels once, and its sender takes part.
const ONCE: &str = "a node sends its id once an election";

static MODELS: [CheckedModel; 8] = [
    CheckedModel::holds(
        "three nodes that begin twice",
        "FIFO links; each may begin twice, also while an election is in progress: its id is in flight once at most, and the \
         sender of an id takes part",
        987,
        || once(&Bounds { nodes: 3, begins: 2, ..FOUR }.world(None)),
    ),
    CheckedModel::holds("a ring of one", "a node without another leads as soon as it begins", 2, || {
        let world = Bounds { nodes: 1, begins: 1, ..FOUR }.world(None);
        let checker = hold(Checker::new(&world), &ChangRoberts::properties()).reachable("it leads", |world, state| {
            world.view(state).nodes().any(|(id, node)| node.leader() == Some(id) && !node.participates())
        });
        explore(&world, checker)
    }),
    CheckedModel {
        name: "four nodes",
        text: "FIFO links; each may begin once, at any moment, even when it has learned; each that begins learns of \
               the highest. No failures: one ends the election, see the caveats",
        expects: Expects::Holds { states: 798 },
        explore: || FOUR.explored(None),
    },
    CheckedModel {
        name: "four nodes, links without order",
        text: "the same, but a message may overtake another: still only the highest leads",
        expects: Expects::Holds { states: 4_409 },
        explore: || {
            let world = Bounds { order: Order::Unordered, ..FOUR }.world(None);
            explore(&world, hold(Checker::new(&world).states_max(1_500_000), &ChangRoberts::properties()))
        },
    },
    CheckedModel {
        name: "a second election without order",
        text: "no rule removed; a node that has learned the result begins again, and its id overtakes the result: it is discarded \
               by the next, which still takes part",
        expects: Expects::Counterexample { property: LEARNS, steps: 11 },
        explore: || Bounds { order: Order::Unordered, ..FOUR }.explored(None),
    },
    broken("without swallow", "agreement", 4, || Bounds { nodes: 3, ..FOUR }.explored(Some(protocol::Rule::Swallow)))
        .without("swallow"),
    broken("without replace", LEARNS, 2, || Bounds { nodes: 3, ..FOUR }.explored(Some(protocol::Rule::Replace)))
        .without("replace"),
    broken("without tell", LEARNS, 4, || Bounds { nodes: 3, ..FOUR }.explored(Some(protocol::Rule::Tell)))
        .without("tell"),
];

type Instance = System<Node, protocol::History>;

bounds! {
    /// A ring of nodes, each of which may begin.
    struct Bounds;
    nodes: u64 = 4, "in the ring" in 2..=6 nodes;
    begins: u32 = 1, "of each node, at any moment, also when it has learned" in 1..=3 suspicions;
    order: Order = Order::Fifo, "in which the messages of a link arrive";
}

const FOUR: Bounds = Bounds { nodes: 4, begins: 1, order: Order::Fifo };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let world =
            Instance::with_history(self.nodes, Config { without, ring: Vec::new() }).network(self.order.network());
        (1..=self.nodes).fold(world, |world, id| world.command(NodeId(id), Command::Suspect, self.begins))
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        let checker = hold(Checker::new(&world).states_max(1_500_000), &ChangRoberts::properties());
        let checker = (1..=self.nodes).map(NodeId).fold(checker, |checker, id| {
            checker.leads_to(
                LEARNS,
                move |world, state| world.view(state).node(id).is_some_and(Node::participates),
                move |world, state| world.view(state).node(id).is_none_or(|node| !node.participates()),
            )
        });
        explore(&world, checker)
    }
}

fn once(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world), &ChangRoberts::properties()).invariant(ONCE, |world, state| {
        let view = world.view(state);
        let mut travelling = BTreeSet::new();
        view.in_flight().all(|(from, _, message)| match message {
            protocol::Message::Election(id) => {
                travelling.insert(*id) && view.node(from).is_some_and(Node::participates)
            }
            protocol::Message::Elected(_) => true,
        })
    });
    explore(world, checker)
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ELE-4",
    text: "Chang-Roberts: one initiator 3N-1 at worst; all at once N(N+1)/2 + N at worst, N H_N + N on average",
    measure: || [4, 8, 16].into_iter().flat_map(|n| costs(n, None)).collect(),
    breakage: "lower ids are forwarded",
    measure_broken: || costs(16, Some(protocol::Rule::Swallow)),
    plot: Some(|rows| {
        let (values, names) = (&[4.0, 8.0, 16.0], &["one begins, worst", "all begin, worst", "all begin, mean"]);
        Against { title: "Chang and Roberts", x_label: "nodes N", y_label: "messages", values, names }.svg(rows)
    }),
}];

/// Messages of one election on this ring.
fn election(ring: Vec<NodeId>, without: Option<protocol::Rule>, initiators: &[NodeId]) -> u64 {
    let nodes = ring.len() as u64;
    let mut sim: Simulation<Node> = Builder::new(1, nodes, Config { ring, without })
        .latency(Latency::Constant(Duration::from_millis(1)))
        .without_hash_chain()
        .build();
    let _ = sim.run_for(Duration::from_millis(1));
    initiators.iter().for_each(|id| sim.command(*id, Command::Suspect));
    let _ = sim.run_for(Duration::from_secs(1));
    sim.statistics().sent
}

fn costs(n: u64, without: Option<protocol::Rule>) -> Vec<Row> {
    const RINGS: u64 = 2_000;
    let ascending: Vec<NodeId> = (1..=n).map(NodeId).collect();
    let descending: Vec<NodeId> = ascending.iter().rev().copied().collect();
    let mut rng = Rng::new(n);
    let mut total = 0;
    for _ in 0..RINGS {
        let mut ring = ascending.clone();
        rng.shuffle(&mut ring);
        total += election(ring, without, &ascending);
    }
    let harmonic: f64 = (1..=n).map(|k| 1.0 / k as f64).sum();
    let row = |what: &str, expected: f64, measured: f64, tolerance, over: String| Row {
        label: format!("N={n}, {what}"),
        expected,
        measured,
        tolerance,
        unit: "messages",
        over,
    };
    let once = || "1 election".to_string();
    let one = election(ascending.clone(), without, &[NodeId(1)]);
    let all = election(descending, without, &ascending);
    vec![
        row("one begins, behind the highest", (3 * n - 1) as f64, one as f64, Tolerance::Exact, once()),
        row("all begin, the ring descends", (n * (n + 1) / 2 + n) as f64, all as f64, Tolerance::Exact, once()),
        row(
            "all begin, the mean",
            n as f64 * harmonic + n as f64,
            total as f64 / RINGS as f64,
            Tolerance::Relative(0.05),
            format!("{RINGS} rings"),
        ),
    ]
}

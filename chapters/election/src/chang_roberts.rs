//! Election on a ring after Chang and Roberts: only the highest id passes all round the ring.

use volvox_core::{Duration, NodeId, Property, Rng};
use volvox_election::chang_roberts::{self as protocol, ChangRoberts as Node, Command, Config};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Latency, Simulation};

/// The chapter.
pub struct ChangRoberts;

static CARD: Card = Card {
    id: "chang-roberts",
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
    scenario: include_str!("../scenarios/chang-roberts.txt"),
    golden: &[Golden {
        name: "01-two-begin.txt",
        text: include_str!("../../../crates/election/tests/scripts/chang-roberts/01-two-begin.txt"),
    }],
};

impl Chapter for ChangRoberts {
    type Process = Node;
    type History = ();

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Node, ()>> {
        protocol::properties()
    }

    fn state(process: &Node) -> String {
        process.to_string()
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

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

/// The property breaks in this many decisions.
const fn broken(name: &'static str, property: &'static str, steps: usize, explore: fn() -> Explored) -> CheckedModel {
    let text = "three nodes, each of which may begin once";
    CheckedModel { name, text, expects: Expects::Counterexample { property, steps }, explore }
}

const LEARNS: &str = "termination";

static MODELS: [CheckedModel; 6] = [
    CheckedModel {
        name: "four nodes",
        text: "FIFO links; each may begin once, at any moment, even when it has learned; each that begins learns of \
               the highest. No failures: one ends the election, see the caveats",
        expects: Expects::Holds { states: 798 },
        explore: || run(&system(4, None)),
    },
    CheckedModel {
        name: "four nodes, links without order",
        text: "the same, but a message may overtake another: still only the highest leads",
        expects: Expects::Holds { states: 4_409 },
        explore: || {
            let world = system(4, None).network(Network::unordered());
            explore(&world, hold(Checker::new(&world).states_max(1_500_000), &ChangRoberts::properties()))
        },
    },
    CheckedModel {
        name: "a second election without order",
        text: "no rule removed; a node that has learned the result begins again, and its id overtakes the result: it is discarded \
               by the next, which still takes part",
        expects: Expects::Counterexample { property: LEARNS, steps: 11 },
        explore: || run(&system(4, None).network(Network::unordered())),
    },
    broken("without swallow", "agreement", 4, || run(&system(3, Some(protocol::Rule::Swallow)))),
    broken("without replace", LEARNS, 2, || run(&system(3, Some(protocol::Rule::Replace)))),
    broken("without tell", LEARNS, 4, || run(&system(3, Some(protocol::Rule::Tell)))),
];

type Instance = System<Node>;

fn system(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    let world = System::<Node>::new(nodes, Config { without, ring: Vec::new() }).network(Network::ordered());
    (1..=nodes).fold(world, |world, id| world.command(NodeId(id), Command::Suspect, 1))
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(1_500_000), &ChangRoberts::properties());
    let checker = (1..=4).map(NodeId).fold(checker, |checker, id| {
        checker.leads_to(
            LEARNS,
            move |world, state| world.view(state).node(id).is_some_and(Node::participates),
            move |world, state| world.view(state).node(id).is_none_or(|node| !node.participates()),
        )
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

//! The bully algorithm: the highest id wins, given known bounds on delay.

use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_election::bully::{self as protocol, Bully, Command, Config};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, Latency, Simulation};

/// The chapter.
pub struct BullyAlgorithm;

static CARD: Card = Card {
    id: "bully",
    title: "The bully algorithm",
    mechanisms: &["ELE-01"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Garcia-Molina: Elections in a distributed computing system, IEEE Transactions on Computers C-31(1), 1982",
    reading: Reading {
        needs: &["ring-election"],
        level: Level::Day,
        teaches: "an election that relies on bounds on delay",
    },
    questions: include_str!("../../../book/src/questions/bully.md"),
    source: include_str!("../../../crates/election/src/bully.rs"),
    // All begin at once, and each node that is asked begins again: with 48 nodes that makes four million messages.
    nodes: Nodes { least: 2, most: 24, default: 4 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/bully.txt"),
    golden: &[
        Golden {
            name: "01-worst.txt",
            text: include_str!("../../../crates/election/tests/scripts/bully/01-worst.txt"),
        },
        Golden {
            name: "02-recovery.txt",
            text: include_str!("../../../crates/election/tests/scripts/bully/02-recovery.txt"),
        },
    ],
};

impl Chapter for BullyAlgorithm {
    type Process = Bully;
    type History = ();

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Bully, ()>> {
        protocol::properties()
    }

    fn state(process: &Bully) -> String {
        process.to_string()
    }

    fn is_leader(process: &Bully) -> bool {
        process.is_leading()
    }

    /// Crashes, and nothing that delays a message.
    fn faults(settings: &Settings) -> FaultPlan {
        plans::crashes(settings, 50, 150)
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }
}

const ONE: &str = "at most one leader";
const FOLLOW: &str = "termination";

static MODELS: [CheckedModel; 8] = [
    CheckedModel {
        name: "three nodes, a crash with return",
        text: "a message takes a tick or none; any node may crash at any moment, and restarts; the lowest may suspect. In the \
               end all follow the leader",
        expects: Expects::Holds { states: 855_537 },
        explore: || live(&prompt(3, None).crashes_and_restarts(1)),
    },
    CheckedModel {
        name: "three nodes, two crashes with return",
        text: "a message takes one tick; safety and liveness as before",
        expects: Expects::Holds { states: 282_808 },
        explore: || live(&system(3, None).timed(timed(1, 1)).crashes_and_restarts(2)),
    },
    CheckedModel {
        name: "four nodes",
        text: "a message takes one tick; all begin at once and the lowest may suspect. A crash would cost a hundred times the \
               states, and shows nothing that three nodes do not show",
        expects: Expects::Holds { states: 133_773 },
        explore: || live(&system(4, None).timed(timed(1, 1))),
    },
    CheckedModel::breaks(
        "asynchronous",
        "two nodes, no rule removed, nothing fails; but an answer may take longer than assumed",
        (ONE, 3),
        || safe(&system(2, None)),
    ),
    CheckedModel::breaks("without patience", "two nodes; they start, and both lead", (ONE, 0), || {
        safe(&synchronous(2, Some(protocol::Rule::Patience)))
    }),
    CheckedModel::breaks("without office", "two nodes, a crash with return", (ONE, 8), || {
        safe(&synchronous(2, Some(protocol::Rule::Office)).crashes_and_restarts(1))
    }),
    CheckedModel::breaks(
        "without take-over",
        "two nodes; the lower suspects, is answered, and waits forever",
        (FOLLOW, 24),
        || live(&synchronous(2, Some(protocol::Rule::TakeOver))),
    ),
    CheckedModel::breaks(
        "without hand-over",
        "three nodes, a crash with return; a message takes one tick",
        (FOLLOW, 18),
        || live(&system(3, Some(protocol::Rule::HandOver)).timed(timed(1, 1)).crashes_and_restarts(1)),
    ),
];

type Instance = System<Bully>;

const TICK: Duration = Duration::from_millis(1);

/// All begin at once. A message is assumed to take at most two ticks, and a step less than one.
fn system(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    System::<Bully>::new(nodes, Config { delay: TICK * 2, processing: TICK, without })
        .network(Network::ordered())
        .command(NodeId(1), Command::Suspect, 1)
}

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

fn synchronous(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    system(nodes, without).timed(timed(1, 2))
}

/// The same, but a message takes at most one tick, and possibly no time at all: messages on other links may overtake
/// it.
fn prompt(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    let config = Config { delay: TICK, processing: TICK, without };
    system(nodes, without).configs(move |_| config).timed(timed(0, 1))
}

fn checker(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world).states_max(1_500_000), &BullyAlgorithm::properties())
}

fn safe(world: &Instance) -> Explored {
    explore(world, checker(world))
}

/// Crashes and suspicions are few, so what holds infinitely often holds in the end.
fn live(world: &Instance) -> Explored {
    let checker = checker(world).again_and_again(FOLLOW, |world, state| {
        let view = world.view(state);
        let leader = view.nodes().find(|(_, node)| node.is_leading()).map(|(id, _)| id);
        leader.is_some() && view.nodes().all(|(_, node)| node.leader() == leader)
    });
    explore(world, checker)
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-ELE-1",
        text: "bully, the lowest survivor notices: N(N-1)/2 ELECTION, (N-1)(N-2)/2 ANSWER, N-2 COORDINATOR",
        measure: || [4, 8, 16, 32].into_iter().flat_map(|n| worst(n, None)).collect(),
        breakage: "a node that answers does not take over",
        measure_broken: || worst(8, Some(protocol::Rule::TakeOver)),
        plot: Some(|rows| {
            let (values, names) = (&[4.0, 8.0, 16.0, 32.0], &["ELECTION", "ANSWER", "COORDINATOR", "all"]);
            Against {
                title: "Bully: the lowest survivor notices",
                x_label: "nodes N",
                y_label: "messages",
                values,
                names,
            }
            .svg(rows)
        }),
    },
    Claim {
        id: "Q-ELE-2",
        text: "bully, the highest survivor notices: N-2 COORDINATOR, N-1 messages with the one to the dead",
        measure: || [4, 8, 32].into_iter().flat_map(|n| best(n, NodeId(n - 1))).collect(),
        breakage: "the second highest notices",
        measure_broken: || best(8, NodeId(6)),
        plot: None,
    },
];

/// N nodes, of which the highest leads and crashes; then `notices` begins an election. Returns the cost by kind.
fn election(n: u64, notices: NodeId, without: Option<protocol::Rule>) -> [u64; 3] {
    let config = Config { without, ..Config::default() };
    let mut sim: Simulation<Bully> =
        Builder::new(1, n, config).latency(Latency::Constant(Duration::from_millis(5))).build();
    let second = Duration::from_secs(1);
    let _ = sim.run_for(second);
    let crash = Fault::Crash { who: Target::Node(NodeId(n)), without_disk: false };
    sim.fault_after(Duration::ZERO, crash);
    let _ = sim.run_for(second);
    let count =
        |sim: &Simulation<Bully>| ["Election", "Answer", "Coordinator"].map(|kind| sim.statistics().kinds.of(kind));
    let before = count(&sim);
    sim.command(notices, Command::Suspect);
    let _ = sim.run_for(Duration::from_millis(60));
    let after = count(&sim);
    [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
}

fn row(n: u64, expected: u64, measured: u64, unit: &'static str) -> Row {
    Row {
        label: format!("N={n}"),
        expected: expected as f64,
        measured: measured as f64,
        tolerance: Tolerance::Exact,
        unit,
        over: "1 election".to_string(),
    }
}

fn worst(n: u64, without: Option<protocol::Rule>) -> Vec<Row> {
    let [elections, answers, coordinators] = election(n, NodeId(1), without);
    vec![
        row(n, n * (n - 1) / 2, elections, "ELECTION"),
        row(n, (n - 1) * (n - 2) / 2, answers, "ANSWER"),
        row(n, n - 2, coordinators, "COORDINATOR"),
        row(n, n * n - n - 1, elections + answers + coordinators, "messages"),
    ]
}

fn best(n: u64, notices: NodeId) -> Vec<Row> {
    let [elections, answers, coordinators] = election(n, notices, None);
    vec![
        row(n, n - 2, coordinators, "COORDINATOR"),
        row(n, n - 1, elections + answers + coordinators, "messages, with the one to the dead"),
    ]
}

//! The bully algorithm: the highest id wins, given known bounds on delay.

use volvox_core::fault::{LinkFault, Target};
use volvox_core::{Duration, Fault, NodeId, Property};
use volvox_election::bully::{self as protocol, Bully, Command, Config, Event};
use volvox_lab::ask::{Asking, Crashed, reversed};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Builder, FaultPlan, Latency, Simulation};

/// The chapter.
pub struct BullyAlgorithm;

static CARD: Card = Card {
    title: "The bully algorithm",
    mechanisms: &["ELE-01"],
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
    ..found!("bully")
};

impl Chapter for BullyAlgorithm {
    type Process = Bully;
    type History = ();
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Bully, ()>> {
        protocol::properties()
    }

    fn state(process: &Bully) -> NodeState {
        process.standing().into()
    }

    fn is_leader(process: &Bully) -> bool {
        process.is_leading()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(&["at most one leader"], "Without bounds on time there may be two leaders.")
    }

    /// Crashes, and nothing that delays a message.
    fn faults(settings: &Settings) -> FaultPlan {
        plans::crashes(settings, 50, 150)
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
        explore: || Bounds { crashes: 2, ..PUNCTUAL }.explored(None),
    },
    CheckedModel {
        name: "four nodes",
        text: "a message takes one tick; all begin at once and the lowest may suspect. A crash would cost a hundred times the \
               states, and shows nothing that three nodes do not show",
        expects: Expects::Holds { states: 133_773 },
        explore: || Bounds { nodes: 4, ..PUNCTUAL }.explored(None),
    },
    CheckedModel::breaks(
        "asynchronous",
        "two nodes, no rule removed, nothing fails; but an answer may take longer than assumed",
        (ONE, 3),
        || safe(&system(2, None)),
    ),
    CheckedModel::breaks(
        "without patience",
        "two nodes, of which one follows the other, and suspects it: it leads beside it. That both lead when they start is not \
         asked",
        (ONE, 3),
        || after_an_election(Some(protocol::Rule::Patience)),
    )
    .without("patience"),
    CheckedModel::breaks("without office", "two nodes, a crash with return", (ONE, 8), || {
        let rule = Some(protocol::Rule::Office);
        safe(&system(2, rule).timed(timed(1, 2)).crashes_and_restarts(1))
    })
    .without("office"),
    CheckedModel::breaks(
        "without take-over",
        "two nodes; the lower suspects, is answered, and waits forever",
        (FOLLOW, 24),
        || Bounds { nodes: 2, slowest: 2, ..PUNCTUAL }.explored(Some(protocol::Rule::TakeOver)),
    )
    .without("take-over"),
    CheckedModel::breaks(
        "without hand-over",
        "three nodes, a crash with return; a message takes one tick",
        (FOLLOW, 18),
        || Bounds { crashes: 1, ..PUNCTUAL }.explored(Some(protocol::Rule::HandOver)),
    )
    .without("hand-over"),
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

bounds! {
    /// Nodes that all begin at once, in time.
    struct Bounds;
    nodes: u64 = 3, "that begin at once" in 2..=4 nodes;
    quickest: u32 = 1, "that a message takes at least" in 0..=2 ticks;
    slowest: u32 = 1, "that a message takes at most; 2 are assumed, and only safety is asked beyond" in 1..=4 ticks;
    crashes: u32 = 0, "of nodes" in 0..=2 crashes;
    crashed: Crashed = Crashed::Returns, "what a node that crashed does";
    losses: u32 = 0, "of messages; only safety is asked with one" in 0..=2 losses;
}

/// A message takes one tick, always.
const PUNCTUAL: Bounds = Bounds { nodes: 3, quickest: 1, slowest: 1, crashes: 0, crashed: Crashed::Returns, losses: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        reversed(("quickest", self.quickest), ("slowest", self.slowest))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let Bounds { nodes, quickest, slowest, crashes, crashed, losses } = self;
        let world = system(nodes, without).network(Network::ordered().losses(losses)).timed(timed(quickest, slowest));
        let world = match crashed {
            Crashed::Returns => world.crashes_and_restarts(crashes),
            Crashed::Stays => world.crashes(crashes),
        };
        if losses == 0 && slowest <= 2 { live(&world) } else { safe(&world) }
    }
}

/// Explores what comes after one node has followed another: how they come to that is not asked.
fn after_an_election(without: Option<protocol::Rule>) -> Explored {
    let config = Config { delay: TICK * 2, processing: TICK, without };
    let has_followed = |followed: &mut bool, _, event: &Event| *followed |= matches!(event, Event::Follows(_));
    let world = System::<Bully, bool>::observed(2, config, false, has_followed)
        .network(Network::ordered())
        .timed(timed(1, 2))
        .command(NodeId(1), Command::Suspect, 1);
    let checker = Checker::new(&world).invariant(ONE, |world, state| {
        let view = world.view(state);
        !view.history() || view.nodes().filter(|(_, node)| node.is_leading()).count() < 2
    });
    explore(&world, checker)
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

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

static CLAIMS: [Claim; 2] = [
    Claim {
        id: "Q-ELE-1",
        text: "bully, the lowest survivor notices: N(N-1)/2 ELECTION, (N-1)(N-2)/2 ANSWER, N-2 COORDINATOR, whatever the \
               delays within their bound",
        measure: || {
            let worst = [4, 8, 16, 32].into_iter().flat_map(|n| worst(n, None));
            worst.chain([4, 8].map(with_any_delays)).collect()
        },
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
        text: "bully, the highest survivor notices: N-2 COORDINATOR, N-1 messages with the one to the dead; when two higher \
               nodes return, whatever the time between them, all follow the highest",
        measure: || {
            let best = [4, 8, 32].into_iter().flat_map(|n| best(n, NodeId(n - 1)));
            best.chain([two_return(None)]).collect()
        },
        breakage: "the second highest notices",
        measure_broken: || best(8, NodeId(6)),
        plot: None,
    },
];

/// N nodes, of which the highest leads and crashes; then `notices` begins an election. Returns the cost by kind.
fn election(n: u64, notices: NodeId, without: Option<protocol::Rule>) -> [u64; 3] {
    let config = Config { without, ..Config::default() };
    election_in(Builder::new(1, n, config).latency(Latency::Constant(ms(5))).build(), n, notices)
}

fn election_in(mut sim: Simulation<Bully>, n: u64, notices: NodeId) -> [u64; 3] {
    let second = Duration::from_secs(1);
    let _ = sim.run_for(second);
    let crash = Fault::Crash { who: Target::Node(NodeId(n)), without_disk: false };
    sim.fault_after(Duration::ZERO, crash);
    let _ = sim.run_for(second);
    let count =
        |sim: &Simulation<Bully>| ["Election", "Answer", "Coordinator"].map(|kind| sim.statistics().kinds.of(kind));
    let before = count(&sim);
    sim.command(notices, Command::Suspect);
    let _ = sim.run_for(ms(100));
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

/// A node that waits too briefly for the coordinator asks all others again.
fn with_any_delays(n: u64) -> Row {
    const SEEDS: u64 = 200;
    let delays = Latency::Uniform(Duration::ZERO, Config::default().delay);
    let sent = |seed| {
        let sim = Builder::new(seed, n, Config::default()).latency(delays).build();
        election_in(sim, n, NodeId(1)).iter().sum::<u64>()
    };
    let most = (1..=SEEDS).map(sent).max().unwrap_or(0);
    Row { over: format!("the most of {SEEDS} elections"), ..row(n, n * n - n - 1, most, "messages") }
}

/// n1 hears of both through n2 as well. All that n2 hears and says takes as long as it may, so that it may tell of the first
/// when n1 has heard of the second.
fn two_return(without: Option<protocol::Rule>) -> Row {
    const APART_MS: u64 = 60;
    let config = Config { without, ..Config::default() };
    let quick = Duration::from_micros(100);
    let slow = LinkFault { delay: config.delay - quick, ..LinkFault::default() };
    let follow = |apart: &u64| {
        let mut sim: Simulation<Bully> = Builder::new(1, 4, config).latency(Latency::Constant(quick)).build();
        let _ = sim.run_for(ms(1_000));
        for id in [3, 4].map(NodeId) {
            sim.fault_after(Duration::ZERO, Fault::Crash { who: Target::Node(id), without_disk: false });
        }
        let _ = sim.run_for(ms(1));
        sim.command(NodeId(2), Command::Suspect);
        let _ = sim.run_for(ms(100));
        for (from, to) in [(3, 2), (4, 2), (2, 1)] {
            sim.fault_after(Duration::ZERO, Fault::Slow(NodeId(from), NodeId(to), slow));
        }
        sim.fault_after(Duration::ZERO, Fault::Start(NodeId(3)));
        sim.fault_after(ms(*apart), Fault::Start(NodeId(4)));
        let _ = sim.run_for(ms(1_000));
        sim.live().all(|(_, node)| node.leader() == Some(NodeId(4)))
    };
    let all = (0..APART_MS).filter(follow).count() as u64;
    Row { over: format!("two return up to {APART_MS} ms apart"), ..row(4, APART_MS, all, "runs in which all follow") }
}

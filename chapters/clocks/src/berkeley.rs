//! The Berkeley algorithm.
//!
//! The models withdraw the protocol's assumptions about time one by one: clocks at all, the least delay, the greatest
//! delay.

use super::berkeley_claims;
use super::true_clocks::{asynchronous, network_and_crashes};
use volvox_clocks::berkeley::{self as protocol, Berkeley, Config, History};
use volvox_clocks::software_clock::Signed;
use volvox_core::{Duration, NodeId, Property, When, fingerprint_of};
use volvox_lab::ask::{Asking, reversed};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Network, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;

/// The chapter.
pub struct BerkeleyAlgorithm;

static CARD: Card = Card {
    title: "The Berkeley algorithm",
    mechanisms: &["TIM-05", "TIM-06"],
    reference: "Gusella and Zatti: The accuracy of the clock synchronization achieved by TEMPO in Berkeley UNIX 4.3BSD, \
                IEEE TSE 15(7), 1989",
    reading: Reading { needs: &["cristian"], level: Level::Evening, teaches: "agreeing on a time without a reference" },
    questions: include_str!("../../../book/src/questions/berkeley.md"),
    source: include_str!("../../../crates/clocks/src/berkeley.rs"),
    nodes: Nodes { least: 2, most: 64, default: 5 },
    rules: protocol::Rule::CARDS,
    ..found!("berkeley")
};

const HOUR: i64 = 3_600_000_000_000;

impl Chapter for BerkeleyAlgorithm {
    type Process = Berkeley;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &berkeley_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config {
            every: Duration::from_millis(50),
            starts_off_ns: vec![0, 40_000_000, -25_000_000, 3_000_000, -HOUR],
            without: settings.without.and_then(protocol::Rule::named),
            ..Config::default()
        }
    }

    fn properties() -> Vec<Property<Berkeley, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "master" } else { "" }
    }

    fn state(process: &Berkeley) -> NodeState {
        let ahead = Signed(process.clock().error());
        if process.is_master() { NodeState::of("master", ahead) } else { NodeState::plain(ahead) }
    }

    fn is_leader(process: &Berkeley) -> bool {
        process.is_master()
    }
    fn restarts() -> Restarts {
        Restarts::TOLERATED.by_rules(&["unique"])
    }

    fn faults(_: &Settings) -> FaultPlan {
        network_and_crashes()
    }
}

const PRECISION: &str = "precision";
const GOOD: &str = "accuracy";
const AMONG: &str = "the average lies among the good clocks";
const GRADUAL: &str = "monotonicity";

/// The property that needs an upper bound on delays.
const ALL: &str = "a round sets every clock";

static MODELS: [CheckedModel; 20] = [
    CheckedModel {
        name: "a master, two slaves, two rounds",
        text: "timed: messages take 1 to 3 ticks, min is 1, round trips of up to 3 are used; one is lost",
        expects: Expects::Holds { states: 100_275 },
        explore: || run(&Bounds { rounds: 2, losses: 1, ..THREE }.world(None)),
    },
    CheckedModel {
        name: "a master, two slaves, one round, copies",
        text: "the same; two messages are duplicated",
        expects: Expects::Holds { states: 13_165 },
        explore: || run(&Bounds { copies: 2, ..THREE }.world(None)),
    },
    CheckedModel::holds(
        "a master, one slave, two rounds, copies",
        "the same; three messages are duplicated: a late copy of a poll is answered for no round that is over",
        18_594,
        || run(&Bounds { nodes: 2, rounds: 2, copies: 3, ..THREE }.world(None)),
    ),
    CheckedModel {
        name: "a master, three slaves, one of them far off",
        text: "one round; one message is lost, one node dies",
        expects: Expects::Holds { states: 43_707 },
        explore: || run(&Bounds { nodes: 4, losses: 1, crashes: 1, ..THREE }.world(None)),
    },
    CheckedModel {
        name: "every answer within the bound",
        text: "timed: messages take 1 or 2 ticks, round trips of less than 5 are used; a master, two slaves, one round, nothing \
               is lost: every clock is set",
        expects: Expects::Holds { states: 169 },
        explore: || all_set(&slow(3, 2)),
    },
    CheckedModel::holds(
        "a copy of a poll that arrives after the next round",
        "messages take 1 to 7 ticks, which is no promise: a slave whose clock was set does not go back to an older round",
        28_281,
        || run(&Bounds { nodes: 2, rounds: 2, slowest: 7, copies: 1, ..THREE }.world(None)),
    ),
    CheckedModel::holds(
        "a master, three slaves, one of them broken and within gamma",
        "one round; one message is lost: clocks 0, 1 and -1 ticks off, and a broken one 19, where gamma is 20",
        9_611,
        || run(&within_gamma(None)),
    ),
    CheckedModel::breaks(
        "a broken clock within gamma moves the average",
        "no rule removed, the same: only a clock further away than gamma has no weight, so the average need not lie among \
         the good clocks",
        (AMONG, 6),
        || among(&within_gamma(None)),
    ),
    CheckedModel::holds(
        "a broken clock within gamma, the extremes dropped",
        "the same, but the greatest and the least offset are dropped: the average lies among the good clocks",
        6_806,
        || among(&within_gamma(Some(1))),
    ),
    CheckedModel::breaks(
        "answers later than the bound",
        "no rule removed, one slave; messages take 1 to 3 ticks: the network promises that answers arrive in time; no \
         clock is set wrongly without it, but one is not set at all",
        (ALL, 8),
        || all_set(&slow(2, 3)),
    ),
    asynchronous(|| run(&timeless(2, 1, 3, None))),
    CheckedModel::breaks(
        "a message faster than min",
        "no rule removed; messages take 0 to 3 ticks: e depends on min, which the network promises",
        (PRECISION, 7),
        || run(&Bounds { quickest: 0, ..THREE }.world(None)),
    ),
    CheckedModel::breaks("without compensation", "a master, two slaves, one round", (PRECISION, 9), || {
        run(&THREE.world(Some(protocol::Rule::Compensation)))
    })
    .without("compensation"),
    CheckedModel::breaks("without bound", "a master, two slaves, one round", (PRECISION, 11), || {
        run(&THREE.world(Some(protocol::Rule::Bound)))
    })
    .without("bound"),
    CheckedModel::breaks("without round", "a master, two slaves, two rounds", (PRECISION, 12), || {
        run(&Bounds { rounds: 2, ..THREE }.world(Some(protocol::Rule::Round)))
    })
    .without("round"),
    CheckedModel::holds(
        "a master that restarts amid a round",
        "one slave, one round a boot; messages take 1 to 3 ticks; the machine's own clock goes on",
        1_752,
        || run(&restarting(None)),
    ),
    CheckedModel::breaks("without unique", "a master that restarts amid a round, one slave", (PRECISION, 9), || {
        run(&restarting(Some(protocol::Rule::Unique)))
    })
    .without("unique"),
    CheckedModel::breaks("without gamma", "a master, three slaves, one of them far off", (GOOD, 6), || {
        run(&Bounds { nodes: 4, ..THREE }.world(Some(protocol::Rule::Gamma)))
    })
    .without("gamma"),
    CheckedModel::breaks("without delta", "a master, two slaves, one round", (PRECISION, 9), || {
        run(&THREE.world(Some(protocol::Rule::Delta)))
    })
    .without("delta"),
    CheckedModel::breaks("without slew", "a master, two slaves, one round", (GRADUAL, 6), || {
        gradual(&THREE.world(Some(protocol::Rule::Slew)))
    })
    .without("slew"),
];

type Instance = System<Berkeley, History>;

const TICK: Duration = Duration::from_millis(1);

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

/// This many rounds of this many nodes, the fourth of which is far off; answers within this many ticks are used.
fn timeless(nodes: u64, rounds: u64, round_trip_max: u32, without: Option<protocol::Rule>) -> Instance {
    configured(nodes, rounds, round_trip_max, &[0, 8, -5, -1_000], without)
}

/// The fourth of four clocks is broken, and none is further than gamma from another.
fn within_gamma(trimmed: Option<usize>) -> Instance {
    let config = Config { trimmed, ..configuration(1, 3, &[0, 1, -1, 19], None) };
    instance(4, config).timed(timed(1, 3)).network(Network::unordered().losses(1))
}

fn configured(
    nodes: u64,
    rounds: u64,
    round_trip_max: u32,
    starts_off_ms: &[i64],
    without: Option<protocol::Rule>,
) -> Instance {
    instance(nodes, configuration(rounds, round_trip_max, starts_off_ms, without))
}

fn configuration(rounds: u64, round_trip_max: u32, starts_off_ms: &[i64], without: Option<protocol::Rule>) -> Config {
    Config {
        every: TICK,
        rounds: Some(rounds),
        round_trip_max: TICK * round_trip_max,
        delay_min: TICK,
        gamma: TICK * 20,
        trimmed: None,
        slew_ppm: 100_000,
        starts_off_ns: starts_off_ms.iter().map(|ms| ms * 1_000_000).collect(),
        without,
    }
}

fn instance(nodes: u64, config: Config) -> Instance {
    Instance::with_history(nodes, config)
        .relative_to_now(|process, now| fingerprint_of(&(process, now.0)))
        .within(|view| view.nodes().any(|(_, node)| node.is_busy()) || view.in_flight().next().is_some())
}

bounds! {
    /// A master and slaves, all with clocks that are wrong in different ways; the fourth is far off.
    struct Bounds;
    nodes: u64 = 3, "the master n1, and slaves" in 2..=4 nodes;
    rounds: u64 = 1, "that the master begins" in 1..=2 rounds;
    quickest: u32 = 1, "that a message takes at least; 1 is promised" in 0..=3 ticks;
    slowest: u32 = 3, "that a message takes at most; answers are used that come within 3" in 1..=4 ticks;
    crashes: u32 = 0, "of nodes, for good" in 0..=2 crashes;
    losses: u32 = 0, "of messages" in 0..=2 losses;
    copies: u32 = 0, "of messages, which arrive once more" in 0..=2 copies;
}

/// Some round trips take longer than the limit.
const THREE: Bounds = Bounds { nodes: 3, rounds: 1, quickest: 1, slowest: 3, crashes: 0, losses: 0, copies: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        reversed(("quickest", self.quickest), ("slowest", self.slowest))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = self.world(without.and_then(protocol::Rule::named));
        explore(&world, hold(Checker::new(&world), &BerkeleyAlgorithm::properties()))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        timeless(self.nodes, self.rounds, 3, without)
            .network(Network::unordered().losses(self.losses).doubles(self.copies))
            .timed(timed(self.quickest, self.slowest))
            .crashes(self.crashes)
    }
}

/// The master may restart in the middle of its round.
fn restarting(without: Option<protocol::Rule>) -> Instance {
    Bounds { nodes: 2, ..THREE }.world(without).crashes_and_restarts(1).counting_boots().keeping_wall_clocks()
}

/// Two delays of two ticks are within the bound: a round closes when the bound is over, so they must take less.
fn slow(nodes: u64, delivery_max: u32) -> Instance {
    timeless(nodes, 1, 5, None).timed(timed(1, delivery_max))
}

/// Whether the average lies among the good clocks.
fn among(world: &Instance) -> Explored {
    let among = Property { name: AMONG, source: "TIM-06", when: When::Always, holds: protocol::among_the_good };
    explore(world, hold(Checker::new(world), &[among]))
}

/// Whether time runs forward, and nothing else.
fn gradual(world: &Instance) -> Explored {
    let properties: Vec<_> =
        BerkeleyAlgorithm::properties().into_iter().filter(|property| property.name == GRADUAL).collect();
    explore(world, hold(Checker::new(world), &properties))
}

/// The safety properties, and that at the end of the round every node received a delta.
fn all_set(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &BerkeleyAlgorithm::properties());
    let checker = checker.invariant(ALL, |world, state| {
        let view = world.view(state);
        let is_over = view.nodes().all(|(_, node)| !node.is_busy()) && view.in_flight().next().is_none();
        !is_over || view.nodes().all(|(_, node)| node.adjusted().is_some())
    });
    explore(world, checker)
}

fn run(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &BerkeleyAlgorithm::properties())
        .invariant("a round that is over does not return", |world, state| {
            world.view(state).nodes().all(|(_, node)| node.round() >= node.adjusted())
        })
        .reachable("every clock is set", |world, state| {
            world.view(state).nodes().all(|(_, node)| node.adjusted().is_some())
        });
    explore(world, checker)
}

//! Cristian's algorithm, with clocks that are set gradually.
//!
//! The models withdraw the protocol's assumptions about time one by one: clocks at all, the least delay, the greatest
//! delay.

use super::cristian_claims::{self, CLIENT};
use super::true_clocks::{asynchronous, network_and_crashes};
use volvox_clocks::cristian::{self as protocol, Config, Cristian, History};
use volvox_clocks::software_clock::Signed;
use volvox_core::{Duration, NodeId, Property, fingerprint_of};
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
pub struct CristiansAlgorithm;

static CARD: Card = Card {
    title: "Cristian's algorithm",
    mechanisms: &["TIM-01", "TIM-02", "TIM-03"],
    reference: "Cristian: Probabilistic clock synchronization, Distributed Computing 3, 1989, sections 3 to 5",
    reading: Reading {
        needs: &[],
        level: Level::Evening,
        teaches: "asking for the time, and the bound that no algorithm beats",
    },
    questions: include_str!("../../../book/src/questions/cristian.md"),
    source: include_str!("../../../crates/clocks/src/cristian.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("cristian")
};

impl Chapter for CristiansAlgorithm {
    type Process = Cristian;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &cristian_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    /// `min` is zero: then the bound is half the round trip, and holds over every network.
    fn config(settings: &Settings) -> Config {
        Config {
            delay_min: Duration::ZERO,
            every: Some(Duration::from_millis(200)),
            starts_off_ns: vec![0, 8_000_000, -5_000_000, 40_000_000],
            without: settings.without.and_then(protocol::Rule::named),
            ..Config::default()
        }
    }

    fn properties() -> Vec<Property<Cristian, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "server" } else { "client" }
    }

    fn state(process: &Cristian) -> NodeState {
        match (process.is_server(), process.estimate()) {
            (true, _) => "server".into(),
            (_, None) => "asks".into(),
            (_, Some(estimate)) => NodeState::plain(Signed(estimate.ahead_ns)),
        }
    }
    fn restarts() -> Restarts {
        Restarts::TOLERATED.by_rules(&["unique"])
    }

    fn faults(_: &Settings) -> FaultPlan {
        network_and_crashes()
    }
}

/// The properties that break without the two bounds, or without clocks.
const BOUND: &str = "error within half the round trip";
const LIMIT: &str = "accuracy";
const GRADUAL: &str = "monotonicity";

/// The property that an answer to another request breaks.
const QUICK: &str = "minimum delay";

/// The property that needs an upper bound on delays.
const CONTACT: &str = "every client makes contact";

/// A property of all clients: the answer that a client uses is its last.
const ENDS: &str = "a synchronisation ends with its answer";

static MODELS: [CheckedModel; 13] = [
    CheckedModel {
        name: "a server, three clients",
        text: "timed: messages take 1 to 4 ticks, min is 1, 2U is 4, a request lies there for 1; one is lost; two tries; \
               until all clients are done",
        expects: Expects::Holds { states: 35_326 },
        explore: || run(&Bounds { nodes: 4, ..TWO }.world(None)),
    },
    CheckedModel {
        name: "a server, two clients, two losses, one crash",
        text: "the same; a crashed node stays down",
        expects: Expects::Holds { states: 8_787 },
        explore: || run(&Bounds { nodes: 3, losses: 2, crashes: 1, ..TWO }.world(None)),
    },
    CheckedModel {
        name: "every answer within 2U",
        text: "timed: a server, two clients; messages take 1 or 2 ticks, a request lies there for 1, and 2U is 5; nothing is \
               lost: every client makes contact",
        expects: Expects::Holds { states: 61 },
        explore: || contact(&slow(3, 2)),
    },
    CheckedModel::breaks(
        "answers later than 2U",
        "no rule removed, one client; messages take 1 to 3 ticks: the network promises that answers arrive within 2U; \
         no clock is set wrongly without it, but two tries may fail",
        (CONTACT, 19),
        || contact(&slow(2, 3)),
    ),
    asynchronous(|| run(&timeless(2, 4, None))),
    CheckedModel::breaks(
        "a message faster than min",
        "no rule removed; messages take 0 to 4 ticks: the bound depends on min, which the network promises",
        (BOUND, 5),
        || run(&Bounds { quickest: 0, ..TWO }.world(None)),
    ),
    CheckedModel::breaks("without half", "a server, one client", (BOUND, 6), || {
        run(&TWO.world(Some(protocol::Rule::Half)))
    })
    .without("half"),
    CheckedModel::breaks("without handling", "a server, one client", (BOUND, 6), || {
        run(&TWO.world(Some(protocol::Rule::Handling)))
    })
    .without("handling"),
    CheckedModel::breaks("without limit", "a server, one client", (LIMIT, 9), || {
        run(&TWO.world(Some(protocol::Rule::Limit)))
    })
    .without("limit"),
    CheckedModel::breaks(
        "without number",
        "a server, one client: the first reply arrives after the second request",
        (BOUND, 11),
        || run(&TWO.world(Some(protocol::Rule::Number))),
    )
    .without("number"),
    CheckedModel {
        name: "a client crashes and restarts",
        text: "timed: a server, one client; messages take 1 to 4 ticks, one is lost, and a node crashes and restarts. The \
               model's wall clock stops while a node is down, so only round trips are asked about, and no estimate",
        expects: Expects::Holds { states: 6_755 },
        explore: || quick(&returning(None)),
    },
    CheckedModel::breaks("without unique", "as \"a client crashes and restarts\"", (QUICK, 8), || {
        quick(&returning(Some(protocol::Rule::Unique)))
    })
    .without("unique"),
    CheckedModel::breaks("without slew", "a server, one client that is ahead", (GRADUAL, 6), || {
        run(&TWO.world(Some(protocol::Rule::Slew)))
    })
    .without("slew"),
];

type Instance = System<Cristian, History>;

const TICK: Duration = Duration::from_millis(1);

/// One synchronisation of each client, with all clocks wrong in different ways; answers within this many ticks are
/// used.
fn timeless(nodes: u64, round_trip_max: u32, without: Option<protocol::Rule>) -> Instance {
    let config = Config {
        round_trip_max: TICK * round_trip_max,
        delay_min: TICK,
        pause: TICK * 6,
        tries: 2,
        every: None,
        handling: TICK,
        slew_ppm: 100_000,
        starts_off_ns: vec![1_000_000, 8_000_000, -5_000_000, 0],
        without,
    };
    Instance::with_history(nodes, config)
        .counting_boots()
        .relative_to_now(|process, now| fingerprint_of(&(process, now.0)))
        .within(|view| view.nodes().any(|(_, node)| node.is_asking()))
}

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

bounds! {
    /// A server and clients that synchronise once, all with clocks that are wrong in different ways.
    struct Bounds;
    nodes: u64 = 2, "the server n1, and clients" in 2..=4 nodes;
    quickest: u32 = 1, "that a message takes at least; 1 is promised" in 0..=3 ticks;
    slowest: u32 = 4, "that a message takes at most; round trips of up to 4 are used" in 1..=5 ticks;
    crashes: u32 = 0, "of nodes, for good" in 0..=2 crashes;
    losses: u32 = 1, "of messages" in 0..=2 losses;
    copies: u32 = 0, "of messages, which arrive once more" in 0..=2 copies;
}

/// 2U is less than the slowest round trip, and one message is lost.
const TWO: Bounds = Bounds { nodes: 2, quickest: 1, slowest: 4, crashes: 0, losses: 1, copies: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        reversed(("quickest", self.quickest), ("slowest", self.slowest))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = self.world(without.and_then(protocol::Rule::named));
        explore(&world, hold(Checker::new(&world), &properties()))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        timeless(self.nodes, 4, without)
            .network(Network::unordered().losses(self.losses).doubles(self.copies))
            .timed(timed(self.quickest, self.slowest))
            .crashes(self.crashes)
    }
}

/// All but that of round trips, which is asked where a node restarts.
fn properties() -> Vec<Property<Cristian, History>> {
    CristiansAlgorithm::properties().into_iter().filter(|property| property.name != QUICK).collect()
}

/// A client that is down has not finished either, while one of its requests is in flight.
fn returning(without: Option<protocol::Rule>) -> Instance {
    TWO.world(without).crashes_and_restarts(1).within(|view| {
        let server_is_asked = view.is_set(NodeId(1), protocol::Timer::Handled(CLIENT));
        view.nodes().any(|(_, node)| node.is_asking())
            || (view.nodes().count() < 2 && (server_is_asked || view.in_flight().next().is_some()))
    })
}

fn quick(world: &Instance) -> Explored {
    let properties: Vec<_> =
        CristiansAlgorithm::properties().into_iter().filter(|property| property.name == QUICK).collect();
    let checker = hold(Checker::new(world).states_max(2_000_000), &properties);
    let checker = checker.reachable("a client is set", |world, state| {
        world.view(state).nodes().any(|(_, node)| node.estimate().is_some())
    });
    explore(world, checker)
}

/// 2U is two delays of two ticks and the handling, and nothing is lost.
fn slow(nodes: u64, delivery_max: u32) -> Instance {
    timeless(nodes, 5, None).timed(timed(1, delivery_max))
}

/// The safety properties, and that no client gives up.
fn contact(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world).states_max(2_000_000), &CristiansAlgorithm::properties());
    let checker = checker.invariant(CONTACT, |world, state| {
        world.view(state).nodes().all(|(_, node)| node.is_server() || node.is_asking() || node.estimate().is_some())
    });
    explore(world, ends(checker))
}

/// No client waits for an answer that it has.
fn ends(checker: Checker<'_, Instance>) -> Checker<'_, Instance> {
    checker.invariant(ENDS, |world, state| {
        world.view(state).nodes().all(|(_, node)| node.estimate().is_none() || !node.is_asking())
    })
}

fn run(world: &Instance) -> Explored {
    let checker = ends(hold(Checker::new(world).states_max(2_000_000), &properties()))
        .reachable("a client is set", |world, state| {
            world.view(state).nodes().any(|(_, node)| node.estimate().is_some())
        })
        .reachable("a client gives up", |world, state| {
            world
                .view(state)
                .nodes()
                .any(|(_, node)| !node.is_server() && !node.is_asking() && node.estimate().is_none())
        });
    explore(world, checker)
}

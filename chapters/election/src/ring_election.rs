//! Election on a ring with a list: two rounds that skip dead nodes.

use volvox_core::{Duration, NodeId, Property};
use volvox_election::ring::{self as protocol, Command, Config, History, Message, Ring};
use volvox_lab::ask::{Asking, Crashed};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Durability, Network, System, Timed};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, Latency, Simulation};

/// The chapter.
pub struct RingElection;

static CARD: Card = Card {
    title: "Election on a ring, with a list",
    mechanisms: &["ELE-02"],
    reference: "Le Lann: Distributed systems: towards a formal approach, 1977",
    reading: Reading {
        needs: &["chang-roberts"],
        level: Level::Evening,
        teaches: "the same with crashes: a list, and a second round",
    },
    questions: include_str!("../../../book/src/questions/ring-election.md"),
    source: include_str!("../../../crates/election/src/ring.rs"),
    nodes: Nodes { least: 2, most: 64, default: 5 },
    rules: protocol::Rule::CARDS,
    ..found!("ring-election")
};

impl Chapter for RingElection {
    type Process = Ring;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Ring, History>> {
        protocol::properties()
    }

    fn state(process: &Ring) -> NodeState {
        process.standing().into()
    }

    fn is_leader(process: &Ring) -> bool {
        process.is_leading()
    }

    /// Crashes, and nothing that delays a message.
    fn faults(settings: &Settings) -> FaultPlan {
        plans::crashes(settings, 50, 150)
    }
}

const ONE: &str = "agreement";
const ENDS: &str = "every election ends";
const FOLLOW: &str = "termination";
const HIGHEST: &str = "validity";

static MODELS: [CheckedModel; 11] = [
    CheckedModel::holds(
        "two nodes",
        "a message takes one tick; both begin at once, no node crashes, and the highest is elected",
        36,
        || {
            let world = Bounds { nodes: 2, ..PUNCTUAL }.world(None);
            explore(&world, highest(lively(&world)))
        },
    ),
    CheckedModel::holds(
        "three nodes, two crashes for good",
        "a message takes one tick; the last node alive skips both others, and its election ends",
        20_407,
        || Bounds { crashes: 2, crashed: Crashed::Stays, ..PUNCTUAL }.explored(None),
    ),
    CheckedModel {
        name: "three nodes, a crash with return",
        text: "a message takes one tick; any node may crash at any moment, and restarts; eventually all follow a living node",
        expects: Expects::Holds { states: 116_090 },
        explore: || Bounds { crashes: 1, ..PUNCTUAL }.explored(None),
    },
    CheckedModel {
        name: "four nodes",
        text: "a message takes one tick; all begin at once, and the lowest once more; no node crashes, and the highest is elected",
        expects: Expects::Holds { states: 3_856 },
        explore: || {
            let world = Bounds { nodes: 4, suspicions: 1, ..PUNCTUAL }.world(None);
            explore(&world, highest(lively(&world)))
        },
    },
    CheckedModel {
        name: "asynchronous",
        text: "three nodes; a list may travel two ways, and one election still has one result; one early timeout",
        expects: Expects::Holds { states: 608_677 },
        explore: || safe(&impatient(None)),
    },
    CheckedModel::breaks(
        "asynchronous, and a living node is skipped",
        "the same with no rule removed: a node that is slow to acknowledge is believed to be dead, and a lower id leads",
        (HIGHEST, 4),
        || {
            let world = impatient(None);
            explore(&world, highest(checker(&world)))
        },
    ),
    CheckedModel {
        name: "three nodes, a crash for good",
        text: "a message takes one tick; a node that begins an election finishes it, or crashes",
        expects: Expects::Holds { states: 5_284 },
        explore: || Bounds { crashes: 1, crashed: Crashed::Stays, ..PUNCTUAL }.explored(None),
    },
    CheckedModel::breaks(
        "without skip",
        "three nodes, a crash for good; a failed round is not repeated: each would fail in the same way",
        (ENDS, 15),
        || {
            let stays = Bounds { crashes: 1, crashed: Crashed::Stays, ..PUNCTUAL };
            let world = stays.world(Some(protocol::Rule::Skip));
            ends(&world.timers(|_, timer| !matches!(timer, protocol::Timer::Round)), 3)
        },
    )
    .without("skip"),
    CheckedModel::breaks("without announce", "three nodes, of which one suspects; nothing fails", (FOLLOW, 33), || {
        Bounds { suspicions: 1, ..PUNCTUAL }.explored(Some(protocol::Rule::Announce))
    })
    .without("announce"),
    CheckedModel::breaks("without once", "three nodes, asynchronous, one early timeout", (ONE, 9), || {
        safe(&impatient(Some(protocol::Rule::Once)))
    })
    .without("once"),
    CheckedModel::breaks("without doubt", "three nodes, a crash with return", (FOLLOW, 46), || {
        Bounds { crashes: 1, ..PUNCTUAL }.explored(Some(protocol::Rule::Doubt))
    })
    .without("doubt"),
];

type Instance = System<Ring, History>;

const TICK: Duration = Duration::from_millis(1);

/// All begin at once. A message is assumed to take at most one tick, and a step less than one.
fn system(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    let config = Config { delay: TICK, processing: TICK, without };
    System::with_history(nodes, config).network(Network::ordered()).durability(Durability::Prompt)
}

bounds! {
    /// Nodes that all begin at once, in time.
    struct Bounds;
    nodes: u64 = 3, "in the ring, which begin at once" in 2..=4 nodes;
    suspicions: u32 = 0, "of n1, that the leader is dead, at any moment" in 0..=2 suspicions;
    delay: u32 = 1, "that a message takes; 1 is assumed, and only safety is asked beyond" in 1..=3 ticks;
    crashes: u32 = 0, "of nodes" in 0..=2 crashes;
    crashed: Crashed = Crashed::Returns, "what a node that crashed does";
    losses: u32 = 0, "of messages; only safety is asked with one" in 0..=2 losses;
}

const PUNCTUAL: Bounds = Bounds { nodes: 3, suspicions: 0, delay: 1, crashes: 0, crashed: Crashed::Returns, losses: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let time = Timed { tick: TICK, delivery_min: 1, delivery_max: self.delay, drifts_ppm: vec![0] };
        let world = system(self.nodes, without).network(Network::ordered().losses(self.losses)).timed(time);
        let world = match self.crashed {
            Crashed::Returns => world.crashes_and_restarts(self.crashes),
            Crashed::Stays => world.crashes(self.crashes),
        };
        if self.suspicions == 0 { world } else { world.command(NodeId(1), Command::Suspect, self.suspicions) }
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        match (self.losses == 0 && self.delay == 1, self.crashed) {
            (false, _) => safe(&world),
            (true, Crashed::Returns) => live(&world),
            (true, Crashed::Stays) => ends(&world, self.nodes),
        }
    }
}

/// Asynchronous: one acknowledgement is believed to be late.
fn impatient(without: Option<protocol::Rule>) -> Instance {
    system(3, without)
        .timer_budget(|timer| matches!(timer, protocol::Timer::Ack(..)), 1)
        .timer_budget(|timer| matches!(timer, protocol::Timer::Round), 0)
}

fn checker(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world).states_max(1_500_000), &RingElection::properties())
}

fn safe(world: &Instance) -> Explored {
    explore(world, checker(world))
}

/// If no node crashes, only the highest leads.
fn highest<'w>(checker: Checker<'w, Instance>) -> Checker<'w, Instance> {
    checker.invariant(HIGHEST, |world, state| {
        let view = world.view(state);
        let highest = view.nodes().map(|(id, _)| id).max();
        view.nodes().all(|(_, node)| node.leader().is_none() || node.leader() == highest)
    })
}

fn live(world: &Instance) -> Explored {
    explore(world, lively(world))
}

/// Crashes are few, so what holds infinitely often holds in the end.
fn lively(world: &Instance) -> Checker<'_, Instance> {
    checker(world).again_and_again(FOLLOW, |world, state| {
        let view = world.view(state);
        let leader = view.nodes().next().and_then(|(_, node)| node.leader());
        view.nodes().any(|(id, _)| Some(id) == leader) && view.nodes().all(|(_, node)| node.leader() == leader)
    })
}

/// A node that crashes takes a list with it, and so the election is repeated; but nothing else repeats it.
const ELECTIONS_MAX: u64 = 3;

fn ends(world: &Instance, nodes: u64) -> Explored {
    let bounded = checker(world).invariant("an election is repeated for a crash only", |world, state| {
        world.view(state).in_flight().all(|(_, _, message)| match message {
            Message::Election { election, .. } => election.number <= ELECTIONS_MAX,
            _ => true,
        })
    });
    let checker = (1..=nodes).map(NodeId).fold(bounded, |checker, id| {
        checker.leads_to(
            ENDS,
            move |world, state| world.view(state).node(id).is_some_and(Ring::is_electing),
            move |world, state| world.view(state).node(id).is_none_or(|node| !node.is_electing()),
        )
    });
    explore(world, checker)
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-ELE-3",
    text: "ring with a list: N ELECTION and N COORDINATOR for N living nodes and each initiator",
    measure: || [(4, 1), (8, 1), (8, 3), (32, 32)].into_iter().flat_map(|(n, k)| costs(n, k, None)).collect(),
    breakage: "the result is not announced",
    measure_broken: || costs(8, 1, Some(protocol::Rule::Announce)),
    plot: None,
}];

/// N nodes, of which k notice at the same moment. Acknowledgements are not counted.
fn costs(n: u64, initiators: u64, without: Option<protocol::Rule>) -> Vec<Row> {
    let config = Config { without, ..Config::default() };
    let mut sim: Simulation<Ring> =
        Builder::new(1, n, config).latency(Latency::Constant(Duration::from_millis(2))).build();
    let _ = sim.run_for(Duration::from_secs(10));
    let count = |sim: &Simulation<Ring>| ["Election", "Coordinator"].map(|kind| sim.statistics().kinds.of(kind));
    let before = count(&sim);
    (1..=initiators).for_each(|id| sim.command(NodeId(id), Command::Suspect));
    let _ = sim.run_for(Duration::from_secs(10));
    let after = count(&sim);
    let row = |expected: u64, measured: u64, unit| Row {
        label: format!("N={n}, {initiators} at once"),
        expected: expected as f64,
        measured: measured as f64,
        tolerance: Tolerance::Exact,
        unit,
        over: "1 election each".to_string(),
    };
    let (elections, coordinators) = (after[0] - before[0], after[1] - before[1]);
    vec![
        row(n * initiators, elections, "ELECTION"),
        row(n * initiators, coordinators, "COORDINATOR"),
        row(2 * n * initiators, elections + coordinators, "messages"),
    ]
}

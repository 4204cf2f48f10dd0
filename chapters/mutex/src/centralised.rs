//! The coordinator: the simplest protocol, and its limits.

use super::entries::{
    DELAY, Told, asked, costs_at_full_load, count, exactly, more_crashes_than_others, no_starvation,
    overtaking_and_pauses, quiet, simulation, told,
};
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System, Timed};
use volvox_lab::claim::{Claim, Row};
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::FaultPlan;
use volvox_mutex::centralised::{self as protocol, Config, Message, Place};
use volvox_mutex::section::{Command, Event, History};

/// The chapter.
pub struct Centralised;

static CARD: Card = Card {
    title: "Mutual exclusion by a coordinator",
    mechanisms: &["MTX-01"],
    reference: "van Steen and Tanenbaum: Distributed Systems, 3rd edition, 6.3",
    reading: Reading { needs: &[], level: Level::Evening, teaches: "mutual exclusion with a coordinator" },
    questions: include_str!("../../../book/src/questions/centralised.md"),
    source: include_str!("../../../crates/mutex/src/centralised.rs"),
    nodes: Nodes { least: 4, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("centralised")
};

impl Chapter for Centralised {
    type Process = protocol::Centralised;
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

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "coordinator" } else { "" }
    }

    fn state(process: &Self::Process) -> NodeState {
        match process.place() {
            Place::Inside => "inside".into(),
            Place::Waiting => "waits".into(),
            Place::Outside if process.queued() > 0 => NodeState::of("queue", process.queued()),
            Place::Outside => NodeState::default(),
        }
    }

    fn is_leader(process: &Self::Process) -> bool {
        process.is_coordinator()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED
            .excluding(&["no starvation"], "it is **not** replaced, since a silent node may still be inside.")
            .while_up(&[NodeId(1)], "its queue is in memory, so it must not return as if nothing had happened.")
    }

    /// Slow links that reorder messages, and nodes that pause. Nothing is lost: see the caveats.
    fn faults(_: &Settings) -> FaultPlan {
        overtaking_and_pauses()
    }
}

static MODELS: [CheckedModel; 10] = [
    CheckedModel {
        name: "three nodes, two entries each",
        text: "lossless links without order; no node starves. No crash: after one, some node waits forever",
        expects: Expects::Holds { states: 50_331 },
        explore: || Bounds { nodes: 3, entries: 2, ..TWO }.explored(None),
    },
    CheckedModel {
        name: "four nodes, one entry each",
        text: "the same",
        expects: Expects::Holds { states: 8_083 },
        explore: || Bounds { nodes: 4, ..TWO }.explored(None),
    },
    CheckedModel {
        name: "four nodes, of which two crash",
        text: "at any moment, for good: still mutual exclusion, in order",
        expects: Expects::Holds { states: 108_037 },
        explore: || Bounds { nodes: 4, crashes: 2, ..TWO }.explored(None),
    },
    CheckedModel::holds(
        "two nodes, three entries each",
        "no requested entry is forgotten, however many wait",
        2_213,
        || Bounds { entries: 3, ..TWO }.explored(None),
    ),
    CheckedModel::holds(
        "a node restarts, and the coordinator stays up",
        "three nodes, of which n2 asks twice and n3 once; links without order; a node crashes and restarts at any moment: still \
         mutual exclusion, in order, since no answer to an earlier boot is believed",
        2_518,
        restarted,
    ),
    CheckedModel::holds(
        "in time, silence means a dead coordinator",
        "three nodes, one entry each; messages take a tick at most, `Queued` is repeated every four; a crash, for good",
        13_429,
        || silence(1),
    ),
    CheckedModel {
        name: "a crash, and some node waits forever",
        text: "two nodes, one entry each, no rule removed: of the coordinator, or of the node inside",
        expects: Expects::Counterexample { property: "no starvation", steps: 5 },
        explore: || live(&Bounds { crashes: 1, ..TWO }.world(None), 2),
    },
    CheckedModel {
        name: "without queue",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "queue", property: "mutual exclusion", steps: 4 },
        explore: || TWO.explored(Some(protocol::Rule::Queue)),
    },
    CheckedModel {
        name: "without first-come",
        text: "three nodes, one entry each",
        expects: Expects::Without { rule: "first-come", property: "first come, first served", steps: 9 },
        explore: || Bounds { nodes: 3, ..TWO }.explored(Some(protocol::Rule::FirstCome)),
    },
    CheckedModel {
        name: "without release",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "release", property: "no starvation", steps: 5 },
        explore: || TWO.explored(Some(protocol::Rule::Release)),
    },
];

bounds! {
    /// Nodes that are asked to enter; n1 coordinates.
    struct Bounds;
    nodes: u64 = 2, "each of them is asked to enter, the coordinator too" in 2..=5 nodes;
    entries: u32 = 1, "that each node is asked for" in 1..=4 entries;
    crashes: u32 = 0, "of nodes, for good; with one, only safety is asked" in 0..=3 crashes;
    losses: u32 = 0, "of messages; with one, only safety is asked" in 0..=2 losses;
    order: Order = Order::Unordered, "in which the messages of a link arrive";
}

const TWO: Bounds = Bounds { nodes: 2, entries: 1, crashes: 0, losses: 0, order: Order::Unordered };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        more_crashes_than_others(self.nodes, self.crashes)
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

type Instance = System<protocol::Centralised, History>;

impl Bounds {
    /// `Queued` is sent once: repetitions, which show that the coordinator is alive, are another model.
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let system = quiet(self.nodes, Config { repeat: None, without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes(self.crashes);
        asked(system, 1..=self.nodes, self.entries)
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        if self.crashes + self.losses > 0 {
            explore(&world, safe(&world, self.nodes))
        } else {
            live(&world, self.nodes)
        }
    }
}

fn safe(world: &Instance, nodes: u64) -> Checker<'_, Instance> {
    promising(world, nodes).reachable("one of two waiting nodes", |world, state| {
        world.view(state).nodes().any(|(_, node)| node.queued() > 0)
    })
}

/// The place that a waiting node tells is the last that it heard; at most this many entries come before its own: N,
/// where its last release may still be in flight, N-1 otherwise.
fn promising(world: &Instance, most: u64) -> Checker<'_, Instance> {
    hold(Checker::new(world), &protocol::properties())
        .invariant("a waiting node tells its place", |world, state| {
            let view = world.view(state);
            view.nodes().all(|(id, node)| node.ahead().is_some() == view.history().promised(id).is_some())
        })
        .invariant("the promised place is one of the queue", move |world, state| {
            world.view(state).in_flight().all(|(_, _, message)| match message {
                Message::Queued { ahead, .. } => (1..=most).contains(ahead),
                _ => true,
            })
        })
}

/// The coordinator's queue is in memory: its restart is not promised to be harmless, and is cut off.
fn restarted() -> Explored {
    let system = quiet(3, Config { repeat: None, ..Config::default() }).counting_boots().crashes_and_restarts(1);
    let world = asked(asked(system.within(|view| view.node(COORDINATOR).is_some()), [2], 2), [3], 1);
    explore(&world, safe(&world, 3))
}

fn live(world: &Instance, nodes: u64) -> Explored {
    explore(world, no_starvation(safe(world, nodes), nodes))
}

const TICK: Duration = Duration::from_millis(10);
const COORDINATOR: NodeId = NodeId(1);

/// In time: messages take a tick at most, and `Queued` is repeated every four. A waiting node suspects the coordinator
/// if and only if it is dead.
fn silence(crashes: u32) -> Explored {
    let config = Config { stay: TICK, repeat: Some(TICK * 4), without: None };
    let timed = Timed { tick: TICK, delivery_min: 0, delivery_max: 1, drifts_ppm: vec![0] };
    let world = asked(quiet(3, config), 1..=3, 1).timed(timed).crashes(crashes);
    let checker = promising(&world, 2)
        .reachable("a node receives Queued", |world, state| {
            world.view(state).in_flight().any(|(_, _, message)| matches!(message, Message::Queued { .. }))
        })
        .invariant("accuracy", |world, state| {
            let view = world.view(state);
            // A node that crashed inside is not replaced, and the coordinator keeps informing the waiting nodes.
            view.node(COORDINATOR).is_none() || view.nodes().all(|(_, node)| !node.suspects_coordinator())
        });
    let checker = [2, 3].map(NodeId).into_iter().fold(checker, |checker, id| {
        checker.leads_to(
            "a dead coordinator is suspected",
            move |world, state| {
                let view = world.view(state);
                let waits = view.node(id).is_some_and(|node| node.place() == Place::Waiting);
                waits && view.node(COORDINATOR).is_none()
            },
            move |world, state| {
                let is_settled =
                    |node: &protocol::Centralised| node.suspects_coordinator() || node.place() != Place::Waiting;
                world.view(state).node(id).is_none_or(is_settled)
            },
        )
    });
    explore(&world, checker)
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-MTX-1",
    text: "coordinator: 3 messages per entry, 2 delays to enter when free, 2 delays from an exit to the next entry; a fourth message, Queued, for a node that must wait",
    measure: || [when_free(None), at_full_load(None)].concat(),
    breakage: "a node that leaves does not say so",
    measure_broken: || [when_free(Some(protocol::Rule::Release)), at_full_load(Some(protocol::Rule::Release))].concat(),
    plot: None,
}];

/// The nodes other than the coordinator enter one after the other, far apart.
fn when_free(without: Option<protocol::Rule>) -> Vec<Row> {
    const ENTRIES: u64 = 100;
    let mut sim = simulation::<protocol::Centralised>(5, Config { without, ..Config::default() });
    let mut all: Vec<Told> = Vec::new();
    for entry in 0..ENTRIES {
        sim.command(NodeId(2 + entry % 4), Command::Enter);
        let _ = sim.run_for(DELAY * 100);
        all.extend(told(&mut sim));
    }
    let entries = count(&all, Event::Entered);
    let waits = all.windows(2).filter(|pair| (pair[0].2, pair[1].2) == (Event::Asked, Event::Entered));
    let delays: f64 = waits.map(|pair| (pair[1].0 - pair[0].0).as_secs_f64() / DELAY.as_secs_f64()).sum();
    let over = format!("{entries} entries");
    let per_entry = |value: f64| value / entries.max(1) as f64;
    vec![
        exactly("N=5, free", 3.0, per_entry(sim.statistics().sent as f64), "messages per entry", over.clone()),
        exactly("N=5, free", 2.0, per_entry(delays), "message delays from asking to entry", over),
    ]
}

/// The four nodes other than the coordinator request entry at once: three of them are queued, and informed.
fn at_full_load(without: Option<protocol::Rule>) -> Vec<Row> {
    let config = Config { repeat: None, without, ..Config::default() };
    costs_at_full_load::<protocol::Centralised>(5, 2..=5, config, 3.0 + 0.75, 2.0)
}

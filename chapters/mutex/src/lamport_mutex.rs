//! Lamport's queue: it needs perfect FIFO links, so it runs over the channel that provides them.

use super::entries::{
    asked, costs_at_full_load, more_askers_than_nodes, more_crashes_than_others, no_starvation, quiet,
};
use std::fmt::Debug;
use volvox_channel::{Channel, Limits};
use volvox_core::erased::AnyProcess;
use volvox_core::{Process, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, System};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{Described, FaultPlan, FaultWeights};
use volvox_mutex::lamport_mutex::{self as protocol, Config, Itself, Within};
use volvox_mutex::section::{History, mutual_exclusion};

/// The chapter.
pub struct LamportMutex;

/// How a property reaches through the channel.
pub struct Through;

impl Within<Channel<protocol::LamportMutex>> for Through {
    fn within(process: &Channel<protocol::LamportMutex>) -> &protocol::LamportMutex {
        process.child()
    }
}

static CARD: Card = Card {
    title: "Lamport's queue for mutual exclusion",
    mechanisms: &["MTX-02"],
    reference: "Lamport: Time, clocks, and the ordering of events in a distributed system, CACM 21(7), 1978, pp. 561-563",
    reading: Reading {
        needs: &["total-order-multicast"],
        level: Level::Day,
        teaches: "mutual exclusion without a coordinator",
    },
    questions: include_str!("../../../book/src/questions/lamport-mutex.md"),
    source: include_str!("../../../crates/mutex/src/lamport_mutex.rs"),
    nodes: Nodes { least: 3, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("lamport-mutex")
};

impl Chapter for LamportMutex {
    type Process = Channel<protocol::LamportMutex>;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> volvox_channel::Config<Config> {
        let child = Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() };
        volvox_channel::Config { child, limits: Limits::default() }
    }

    fn properties() -> Vec<Property<Self::Process, History>> {
        protocol::properties::<_, Through>()
    }

    fn carried(message: &<Self::Process as Process>::Message) -> Option<&dyn Described> {
        message.carried().map(|message| message as _)
    }

    fn carried_timer(timer: &<Self::Process as Process>::Timer) -> Option<&dyn Debug> {
        timer.carried().map(|timer| timer as _)
    }

    fn state(process: &Self::Process) -> NodeState {
        state(process.child())
    }

    fn state_in_model(process: &AnyProcess) -> NodeState {
        process.get().map_or_else(NodeState::default, state)
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.excluding(
            &["mutual exclusion", "timestamp order", "no starvation"],
            "A node that returns has forgotten its queue, and grants entry to a node that should wait.",
        )
    }

    /// All faults that the channel masks: links that lose and reorder messages, break and pause.
    fn faults(_: &Settings) -> FaultPlan {
        let weights = FaultWeights { pause: 2, ..FaultWeights::NETWORK };
        FaultPlan { weights, ..plans::until(500, (2, 20), (5, 50)) }
    }
}

fn state(process: &protocol::LamportMutex) -> NodeState {
    match (process.is_inside(), process.request()) {
        (true, _) => "inside".into(),
        (false, Some(request)) => NodeState::of("requests", request),
        (false, None) => NodeState::default(),
    }
}

static MODELS: [CheckedModel; 12] = [
    CheckedModel {
        name: "two nodes, two entries each",
        text: "perfect FIFO links; no node starves. No crash: after one, some node waits forever",
        expects: Expects::Holds { states: 1_824 },
        explore: || Bounds { entries: 2, ..TWO }.explored(None),
    },
    CheckedModel::holds("one node alone, two entries", "no other node is asked: it enters at once", 6, || {
        Bounds { nodes: 1, entries: 2, ..TWO }.explored(None)
    }),
    CheckedModel::holds(
        "two nodes, three entries each",
        "no requested entry is forgotten, however many wait",
        18_827,
        || Bounds { entries: 3, ..TWO }.explored(None),
    ),
    CheckedModel {
        name: "three nodes, one entry each",
        text: "perfect FIFO links; no node starves. No crash: after one, some node waits forever",
        expects: Expects::Holds { states: 592_188 },
        explore: || Bounds { nodes: 3, ..TWO }.explored(None),
    },
    CheckedModel {
        name: "three nodes, of which one crashes",
        text: "n1 and n2 ask; at any moment, for good: still mutual exclusion, in timestamp order",
        expects: Expects::Holds { states: 8_683 },
        explore: || Bounds { nodes: 3, askers: 2, crashes: 1, ..TWO }.explored(None),
    },
    CheckedModel {
        name: "a crash, and some node waits forever",
        text: "two nodes, one entry each, no rule removed",
        expects: Expects::Counterexample { property: "no starvation", steps: 2 },
        explore: || live(&Bounds { crashes: 1, ..TWO }.world(None), 2),
    },
    CheckedModel {
        name: "links without order",
        text: "two nodes, one entry each, no rule removed: a reply overtakes a request, so links must be FIFO",
        expects: Expects::Counterexample { property: "mutual exclusion", steps: 4 },
        explore: || Bounds { order: Order::Unordered, ..TWO }.explored(None),
    },
    CheckedModel {
        name: "without head",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "head", property: "mutual exclusion", steps: 5 },
        explore: || TWO.explored(Some(protocol::Rule::Head)),
    },
    CheckedModel {
        name: "without later",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "later", property: "mutual exclusion", steps: 2 },
        explore: || {
            let world = TWO.world(Some(protocol::Rule::Later));
            explore(&world, hold(Checker::new(&world), &[mutual_exclusion("MTX-02")]))
        },
    },
    CheckedModel {
        name: "without clock",
        text: "two nodes, two entries each: one waits for a later stamp from a clock that stays behind",
        expects: Expects::Without { rule: "clock", property: "no starvation", steps: 8 },
        explore: || Bounds { entries: 2, ..TWO }.explored(Some(protocol::Rule::Clock)),
    },
    CheckedModel {
        name: "without tie-break",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "tie-break", property: "mutual exclusion", steps: 5 },
        explore: || TWO.explored(Some(protocol::Rule::TieBreak)),
    },
    CheckedModel {
        name: "without release",
        text: "two nodes, one entry each",
        expects: Expects::Without { rule: "release", property: "no starvation", steps: 7 },
        explore: || TWO.explored(Some(protocol::Rule::Release)),
    },
];

bounds! {
    /// Nodes that are asked to enter.
    struct Bounds;
    nodes: u64 = 2, "that take part" in 2..=4 nodes;
    askers: u64 = 0, "that are asked to enter: the first ones; with 0, all" in 0..=4 nodes;
    entries: u32 = 1, "that each of these is asked for" in 1..=4 entries;
    crashes: u32 = 0, "of nodes, for good; with one, only safety is asked" in 0..=3 crashes;
    losses: u32 = 0, "of messages; with one, only safety is asked" in 0..=2 losses;
    order: Order = Order::Fifo, "in which the messages of a link arrive";
}

const TWO: Bounds = Bounds { nodes: 2, askers: 0, entries: 1, crashes: 0, losses: 0, order: Order::Fifo };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, askers, crashes, .. } = *self;
        more_askers_than_nodes(nodes, askers).or_else(|| more_crashes_than_others(nodes, crashes))
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

type Instance = System<protocol::LamportMutex, History>;

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let system = quiet(self.nodes, Config { without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes(self.crashes);
        let askers = if self.askers == 0 { self.nodes } else { self.askers };
        asked(system, 1..=askers, self.entries)
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        if self.crashes + self.losses > 0 { explore(&world, safe(&world)) } else { live(&world, self.nodes) }
    }
}

fn safe(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &protocol::properties::<_, Itself>())
        .reachable("a node is inside", |world, state| world.view(state).nodes().any(|(_, node)| node.is_inside()))
}

fn live(world: &Instance, nodes: u64) -> Explored {
    explore(world, no_starvation(safe(world), nodes))
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-MTX-2",
    text: "Lamport's queue: 3(N-1) messages per entry; one message delay from an exit to the next entry",
    measure: || [3, 5, 10].into_iter().flat_map(|nodes| costs(nodes, None)).collect(),
    breakage: "a node that leaves does not say so",
    measure_broken: || costs(5, Some(protocol::Rule::Release)),
    plot: Some(|rows| {
        let (values, names) = (&[3.0, 5.0, 10.0], &["3(N-1)", ""]);
        Against {
            title: "Lamport's queue at full load",
            x_label: "nodes N",
            y_label: "messages per entry",
            values,
            names,
        }
        .svg(rows)
    }),
}];

/// Of the protocol itself, without the acknowledgements of the channel.
fn costs(nodes: u64, without: Option<protocol::Rule>) -> Vec<volvox_lab::claim::Row> {
    let config = Config { without, ..Config::default() };
    costs_at_full_load::<protocol::LamportMutex>(nodes, 1..=nodes, config, (3 * (nodes - 1)) as f64, 1.0)
}

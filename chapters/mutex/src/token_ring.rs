//! The token ring: one token per epoch, lost and recreated.

use super::entries::{asked, no_starvation, quiet};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::ask::{Asking, Order};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Durability, Network, State, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{FaultPlan, FaultWeights};
use volvox_mutex::section::{History, mutual_exclusion};
use volvox_mutex::token_ring::{self as protocol, Config, Epoch, Message, Record, Timer, one_token_per_epoch};

/// The chapter.
pub struct TokenRing;

static CARD: Card = Card {
    title: "Mutual exclusion by a token in a ring",
    mechanisms: &["MTX-04"],
    reference: "Le Lann: Distributed systems: towards a formal approach, IFIP Congress 1977",
    reading: Reading {
        needs: &["centralised"],
        level: Level::Day,
        teaches: "a token, its loss, and the epoch that makes the loss harmless",
    },
    questions: include_str!("../../../book/src/questions/token-ring.md"),
    source: include_str!("../../../crates/mutex/src/token_ring.rs"),
    nodes: Nodes { least: 4, most: 32, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("token-ring")
};

impl Chapter for TokenRing {
    type Process = protocol::TokenRing;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &super::token_ring_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        // The token must complete its round in time even if every node enters.
        let patience = Duration::from_millis(40) * settings.nodes as u32;
        Config { patience, without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<Self::Process, History>> {
        protocol::properties()
    }

    fn state(process: &Self::Process) -> NodeState {
        match (process.token(), process.is_inside(), process.is_claiming()) {
            (Some(epoch), true, _) => NodeState::of("inside", epoch),
            (Some(epoch), false, _) => NodeState::of("token", epoch),
            (None, true, _) => "inside".into(),
            (None, false, true) => "claims".into(),
            (None, false, false) => NodeState::default(),
        }
    }

    /// The holder of the token counts as the leader.
    fn is_leader(process: &Self::Process) -> bool {
        process.token().is_some()
    }

    /// Crashes, and links that lose a little and delay within the bound. No pause and no partition: they make a living
    /// node look dead, and then the shared resource must refuse old epochs (see the caveats, and their model).
    fn faults(_: &Settings) -> FaultPlan {
        FaultPlan {
            weights: FaultWeights { slow: 4, crash: 2, skew: 1, drift: 1, ..FaultWeights::NONE },
            link: LinkFault { delay: Duration::from_millis(4), loss_ppm: 5_000, ..LinkFault::default() },
            ..plans::until(400, (5, 60), (5, 80))
        }
    }
}

static MODELS: [CheckedModel; 13] = [
    CheckedModel {
        name: "a slow or lost token",
        text: "three nodes, of which two want to enter; no order, a loss, no bound on time: two timeouts; no node is skipped",
        expects: Expects::Holds { states: 919_417 },
        explore: || PATIENT.explored(None),
    },
    CheckedModel {
        name: "a crash, where answers arrive in time",
        text: "three nodes, of which two want to enter; messages take a tick or two, the time-out is five; a crash, for good",
        expects: Expects::Holds { states: 20_570 },
        explore: || {
            let world = in_time(None);
            explore(&world, no_starvation(accurate(one_inside(&world)), 3))
        },
    },
    CheckedModel::holds(
        "three entries of one node, in time",
        "as the last, without the crash: n2 is asked three times, at any moment, and n3 once: no entry is forgotten",
        4_552,
        || {
            let world = asked(asked(timely(None), [2], 3), [3], 1);
            explore(&world, no_starvation(accurate(hold(Checker::new(&world), &protocol::properties())), 3))
        },
    ),
    CheckedModel::holds(
        "no node is skipped, a crash and a return",
        "as the first, with one timeout and no loss: a node crashes at any moment and returns; still mutual exclusion, since a \
         node remembers the epochs that it followed",
        32_844,
        || RETURNING.explored(None),
    ),
    CheckedModel::holds(
        "two claims at once",
        "as the first, without the loss: a claim ends only where its node takes the token, or a greater one is known; so \
         the greatest returns, and no third timeout is needed",
        282_448,
        || {
            let world = Bounds { losses: 0, ..PATIENT }.world(None);
            let checker = one_inside(&world)
                .invariant("a claim is lost only to a greater one", is_claim_kept)
                .invariant("a claim in flight is awaited", is_claim_awaited)
                .invariant("no node holds a token that it would refuse", |world, state| {
                    world.view(state).nodes().all(|(_, node)| node.token().is_none_or(|token| token >= node.known()))
                });
            explore(&world, checker)
        },
    ),
    CheckedModel::holds(
        "the sender of a lost token claims",
        "as the first, but no node misses the token by itself: the one that passed it on, and hears no answer, claims",
        4_638,
        || {
            let world = Bounds { timeouts: 0, skips: 1, ..PATIENT }.world(None);
            explore(&world, one_inside(&world))
        },
    ),
    CheckedModel::holds(
        "disks that sync late",
        "three nodes, of which one wants to enter; FIFO links, one timeout, a crash and a restart: an epoch is on the disk of \
         each node that sends it",
        6_967,
        || {
            let world =
                Bounds { askers: 1, order: Order::Fifo, ..RETURNING }.world(None).durability(Durability::Separate);
            explore(&world, one_inside(&world).invariant("write-ahead logging", is_durable))
        },
    ),
    CheckedModel {
        name: "a crash, a return, and no bound on time",
        text: "three nodes, of which two want to enter; a living node may be skipped: two may be inside, but never with one epoch, so \
               that a shared thing which refuses an older epoch than it has seen serves one of them",
        expects: Expects::Holds { states: 473_935 },
        explore: || {
            let world = hasty(None);
            let checker = hold(Checker::new(&world), &[one_token_per_epoch()]);
            explore(
                &world,
                checker.invariant("mutual exclusion by fencing", is_fenced).reachable("two inside", two_inside),
            )
        },
    },
    CheckedModel::breaks(
        "no bound on time, and two nodes are inside",
        "the same with no rule removed: dead and slow cannot be told apart, so the shared resource must compare epochs",
        ("mutual exclusion", 7),
        || {
            let world = hasty(None);
            explore(&world, hold(Checker::new(&world), &[mutual_exclusion("MTX-04")]))
        },
    ),
    CheckedModel::breaks(
        "without the epoch",
        "as the first: a slow token, a timeout, two holders",
        ("mutual exclusion", 8),
        || PATIENT.explored(Some(protocol::Rule::Epoch)),
    )
    .without("epoch"),
    CheckedModel::breaks("without leaving first", "as the first", ("mutual exclusion", 8), || {
        PATIENT.explored(Some(protocol::Rule::LeaveFirst))
    })
    .without("leave-first"),
    CheckedModel::breaks(
        "without the memory of followers",
        "as \"no node is skipped, a crash and a return\"",
        ("mutual exclusion", 10),
        || RETURNING.explored(Some(protocol::Rule::MemoryOfFollowers)),
    )
    .without("memory-of-followers"),
    CheckedModel::breaks("without memory", "as the third", ("one token per epoch", 4), || {
        let world = hasty(Some(protocol::Rule::Memory));
        explore(&world, hold(Checker::new(&world), &[one_token_per_epoch()]))
    })
    .without("memory"),
];

type Instance = System<protocol::TokenRing, History>;

bounds! {
    /// A ring in which timeouts come at any moment: dead and slow cannot be told apart.
    struct Bounds;
    nodes: u64 = 3, "in the ring" in 2..=4 nodes;
    askers: u64 = 2, "that are asked to enter: the last ones" in 1..=4 nodes;
    entries: u32 = 1, "that each of these is asked for" in 1..=3 entries;
    timeouts: u32 = 2, "after which a node believes that the token is lost, in the whole run" in 0..=3 timeouts;
    skips: u32 = 0, "of a neighbour that has not answered yet; mutual exclusion is not promised with one" in 0..=2 skips;
    crashes: u32 = 0, "of nodes, which return with their disks" in 0..=2 crashes;
    losses: u32 = 0, "of messages" in 0..=2 losses;
    order: Order = Order::Unordered, "in which the messages of a link arrive";
}

/// Timeouts at any moment, but no node ever believes that its neighbour is dead.
const PATIENT: Bounds =
    Bounds { nodes: 3, askers: 2, entries: 1, timeouts: 2, skips: 0, crashes: 0, losses: 1, order: Order::Unordered };

/// As the last, except that nothing is lost, one timeout is enough, and a crashed node restarts.
const RETURNING: Bounds = Bounds { timeouts: 1, crashes: 1, losses: 0, ..PATIENT };

impl volvox_lab::ask::Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, askers, .. } = self;
        let too_many = || format!("--nodes {nodes} and --askers {askers} contradict one another: only nodes are asked");
        (askers > nodes).then(too_many)
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let tries = if self.skips > 0 { 1 } else { Config::default().tries };
        let system = quiet(self.nodes, Config { tries, without, ..Config::default() })
            .network(self.order.network().losses(self.losses))
            .crashes_and_restarts(self.crashes)
            .timer_budget(|timer| *timer == Timer::Unanswered, self.skips)
            .timer_budget(|timer| *timer == Timer::Missing, self.timeouts)
            .timer_budget(|timer| *timer == Timer::Rest, 1);
        asked(system, self.nodes + 1 - self.askers..=self.nodes, self.entries)
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = self.world(without);
        let may_be_two = self.timeouts > 0;
        let safe = if may_be_two { one_inside(&world) } else { hold(Checker::new(&world), &protocol::properties()) };
        explore(&world, safe)
    }
}

/// The epochs of the nodes that are inside.
fn epochs_inside(world: &Instance, state: &State) -> Vec<Epoch> {
    world.view(state).nodes().filter(|(_, node)| node.is_inside()).filter_map(|(_, node)| node.token()).collect()
}

/// Of the nodes that are inside, one at most has the newest epoch: once it was served, the shared thing refuses all others.
fn is_fenced(world: &Instance, state: &State) -> bool {
    let inside = epochs_inside(world, state);
    inside.iter().max().is_none_or(|newest| inside.iter().filter(|epoch| *epoch == newest).count() == 1)
}

fn two_inside(world: &Instance, state: &State) -> bool {
    epochs_inside(world, state).len() > 1
}

/// Where nothing is lost: a claim that has not returned is in flight, or waits for a node to leave, or some node knows
/// a greater one.
fn is_claim_kept(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    let is_known = |claim: Epoch, of: NodeId| {
        let is_under_way = view.in_flight().any(|(_, _, message)| *message == Message::Claim { epoch: claim });
        is_under_way || view.nodes().any(|(id, node)| node.newest() > claim || (id != of && node.is_held_up_by(claim)))
    };
    view.nodes().filter(|(_, node)| node.is_claiming()).all(|(id, node)| is_known(node.newest(), id))
}

/// Where nothing is lost and no node crashes: a claim in flight is unanswered, until its sender knows a greater one or has
/// the token.
fn is_claim_awaited(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.in_flight().all(|(from, to, message)| match (message, view.node(from)) {
        (Message::Claim { epoch }, Some(node)) if node.known() == *epoch && node.token().is_none() => {
            node.awaits() == Some((to, *message))
        }
        _ => true,
    })
}

fn is_durable(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.in_flight().all(|(from, _, message)| {
        let (records, durable) = view.records(from);
        let is_kept = |epoch| records[..durable].iter().any(|Record::Known { epoch: known }| *known >= epoch);
        match message {
            Message::Token { epoch } | Message::Claim { epoch } => is_kept(*epoch),
            Message::Received { .. } => true,
        }
    })
}

/// Where messages arrive in time, and a node that crashes stays down.
fn accurate(checker: Checker<'_, Instance>) -> Checker<'_, Instance> {
    checker.invariant("accuracy", |world, state| {
        let view = world.view(state);
        view.nodes().all(|(_, node)| node.believed_dead().all(|id| view.node(id).is_none()))
    })
}

/// Timeouts at any moment, and a node that once does not answer is skipped.
fn hasty(without: Option<protocol::Rule>) -> Instance {
    let config = Config { tries: 1, without, ..Config::default() };
    let system = quiet(3, config)
        .network(Network::ordered())
        .crashes_and_restarts(1)
        .timer_budget(|timer| *timer == Timer::Missing, 1)
        .timer_budget(|timer| *timer == Timer::Unanswered, 1)
        .timer_budget(|timer| *timer == Timer::Rest, 1);
    asked(system, 1..=2, 1)
}

const TICK: Duration = Duration::from_millis(10);

/// Time in ticks: an answer takes at most four.
fn in_time(without: Option<protocol::Rule>) -> Instance {
    asked(timely(without).crashes(1), 2..=3, 1)
}

fn timely(without: Option<protocol::Rule>) -> Instance {
    let config = Config { stay: TICK, rest: TICK, answer_within: TICK * 5, tries: 1, patience: TICK * 30, without };
    quiet(3, config).network(Network::ordered()).timed(Timed {
        tick: TICK,
        delivery_min: 1,
        delivery_max: 2,
        drifts_ppm: vec![0],
    })
}

fn one_inside(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &protocol::properties()).reachable("a second token", |world, state| {
        world.view(state).nodes().any(|(_, node)| node.token().is_some_and(|epoch| epoch.number > 1))
    })
}

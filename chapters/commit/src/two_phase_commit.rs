//! Two-phase commit: records, recovery, cooperative termination, and the window in which it blocks.

mod claims;
mod logged;

use volvox_commit::transaction::{Command, Content, Decision, History, Outcome, Transaction};
use volvox_commit::two_phase::{self as protocol, Config, Timer, TwoPhase};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::ask::{Asking, Crashed, Disks};
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Durability, Network, State, System};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::restarts::Restarts;
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};
use volvox_lab::{bounds, words};

/// The chapter.
pub struct TwoPhaseCommit;

static CARD: Card = Card {
    title: "Two-phase commit",
    mechanisms: &["ACP-02"],
    reference: "Bernstein, Hadzilacos, Goodman: Concurrency control and recovery in database systems, 1987, 7.4",
    reading: Reading { needs: &[], level: Level::Day, teaches: "all or nothing, and why it may block" },
    questions: include_str!("../../../book/src/questions/two-phase-commit.md"),
    source: include_str!("../../../crates/commit/src/two_phase/mod.rs"),
    nodes: Nodes { least: 2, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    ..found!("two-phase-commit")
};

impl Chapter for TwoPhaseCommit {
    type Process = TwoPhase;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<TwoPhase, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "coordinator" } else { "participant" }
    }

    fn state(process: &TwoPhase) -> NodeState {
        process.newest().into()
    }

    fn is_leader(process: &TwoPhase) -> bool {
        process.is_coordinator()
    }

    fn restarts() -> Restarts {
        Restarts::TOLERATED.by_rules(&["unique"])
    }

    /// All faults that leave the disk intact, since the protocol relies on the log.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: Duration::ZERO,
            every: Latency::Exponential { minimum: ms(1), mean: ms(60) },
            lasting: Latency::Exponential { minimum: ms(1), mean: ms(150) },
            weights: FaultWeights { crash: 8, crash_all: 1, pause: 2, disk_slow: 1, ..FaultWeights::NETWORK },
            down_max: Some(3),
            link: LinkFault { duplicate_ppm: 200_000, reorder_ppm: 200_000, ..FaultPlan::default().link },
            ..FaultPlan::default()
        }
    }
}

const SAME: &str = "agreement";
const ENDS: &str = "termination";
const LOGGED: &str = "write-ahead logging";

static MODELS: [CheckedModel; 18] = [
    CheckedModel {
        name: "two participants, one crash",
        text: "links that lose and reorder at will; disks that sync late; three timeouts in a run",
        expects: Expects::Holds { states: 404_738 },
        explore: || writes_ahead(&late_disks(Config::default())),
    },
    CheckedModel {
        name: "two participants, two crashes",
        text: "links that lose, duplicate and reorder at will; disks that sync at once; one participant may refuse",
        expects: Expects::Holds { states: 578_918 },
        explore: || Bounds { crashes: 2, ..ANYTHING }.explored(None),
    },
    CheckedModel {
        name: "three participants, no crash",
        text: "links that lose, duplicate and reorder at will, and timers that fire at any moment; a crash would cost 30 times \
               the states, and shows nothing that two participants do not show",
        expects: Expects::Holds { states: 9_206 },
        explore: || Bounds { nodes: 4, refusals: 0, ..ANYTHING }.explored(None),
    },
    CheckedModel {
        name: "a participant begins, two crashes",
        text: "two participants; links that lose, duplicate and reorder at will; disks that sync at once",
        expects: Expects::Holds { states: 361_272 },
        explore: || safe(&begun_by(NodeId(2), Bounds { crashes: 2, ..ANYTHING }.quiet(None))),
    },
    CheckedModel::holds(
        "the only participant begins, one crash",
        "the same, with one participant: its yes completes the votes at once",
        326,
        || safe(&begun_by(NodeId(2), Bounds { nodes: 2, crashes: 1, ..ANYTHING }.quiet(None))),
    ),
    CheckedModel {
        name: "begun twice, a crash before the sync",
        text: "two participants, FIFO links, disks that sync late; the coordinator begins a transaction and, after a crash \
               or not, another with another content; no timeout is early",
        expects: Expects::Holds { states: 72_203 },
        explore: || named(&begun_twice(None)),
    },
    CheckedModel {
        name: "the coordinator takes part, one crash",
        text: "three participants; links that lose and reorder at will; disks that sync late; three timeouts",
        expects: Expects::Holds { states: 404_738 },
        explore: || writes_ahead(&late_disks(Config { is_colocated: true, ..Config::default() })),
    },
    CheckedModel {
        name: "nothing fails",
        text: "three participants, FIFO links, no timeout: all decide, and commit if no participant refuses (AC4)",
        expects: Expects::Holds { states: 549 },
        explore: || nothing_fails(4, Network::ordered()),
    },
    CheckedModel::holds(
        "nothing fails, links without order",
        "two participants: the abort may overtake the request for a vote, and still all decide",
        134,
        || nothing_fails(3, Network::unordered()),
    ),
    CheckedModel {
        name: "a crashed node restarts",
        text: "two participants, FIFO links, one crash with restart: termination (AC5)",
        expects: Expects::Holds { states: 233_162 },
        explore: || live(&in_order().crashes_and_restarts(1)),
    },
    CheckedModel::breaks(
        "a crashed node stays down",
        "the same without the restart: the coordinator takes the decision with it, and uncertain participants wait. No rule was \
         removed; this is the blocking that the protocol is known for",
        (ENDS, 10),
        || live(&in_order().crashes(1)),
    ),
    CheckedModel::breaks("without prepared", "two participants, one crash", (SAME, 9), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Prepared))
    })
    .without("prepared"),
    CheckedModel::breaks("without committed", "two participants, one crash", (SAME, 10), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Committed))
    })
    .without("committed"),
    CheckedModel::breaks("without unanimity", "two participants, one crash", ("validity", 3), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Unanimity))
    })
    .without("unanimity"),
    CheckedModel::breaks("without uncertain", "two participants, one crash", (SAME, 6), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Uncertain))
    })
    .without("uncertain"),
    CheckedModel::breaks("without refusal", "two participants, one crash", (SAME, 8), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Refusal))
    })
    .without("refusal"),
    CheckedModel::breaks("without acknowledged", "two participants, one crash", (SAME, 10), || {
        Bounds { crashes: 1, ..ANYTHING }.explored(Some(protocol::Rule::Acknowledged))
    })
    .without("acknowledged"),
    UNIQUE,
];

/// The script of the golden file 05, found by the checker.
const UNIQUE: CheckedModel = CheckedModel::breaks(
    "without unique",
    "two participants; two transactions with different contents, the coordinator crashes before its sync and begins again",
    ("agreement on the content", 11),
    || named(&begun_twice(Some(protocol::Rule::Unique))),
).without("unique");

type Instance = System<TwoPhase, History>;

const COORDINATOR: NodeId = NodeId(1);

fn system(nodes: u64, config: Config) -> Instance {
    System::with_history(nodes, config).counting_boots()
}

/// One transaction, over links without order, with slow disks: messages that wait for a disk are part of the state, so
/// repeated questions need a budget.
fn late_disks(config: Config) -> Instance {
    system(3, config)
        .network(Network::unordered())
        .durability(Durability::Separate)
        .crashes_and_restarts(1)
        .timer_budget(|timer| matches!(timer, Timer::Decision(_)), 2)
        .timer_budget(|timer| matches!(timer, Timer::Acks(_)), 1)
        .command(COORDINATOR, Command::Begin, 1)
}

/// Two transactions with different contents, and a crash that may make the coordinator forget the first.
fn begun_twice(without: Option<protocol::Rule>) -> Instance {
    system(3, Config { without, ..Config::default() })
        .network(Network::ordered())
        .durability(Durability::Separate)
        .crashes_and_restarts(1)
        .timers(|_, _| false)
        .command(COORDINATOR, Command::BeginWith(Content(1)), 1)
        .command(COORDINATOR, Command::BeginWith(Content(2)), 1)
}

words! {
    /// The promises of a link.
    enum Links { Fifo = "fifo", Unordered = "unordered", Anything = "anything" }
}

bounds! {
    /// The coordinator begins a transaction; with more than one, they have different contents.
    struct Bounds;
    nodes: u64 = 3, "the coordinator n1, and participants" in 2..=4 nodes;
    transactions: u64 = 1, "that the coordinator begins" in 1..=2 transactions;
    refusals: u32 = 0, "of the last participant, which votes no" in 0..=1 refusals;
    timeouts: u32 = 2, "that fire in a run where disks are late; where they are prompt, any number" in 0..=4 timeouts;
    crashes: u32 = 0, "of nodes" in 0..=2 crashes;
    crashed: Crashed = Crashed::Returns, "what a node that crashed does, with its disk";
    order: Links = Links::Unordered, "what links do: anything is loss, repetition and overtaking at will";
    disks: Disks = Disks::Prompt, "whether a sync is an event of its own";
}

/// Over links that may do anything; one participant may refuse.
const ANYTHING: Bounds = Bounds {
    nodes: 3,
    transactions: 1,
    refusals: 1,
    timeouts: 0,
    crashes: 0,
    crashed: Crashed::Returns,
    order: Links::Anything,
    disks: Disks::Prompt,
};

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    /// No transaction has begun.
    fn quiet(self, without: Option<protocol::Rule>) -> Instance {
        let system = system(self.nodes, Config { without, ..Config::default() }).network(match self.order {
            Links::Fifo => Network::ordered().queue_max(QUEUE_MAX),
            Links::Unordered => Network::unordered().queue_max(QUEUE_MAX),
            Links::Anything => Network::duplicating(),
        });
        let system = match self.disks {
            Disks::Prompt => system.durability(Durability::Prompt),
            Disks::Late => system.durability(Durability::Separate).timer_budget(|_| true, self.timeouts),
        };
        let system = match self.crashed {
            Crashed::Returns => system.crashes_and_restarts(self.crashes),
            Crashed::Stays => system.crashes(self.crashes),
        };
        if self.refusals == 0 { system } else { system.command(NodeId(self.nodes), Command::Refuse, 1) }
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let world = match self.transactions {
            1 => begun_by(COORDINATOR, self.quiet(without)),
            count => (1..=count).fold(self.quiet(without), |system, content| {
                system.command(COORDINATOR, Command::BeginWith(Content(content)), 1)
            }),
        };
        if self.order == Links::Anything && self.disks == Disks::Prompt {
            return safe(&world);
        }
        explore(&world, checker(&world).reachable("a commit", decided(Decision::Commit)))
    }
}

/// A bound on links, so that questions that are repeated without end have an end.
const QUEUE_MAX: usize = 2;

fn begun_by(node: NodeId, system: Instance) -> Instance {
    system.command(node, Command::Begin, 1)
}

/// One transaction, over links that lose messages only when the sender or receiver crashes.
fn in_order() -> Instance {
    system(3, Config::default()).network(Network::ordered().queue_max(2)).durability(Durability::Prompt).command(
        COORDINATOR,
        Command::Begin,
        1,
    )
}

fn checker(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world).states_max(4_000_000), &TwoPhaseCommit::properties())
        .invariant("a node asks again while it waits, and no longer", asks_while_it_waits)
}

/// A coordinator waits for votes or acknowledgements, and a participant for the decision: exactly then a timer is set.
fn asks_while_it_waits(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.history().iter().all(|(transaction, _)| {
        view.nodes().all(|(id, node)| {
            let is_set = |timer: fn(Transaction) -> Timer| view.is_set(id, timer(*transaction));
            let coordinates = node.coordinating().any(|one| one == *transaction);
            let is_uncertain = node.uncertain().any(|one| one == *transaction);
            (is_set(Timer::Votes) || is_set(Timer::Acks)) == coordinates && is_set(Timer::Decision) == is_uncertain
        })
    })
}

/// Whether some node has made this decision.
fn decided(decision: Decision) -> impl Fn(&Instance, &State) -> bool {
    move |world, state| {
        world.view(state).history().iter().any(|(_, outcome)| outcome.decisions.values().any(|made| *made == decision))
    }
}

fn safe(world: &Instance) -> Explored {
    explore(world, both_ways(checker(world)))
}

fn both_ways(checker: Checker<'_, Instance>) -> Checker<'_, Instance> {
    checker.reachable("a commit", decided(Decision::Commit)).reachable("an abort", decided(Decision::Abort))
}

/// Where disks sync late.
fn writes_ahead(world: &Instance) -> Explored {
    explore(world, both_ways(checker(world).invariant(LOGGED, logged::is_logged)))
}

/// Both transactions can commit.
fn named(world: &Instance) -> Explored {
    let checker = checker(world).reachable("both commit", |world, state| {
        let view = world.view(state);
        let committed = |outcome: &Outcome| outcome.decisions.values().any(|made| *made == Decision::Commit);
        view.history().iter().filter(|(_, outcome)| committed(outcome)).count() == 2
    });
    explore(world, checker)
}

/// Every participant that voted yes and is up decides, or crashes.
fn live(world: &Instance) -> Explored {
    let checker = [2, 3].map(NodeId).into_iter().fold(checker(world), |checker, id| {
        let waits = move |world: &Instance, state: &State| {
            world.view(state).node(id).is_some_and(|node| node.uncertain().next().is_some())
        };
        checker.leads_to(ENDS, waits, move |world, state| !waits(world, state))
    });
    let full = "a link holds two messages and drops further ones, as every link does; questions are repeated";
    explore(world, checker.bounds_are_budgets(full))
}

fn nothing_fails(nodes: u64, network: Network) -> Explored {
    let world = system(nodes, Config::default())
        .network(network)
        .durability(Durability::Separate)
        .timers(|_, _| false)
        .command(COORDINATOR, Command::Begin, 1)
        .command(NodeId(2), Command::Refuse, 1);
    let checker = checker(&world)
        .invariant(LOGGED, logged::is_logged)
        .leads_to(
            "every transaction ends",
            |world, state| world.view(state).commands_left(0) == 0,
            |world, state| {
                let view = world.view(state);
                let mut outcomes = view.history().iter();
                outcomes.any(|(_, outcome)| outcome.decisions.len() as u64 == 1 + outcome.participants.unwrap_or(0))
            },
        )
        .invariant("commit if all vote yes", |world, state| {
            world.view(state).history().iter().all(|(_, outcome)| {
                let all_voted_yes = Some(outcome.yes.len() as u64) == outcome.participants;
                !all_voted_yes || outcome.decisions.values().all(|made| *made == Decision::Commit)
            })
        });
    explore(&world, checker)
}

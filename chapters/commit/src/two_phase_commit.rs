//! Two-phase commit: records, recovery, cooperative termination, and the window in which it blocks.

mod claims;

use volvox_commit::transaction::{Command, Content, Decision, History, Outcome};
use volvox_commit::two_phase::{self as protocol, Config, TwoPhase};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Durability, Network, System};
use volvox_lab::claim::Claim;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};

/// The chapter.
pub struct TwoPhaseCommit;

static CARD: Card = Card {
    id: "two-phase-commit",
    title: "Two-phase commit",
    mechanisms: &["ACP-02"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Bernstein, Hadzilacos, Goodman: Concurrency control and recovery in database systems, 1987, 7.4",
    reading: Reading { needs: &[], level: Level::Day, teaches: "all or nothing, and why it may block" },
    questions: include_str!("../../../book/src/questions/two-phase-commit.md"),
    source: include_str!("../../../crates/commit/src/two_phase/mod.rs"),
    nodes: Nodes { least: 2, most: 64, default: 4 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/two-phase-commit.txt"),
    golden: &[
        Golden {
            name: "01-commit.txt",
            text: include_str!("../../../crates/commit/tests/scripts/two-phase/01-commit.txt"),
        },
        Golden {
            name: "02-blocked.txt",
            text: include_str!("../../../crates/commit/tests/scripts/two-phase/02-blocked.txt"),
        },
        Golden {
            name: "03-cooperation.txt",
            text: include_str!("../../../crates/commit/tests/scripts/two-phase/03-cooperation.txt"),
        },
        Golden {
            name: "04-a-participant-begins.txt",
            text: include_str!("../../../crates/commit/tests/scripts/two-phase/04-a-participant-begins.txt"),
        },
        Golden {
            name: "05-a-name-is-given-once.txt",
            text: include_str!("../../../crates/commit/tests/scripts/two-phase/05-a-name-is-given-once.txt"),
        },
    ],
};

impl Chapter for TwoPhaseCommit {
    type Process = TwoPhase;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<TwoPhase, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "coordinator" } else { "participant" }
    }

    fn state(process: &TwoPhase) -> String {
        process.to_string()
    }

    fn is_leader(process: &TwoPhase) -> bool {
        process.is_coordinator()
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

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        claims::CLAIMS.to_vec()
    }
}

const SAME: &str = "agreement";
const ENDS: &str = "termination";

static MODELS: [CheckedModel; 16] = [
    CheckedModel {
        name: "two participants, one crash",
        text: "links that lose and reorder at will; disks that sync late; three timeouts in a run",
        expects: Expects::Holds { states: 404_738 },
        explore: || safe(&late_disks(Config::default())),
    },
    CheckedModel {
        name: "two participants, two crashes",
        text: "links that lose, duplicate and reorder at will; disks that sync at once; one participant may refuse",
        expects: Expects::Holds { states: 578_918 },
        explore: || safe(&anything(Config::default(), COORDINATOR, 2)),
    },
    CheckedModel {
        name: "three participants, no crash",
        text: "links that lose, duplicate and reorder at will, and timers that fire at any moment; a crash would cost 30 times \
               the states, and shows nothing that two participants do not show",
        expects: Expects::Holds { states: 9_206 },
        explore: || {
            let world = system(4, Config::default()).network(Network::duplicating()).durability(Durability::Prompt);
            safe(&world.command(COORDINATOR, Command::Begin, 1))
        },
    },
    CheckedModel {
        name: "a participant begins, two crashes",
        text: "two participants; links that lose, duplicate and reorder at will; disks that sync at once",
        expects: Expects::Holds { states: 361_272 },
        explore: || safe(&anything(Config::default(), NodeId(2), 2)),
    },
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
        explore: || safe(&late_disks(Config { is_colocated: true, ..Config::default() })),
    },
    CheckedModel {
        name: "nothing fails",
        text: "three participants, FIFO links, no timeout: all decide, and commit if no participant refuses (AC4)",
        expects: Expects::Holds { states: 549 },
        explore: nothing_fails,
    },
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
        without(protocol::Rule::Prepared)
    }),
    CheckedModel::breaks("without committed", "two participants, one crash", (SAME, 10), || {
        without(protocol::Rule::Committed)
    }),
    CheckedModel::breaks("without unanimity", "two participants, one crash", ("validity", 3), || {
        without(protocol::Rule::Unanimity)
    }),
    CheckedModel::breaks("without uncertain", "two participants, one crash", (SAME, 6), || {
        without(protocol::Rule::Uncertain)
    }),
    CheckedModel::breaks("without refusal", "two participants, one crash", (SAME, 8), || {
        without(protocol::Rule::Refusal)
    }),
    CheckedModel::breaks("without acknowledged", "two participants, one crash", (SAME, 10), || {
        without(protocol::Rule::Acknowledged)
    }),
    UNIQUE,
];

/// The script of the golden file 05, found by the checker.
const UNIQUE: CheckedModel = CheckedModel::breaks(
    "without unique",
    "two participants; two transactions with different contents, the coordinator crashes before its sync and begins again",
    ("agreement on the content", 11),
    || named(&begun_twice(Some(protocol::Rule::Unique))),
);

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
        .timer_budget(|timer| matches!(timer, protocol::Timer::Decision(_)), 2)
        .timer_budget(|timer| matches!(timer, protocol::Timer::Acks(_)), 1)
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

/// One transaction, over arbitrary links; one participant may refuse.
fn anything(config: Config, begins: NodeId, crashes: u32) -> Instance {
    system(3, config)
        .network(Network::duplicating())
        .durability(Durability::Prompt)
        .crashes_and_restarts(crashes)
        .command(begins, Command::Begin, 1)
        .command(NodeId(3), Command::Refuse, 1)
}

/// One transaction, over links that lose messages only when the sender or receiver crashes.
fn in_order() -> Instance {
    system(3, Config::default()).network(Network::ordered().queue_max(2)).durability(Durability::Prompt).command(
        COORDINATOR,
        Command::Begin,
        1,
    )
}

fn without(rule: protocol::Rule) -> Explored {
    safe(&anything(Config { without: Some(rule), ..Config::default() }, COORDINATOR, 1))
}

fn checker(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world).states_max(4_000_000), &TwoPhaseCommit::properties())
}

/// Whether some node has made this decision.
fn decided(decision: Decision) -> impl Fn(&Instance, &volvox_lab::check::State) -> bool {
    move |world, state| {
        world.view(state).history().iter().any(|(_, outcome)| outcome.decisions.values().any(|made| *made == decision))
    }
}

fn safe(world: &Instance) -> Explored {
    let checker =
        checker(world).reachable("a commit", decided(Decision::Commit)).reachable("an abort", decided(Decision::Abort));
    explore(world, checker)
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
        let waits = move |world: &Instance, state: &volvox_lab::check::State| {
            world.view(state).node(id).is_some_and(|node| node.uncertain().next().is_some())
        };
        checker.leads_to(ENDS, waits, move |world, state| !waits(world, state))
    });
    let full = "a link holds two messages and drops further ones, as every link does; questions are repeated";
    explore(world, checker.bounds_are_budgets(full))
}

fn nothing_fails() -> Explored {
    let world = system(4, Config::default())
        .network(Network::ordered())
        .durability(Durability::Separate)
        .timers(|_, _| false)
        .command(COORDINATOR, Command::Begin, 1)
        .command(NodeId(2), Command::Refuse, 1);
    let checker = checker(&world)
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

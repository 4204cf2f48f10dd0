//! Single-decree Paxos, and its intricacies: duelling proposers, and the memory of an acceptor.

use super::paxos_duel::Duel;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Picture, Property};
use volvox_lab::chapter::{Card, Chapter, Golden, Nodes, Settings, World};
use volvox_lab::check::{Checker, Network, System, View};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, explore_plain, hold};
use volvox_lab::plot::Against;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{Builder, FaultPlan, FaultWeights, Happening, Latency};
use volvox_paxos::single::{self as protocol, Command, Config, Event, History, Learning, Value};

/// The chapter.
pub struct Paxos;

static CARD: Card = Card {
    id: "paxos",
    title: "Single-decree Paxos",
    mechanisms: &["CON-03", "CON-04"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Lamport: Paxos Made Simple, 2001; The Part-Time Parliament, ACM TOCS 16(2), 1998",
    reading: Reading {
        needs: &["two-phase-commit"],
        level: Level::Week,
        teaches: "agreement with a majority, whatever is lost or late",
    },
    questions: include_str!("../../../book/src/questions/paxos.md"),
    source: include_str!("../../../crates/paxos/src/single/mod.rs"),
    nodes: Nodes { least: 3, most: 15, default: 5 },
    rules: protocol::Rule::CARDS,
    scenario: include_str!("../scenarios/paxos.txt"),
    golden: &[
        golden("01-one-proposer.txt", include_str!("../../../crates/paxos/tests/scripts/01-one-proposer.txt")),
        golden("02-adoption.txt", include_str!("../../../crates/paxos/tests/scripts/02-adoption.txt")),
        golden("03-a-promise-kept.txt", include_str!("../../../crates/paxos/tests/scripts/03-a-promise-kept.txt")),
        golden(
            "04-a-crash-forgets-nothing.txt",
            include_str!("../../../crates/paxos/tests/scripts/04-a-crash-forgets-nothing.txt"),
        ),
    ],
};

const fn golden(name: &'static str, text: &'static str) -> Golden {
    Golden { name, text }
}

impl Chapter for Paxos {
    type Process = protocol::Paxos;
    type History = History;

    fn card() -> &'static Card {
        &CARD
    }

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<protocol::Paxos, History>> {
        protocol::properties()
    }

    fn state(process: &protocol::Paxos) -> String {
        match (process.chosen(), process.attempt()) {
            (Some(value), _) => format!("chose {value}"),
            (None, Some(protocol::Attempt::Preparing { ballot, .. })) => format!("prepares {ballot}"),
            (None, Some(protocol::Attempt::Accepting { ballot, .. })) => format!("proposes {ballot}"),
            (None, None) => process.acceptor().promised.map_or(String::new(), |ballot| format!("promised {ballot}")),
        }
    }

    /// All faults except lost disks: links that lose, duplicate and reorder messages, and crashes of all at once.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: Duration::ZERO,
            until: ms(600),
            every: Latency::Exponential { minimum: ms(2), mean: ms(25) },
            lasting: Latency::Exponential { minimum: ms(5), mean: ms(80) },
            weights: FaultWeights {
                partition: 3,
                cut: 2,
                slow: 4,
                pause: 2,
                crash: 5,
                crash_all: 1,
                skew: 1,
                drift: 1,
                disk_slow: 2,
                ..FaultWeights::NONE
            },
            link: LinkFault {
                delay: ms(40),
                loss_ppm: 300_000,
                duplicate_ppm: 300_000,
                reorder_ppm: 300_000,
                ..LinkFault::default()
            },
            ..FaultPlan::default()
        }
    }

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        CLAIMS.to_vec()
    }

    fn is_done(picture: &Picture<'_, protocol::Paxos, History>) -> bool {
        !picture.nodes.is_empty() && picture.nodes.iter().all(|(_, node)| node.chosen().is_some())
    }
}

static MODELS: [CheckedModel; 17] = [
    CheckedModel {
        name: "two proposers",
        text: "three processes, two of which propose, one ballot each; lossy links without order",
        expects: Expects::Holds { states: 53_128 },
        explore: || safe(&world(3, None)),
    },
    CheckedModel {
        name: "two proposers and a crash",
        text: "the same, and one process that crashes at any moment and restarts with its disk",
        expects: Expects::Holds { states: 1_222_430 },
        explore: || safe(&world(3, None).crashes_and_restarts(1)),
    },
    CheckedModel {
        name: "two proposers, and a message that arrives twice",
        text: "any message",
        expects: Expects::Holds { states: 813_257 },
        explore: || safe(&world(3, None).network(Network::unordered().keep_ignored().doubles(1))),
    },
    CheckedModel {
        name: "a second ballot",
        text: "one of the proposers begins another ballot at any moment; FIFO links",
        expects: Expects::Holds { states: 486_836 },
        explore: || safe(&configured(3, Config::default(), 1).network(Network::ordered())),
    },
    CheckedModel {
        name: "all learn",
        text: "acceptors inform every learner; a crash and a restart; FIFO links",
        expects: Expects::Holds { states: 804_848 },
        explore: || safe(&all_learners(None).network(Network::ordered()).crashes_and_restarts(1)),
    },
    CheckedModel {
        name: "a distinguished proposer decides",
        text: "its proposal is decided in every fair run: only node 1 begins ballots; one message is lost, and two timers \
               fire at any moment. No crash: with the only proposer gone for good nothing is decided",
        expects: Expects::Holds { states: 86_397 },
        explore: || decides(2, Network::ordered().losses(1)),
    },
    CheckedModel::holds(
        "a second ballot, a message lost",
        "only n1 may begin a second ballot, and any message is lost: an acceptor that receives an `Accept` whose `Prepare` never \
         came must refuse older ballots from then on",
        1_404_159,
        || safe(&second_of_n1(Config::default()).network(Network::ordered().losses(1))),
    ),
    CheckedModel::holds(
        "a second ballot, a message lost, an acceptor crashes",
        "only n1 may begin a second ballot; only n3 crashes and restarts, when a `Prepare` was lost and it accepted what it \
         had not promised: from then on it must refuse older ballots, as if it had promised",
        1_597_301,
        || {
            let world = second_of_n1(Config::default()).network(Network::ordered().losses(1));
            safe(&third_crashes(world, accepted_what_it_had_not_promised))
        },
    ),
    CheckedModel::holds(
        "a copy of a request is not a refusal",
        "the distinguished proposer's value is decided in every fair run, with one ballot: no timer fires, and any message \
         comes twice",
        11_857,
        || decides(0, Network::unordered().doubles(1)),
    ),
    CheckedModel::holds(
        "a learner asks the distinguished proposer",
        "only n1 begins ballots; n3 may crash, miss that a value was chosen, restart and ask: in every fair run it learns, and \
         begins no ballot for it; nothing is lost between processes that run, and no timer fires",
        2_025,
        learns,
    ),
    CheckedModel {
        name: "without intersection",
        text: "four processes, two of which are half of them",
        expects: Expects::Counterexample { property: "agreement", steps: 10 },
        explore: || safe(&world(4, Some(protocol::Rule::Intersection))),
    },
    CheckedModel {
        name: "without promises on disk",
        text: "one crash: the amnesia of a single acceptor",
        expects: Expects::Counterexample { property: "agreement", steps: 12 },
        explore: || safe(&world(3, Some(protocol::Rule::PromiseOnDisk)).crashes_and_restarts(1)),
    },
    CheckedModel {
        name: "without acceptances on disk",
        text: "one crash: the amnesia of a single acceptor",
        expects: Expects::Counterexample { property: "agreement", steps: 12 },
        explore: || safe(&world(3, Some(protocol::Rule::AcceptanceOnDisk)).crashes_and_restarts(1)),
    },
    CheckedModel {
        name: "without keeping promises",
        text: "no crash is needed",
        expects: Expects::Counterexample { property: "agreement", steps: 10 },
        explore: || safe(&world(3, Some(protocol::Rule::PromiseKept))),
    },
    CheckedModel {
        name: "without adopting the newest",
        text: "no crash is needed",
        expects: Expects::Counterexample { property: "agreement", steps: 10 },
        explore: || safe(&world(3, Some(protocol::Rule::AdoptNewest))),
    },
    CheckedModel {
        name: "without counting one ballot only",
        text: "acceptors inform every learner; no crash is needed",
        expects: Expects::Counterexample { property: "agreement", steps: 8 },
        explore: || {
            let world = all_learners(Some(protocol::Rule::SameBallot)).network(Network::unordered().keep_ignored());
            safe(&world)
        },
    },
    CheckedModel {
        name: "without backoff two proposers duel forever",
        text: "three processes, nothing is lost, no process crashes, every message eventually arrives, and links keep the \
               order: a run that repeats itself. Rounds are counted from the lowest alive, and are at most two apart",
        expects: Expects::Counterexample { property: "termination", steps: 24 },
        explore: || {
            let duel = Duel::default();
            explore_plain(duel.checker())
        },
    },
];

type World_ = System<protocol::Paxos, History>;

fn world(nodes: u64, without: Option<protocol::Rule>) -> World_ {
    configured(nodes, Config { without, ..Config::default() }, 0).network(Network::unordered().keep_ignored())
}

fn all_learners(without: Option<protocol::Rule>) -> World_ {
    configured(3, Config { learning: Learning::Everybody, without, ..Config::default() }, 0)
}

/// Nodes 1 and 2 propose different values, and timers fire this many times in total, at any moment.
fn configured(nodes: u64, config: Config, retries: u32) -> World_ {
    World_::with_history(nodes, config)
        .timer_budget(|_| true, retries)
        .command(NodeId(1), Command::Propose(Value(1)), 1)
        .command(NodeId(2), Command::Propose(Value(2)), 1)
}

fn safe(world: &World_) -> Explored {
    let checker = hold(Checker::new(world), &protocol::properties())
        .reachable("a value is chosen", |world, state| !world.view(state).history().chosen.is_empty());
    explore(world, checker)
}

fn decides(retries: u32, network: Network) -> Explored {
    let config = Config { distinguished: Some(NodeId(1)), ..Config::default() };
    let world = configured(3, config, retries).network(network);
    let checker = hold(Checker::new(&world), &protocol::properties()).leads_to(
        "termination",
        |world, state| world.view(state).node(NodeId(1)).is_some_and(|node| node.wish().is_some()),
        |world, state| world.view(state).node(NodeId(1)).is_some_and(|node| node.chosen().is_some()),
    );
    explore(&world, checker)
}

/// As the last, except that only n1's timer fires, once.
fn second_of_n1(config: Config) -> World_ {
    let is_n1 = |node: &protocol::Paxos| node.wish() == Some(Value(1));
    configured(3, config, 1).timers(move |node, _| is_n1(node))
}

type Seen<'a> = View<'a, protocol::Paxos, History>;

/// Only n3 crashes, once, and only while its disk holds records of which `when` is true.
fn third_crashes(world: World_, when: fn(&[&protocol::Record]) -> bool) -> World_ {
    world.crashes_and_restarts(1).within(move |view: &Seen<'_>| {
        let [n1, n2, n3] = [1, 2, 3].map(|id| view.node(NodeId(id)).is_some());
        n1 && n2 && (n3 || when(&view.records(NodeId(3)).0))
    })
}

/// Whether it accepted a ballot that is newer than all that it had promised.
fn accepted_what_it_had_not_promised(records: &[&protocol::Record]) -> bool {
    let promised = records.iter().filter_map(|record| match record {
        protocol::Record::Promised(ballot) => Some(*ballot),
        protocol::Record::Accepted(..) => None,
    });
    let promised = promised.max();
    records.iter().any(|record| matches!(record, protocol::Record::Accepted(ballot, _) if Some(*ballot) > promised))
}

fn learns() -> Explored {
    let config = Config { distinguished: Some(NodeId(1)), ..Config::default() };
    let world = World_::with_history(3, config)
        .network(Network::ordered())
        .timer_budget(|_| true, 0)
        .command(NodeId(1), Command::Propose(Value(1)), 1)
        .command(NodeId(3), Command::Learn, 1);
    let world = third_crashes(world, |_| true);
    let asks = |view: &Seen<'_>| view.in_flight().any(|(_, _, message)| *message == protocol::Message::Inquire);
    let checker = hold(Checker::new(&world), &protocol::properties())
        .invariant("only the distinguished proposer begins ballots", |world, state| {
            world.view(state).nodes().all(|(id, node)| id == NodeId(1) || node.attempt().is_none())
        })
        .reachable("n3 asks when the value has been chosen", move |world, state| {
            let view = world.view(state);
            asks(&view) && view.node(NodeId(1)).is_some_and(|node| node.chosen().is_some())
        })
        .bounds_are_budgets("only n3 crashes: runs in which another node crashes are not explored")
        .leads_to(
            "a learner that asks learns",
            move |world, state| {
                let view = world.view(state);
                asks(&view) && !view.history().proposed.is_empty()
            },
            |world, state| world.view(state).node(NodeId(3)).is_none_or(|node| node.chosen().is_some()),
        );
    explore(&world, checker)
}

static CLAIMS: [Claim; 1] = [Claim {
    id: "Q-CON-1",
    text: "Paxos from cold: 4 delays, 4(n-1) messages, where the proposer is the distinguished learner",
    measure: || cold(Learning::Proposer),
    breakage: "every acceptor informs every learner",
    measure_broken: || cold(Learning::Everybody),
    plot: Some(|rows| {
        let (values, names) = (&[3.0, 5.0, 7.0], &["4(n-1)", ""]);
        Against {
            title: "Paxos from cold",
            x_label: "acceptors n",
            y_label: "messages until the proposer knows",
            values,
            names,
        }
        .svg(rows)
    }),
}];

/// One proposal, by a different node in each run, over links with a constant latency and disks that take no time.
fn cold(learning: Learning) -> Vec<Row> {
    const DELAY: Duration = Duration::from_millis(1);
    const RUNS: u64 = 20;
    let mut rows = Vec::new();
    for nodes in [3, 5, 7] {
        let (mut messages, mut delays) = (0, 0.0);
        for run in 0..RUNS {
            let config = Config { learning, ..Config::default() };
            let mut sim = Builder::<protocol::Paxos>::new(run, nodes, config)
                .latency(Latency::Constant(DELAY))
                .sync(Latency::Constant(Duration::ZERO))
                .build();
            let proposer = NodeId(run % nodes + 1);
            sim.command(proposer, Command::Propose(Value(run)));
            let _ = sim.run_for(DELAY * 20);
            let chosen = sim
                .happened()
                .find(|one| one.node == proposer && matches!(one.what, Happening::Event(Event::Chosen(_))))
                .expect("a lone proposer over good links decides");
            delays += chosen.at.0 as f64 / DELAY.as_nanos() as f64;
            let kinds = &sim.statistics().kinds;
            messages += ["Prepare", "Promise", "Accept", "Accepted"].map(|kind| kinds.of(kind)).iter().sum::<u64>();
        }
        let over = || format!("{RUNS} runs");
        rows.push(Row {
            label: format!("n={nodes}"),
            expected: 4.0 * (nodes as f64 - 1.0),
            measured: messages as f64 / RUNS as f64,
            tolerance: Tolerance::Exact,
            unit: "messages",
            over: over(),
        });
        rows.push(Row {
            label: format!("n={nodes}"),
            expected: 4.0,
            measured: delays / RUNS as f64,
            tolerance: Tolerance::Exact,
            unit: "delays until the proposer knows",
            over: over(),
        });
    }
    rows
}

//! Three-phase commit: non-blocking and safe given known bounds on delay, and broken by a partition.

mod claims;

use volvox_commit::three_phase::{self as protocol, Command, Config, History, Message, Phase, Record, ThreePhase};
use volvox_commit::transaction::{Content, Decision, Vote};
use volvox_core::{Duration, NodeId, Property};
use volvox_lab::ask::{Asking, Crashed};
use volvox_lab::bounds;
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings, World};
use volvox_lab::check::{Checker, Durability, Network, State, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::plans;
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::FaultPlan;

/// The chapter.
pub struct ThreePhaseCommit;

static CARD: Card = Card {
    title: "Three-phase commit",
    mechanisms: &["ACP-04"],
    worlds: &[World::Simulated, World::Checked],
    reference: "Skeen: Nonblocking commit protocols, SIGMOD 1981; Bernstein, Hadzilacos, Goodman 1987, 7.5",
    reading: Reading {
        needs: &["two-phase-commit"],
        level: Level::Day,
        teaches: "how not to block, and what that assumes",
    },
    questions: include_str!("../../../book/src/questions/three-phase-commit.md"),
    source: include_str!("../../../crates/commit/src/three_phase/mod.rs"),
    nodes: Nodes { least: 2, most: 64, default: 3 },
    rules: protocol::Rule::CARDS,
    ..found!("three-phase-commit")
};

impl Chapter for ThreePhaseCommit {
    type Process = ThreePhase;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<ThreePhase, History>> {
        protocol::properties()
    }

    fn role(node: NodeId, _: u64) -> &'static str {
        if node.0 == 1 { "coordinator" } else { "participant" }
    }

    fn state(process: &ThreePhase) -> NodeState {
        process.newest().into()
    }

    fn is_leader(process: &ThreePhase) -> bool {
        process.is_coordinating()
    }

    /// Crashes, even of all nodes, and nothing that delays a message.
    fn faults(settings: &Settings) -> FaultPlan {
        plans::crashes(settings, 60, 200)
    }
}

const SAME: &str = "agreement";

static MODELS: [CheckedModel; 11] = [
    CheckedModel {
        name: "two participants, two crashes",
        text: "a message takes one tick or two, and is assumed to take less than three; one participant may refuse; the \
               nodes that are left decide (AC5)",
        expects: Expects::Holds { states: 5_072 },
        explore: || Bounds { crashes: 2, ..IN_TIME }.explored(None),
    },
    CheckedModel {
        name: "three participants, one crash",
        text: "a message takes a tick or none, and is assumed to take less than two; one participant may refuse",
        expects: Expects::Holds { states: 16_460 },
        explore: || accurate(&quick(4).crashes(1)),
    },
    CheckedModel {
        name: "crashed nodes restart, two crashes",
        text: "two participants; a message takes one tick or two; a restarted node asks, and all decide, even if all had crashed",
        expects: Expects::Holds { states: 709_632 },
        explore: || Bounds { crashes: 2, crashed: Crashed::Returns, ..IN_TIME }.explored(None),
    },
    CheckedModel {
        name: "nothing fails",
        text: "three participants; commit if no node refuses (AC4)",
        expects: Expects::Holds { states: 1_555 },
        explore: nothing_fails,
    },
    CheckedModel::holds(
        "disks that sync late",
        "two participants; links in order, a crash and a restart, one timeout at any moment, so no agreement is asked; one \
         participant may refuse: no message or event is ahead of its record",
        24_805,
        logged,
    ),
    CheckedModel::breaks(
        "asynchronous",
        "two participants, no rule removed, nothing fails; but a message may take longer than assumed",
        (SAME, 8),
        || safe(&system(3, None)),
    ),
    CheckedModel::breaks(
        "a cut",
        "two participants, no rule removed, in time; two messages are lost, both between the coordinator and the others",
        (SAME, 23),
        || Bounds { losses: 2, ..IN_TIME }.explored(None),
    ),
    CheckedModel::breaks("without pre-commit", "two participants, one crash", (SAME, 21), || {
        safe(&Bounds { crashes: 1, ..IN_TIME }.world(Some(protocol::Rule::PreCommit)))
    })
    .without("pre-commit"),
    CheckedModel::breaks("without acks", "two participants, one crash", (SAME, 21), || {
        safe(&Bounds { crashes: 1, ..IN_TIME }.world(Some(protocol::Rule::Acks)))
    })
    .without("acks"),
    CheckedModel::breaks("without again", "two participants, two crashes", (SAME, 34), || {
        safe(&Bounds { crashes: 2, ..IN_TIME }.world(Some(protocol::Rule::Again)))
    })
    .without("again"),
    CheckedModel::breaks("without unanimity", "two participants, of whom one may refuse", (SAME, 18), || {
        safe(&IN_TIME.world(Some(protocol::Rule::Unanimity)))
    })
    .without("unanimity"),
];

type Instance = System<ThreePhase, History>;

const TICK: Duration = Duration::from_millis(1);

/// One transaction, over links that lose messages only when the sender or receiver crashes.
fn instance(nodes: u64, config: Config) -> Instance {
    asked(System::with_history(nodes, config).network(Network::ordered()), nodes)
}

fn asked(system: Instance, nodes: u64) -> Instance {
    system.command(NodeId(1), Command::BeginWith(Content(7)), 1).command(NodeId(nodes), Command::Refuse, 1)
}

fn system(nodes: u64, without: Option<protocol::Rule>) -> Instance {
    instance(nodes, Config { delay: TICK * 3, without })
}

fn timed(delivery_min: u32, delivery_max: u32) -> Timed {
    Timed { tick: TICK, delivery_min, delivery_max, drifts_ppm: vec![0] }
}

bounds! {
    /// One transaction, in time, which the last participant may refuse.
    struct Bounds;
    nodes: u64 = 3, "the coordinator n1, and participants" in 2..=4 nodes;
    delay: u32 = 2, "that a message takes at most, and one at least; less than 3 is assumed" in 1..=4 ticks;
    crashes: u32 = 0, "of nodes" in 0..=2 crashes;
    crashed: Crashed = Crashed::Stays, "what a node that crashed does, with its disk";
    losses: u32 = 0, "of messages; only safety is asked where the links break their promises" in 0..=2 losses;
}

const IN_TIME: Bounds = Bounds { nodes: 3, delay: 2, crashes: 0, crashed: Crashed::Stays, losses: 0 };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> Instance {
        let system =
            system(self.nodes, without).network(Network::ordered().losses(self.losses)).timed(timed(1, self.delay));
        match self.crashed {
            Crashed::Stays => system.crashes(self.crashes),
            Crashed::Returns => system.crashes_and_restarts(self.crashes),
        }
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        let is_promised = self.losses == 0 && self.delay < 3;
        let world = self.world(without);
        match (is_promised, self.crashed) {
            (true, Crashed::Stays) => accurate(&world),
            (true, Crashed::Returns) => live(&world),
            (false, _) => safe(&world),
        }
    }
}

fn quick(nodes: u64) -> Instance {
    instance(nodes, Config { delay: TICK * 2, without: None }).timed(timed(0, 1))
}

fn checker(world: &Instance) -> Checker<'_, Instance> {
    hold(Checker::new(world), &ThreePhaseCommit::properties()).invariant(
        "a decision ends the collecting",
        |world, state| {
            world.view(state).nodes().all(|(_, node)| !node.is_coordinating() || node.undecided().next().is_some())
        },
    )
}

/// Whether a node has made this decision.
fn decided(decision: Decision) -> impl Fn(&Instance, &State) -> bool {
    move |world, state| {
        world.view(state).history().iter().any(|(_, outcome)| outcome.decisions.values().any(|made| *made == decision))
    }
}

fn safe(world: &Instance) -> Explored {
    explore(world, checker(world))
}

/// Every node that takes part decides, or crashes.
fn live(world: &Instance) -> Explored {
    explore(world, terminating(world))
}

/// Where crashed nodes stay down: moreover, silence means a crash, and a coordinator takes over once.
fn accurate(world: &Instance) -> Explored {
    let checker = terminating(world)
        .invariant("only dead coordinators are replaced", |world, state| {
            let view = world.view(state);
            let is_dead = |id: NodeId| view.node(id).is_none();
            view.nodes().filter(|(_, node)| node.is_coordinating()).all(|(id, _)| (1..id.0).map(NodeId).all(is_dead))
        })
        .invariant("a coordinator asks for states once", |world, state| {
            let asked = |one: &(NodeId, NodeId, &Message)| matches!(one.2, Message::StateReq(_));
            let mut links: Vec<_> =
                world.view(state).in_flight().filter(asked).map(|(from, to, _)| (from, to)).collect();
            let count = links.len();
            links.sort_unstable();
            links.dedup();
            links.len() == count
        });
    explore(world, checker)
}

fn terminating(world: &Instance) -> Checker<'_, Instance> {
    let checker =
        checker(world).reachable("a commit", decided(Decision::Commit)).reachable("an abort", decided(Decision::Abort));
    (1..=4).map(NodeId).fold(checker, |checker, id| {
        let waits = move |world: &Instance, state: &State| {
            world.view(state).node(id).is_some_and(|node| node.undecided().next().is_some())
        };
        checker.leads_to("termination", waits, move |world, state| !waits(world, state))
    })
}

/// A yes, a request for votes and a decision reveal what must survive a crash.
fn logged() -> Explored {
    let system = System::with_history(3, Config { delay: TICK * 3, without: None })
        .network(Network::ordered())
        .durability(Durability::Separate)
        .crashes_and_restarts(1)
        .timer_budget(|_| true, 1);
    let world = asked(system, 3);
    let checker = Checker::new(&world)
        .invariant("write-ahead logging", is_logged)
        .reachable("a commit", decided(Decision::Commit))
        .reachable("an abort", decided(Decision::Abort));
    explore(&world, checker)
}

fn is_logged(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    let has_kept = |node: NodeId, test: &dyn Fn(&Record) -> bool| {
        let (records, durable) = view.records(node);
        records[..durable].iter().any(|record| test(record))
    };
    let has_entered = |node| has_kept(node, &|record| matches!(record, Record::Entered(..)));
    let has_decided =
        |node, decision| has_kept(node, &|record| matches!(record, Record::Decided(_, one) if *one == decision));
    let is_true = |from: NodeId, message: &Message| match message {
        Message::VoteReq(..) | Message::Vote(_, Vote::Yes) | Message::Ack(_) => has_entered(from),
        Message::Vote(_, Vote::No) => has_decided(from, Decision::Abort),
        Message::Decision(_, decision) | Message::State(_, Phase::Decided(decision)) => has_decided(from, *decision),
        _ => true,
    };
    // There is one transaction: a node that takes part, or has decided, has told so, even if it crashed before. A yes need
    // not be told once it cannot be sent: the abort is on the same disk.
    let has_told = |node: NodeId| {
        view.history().iter().any(|(transaction, outcome)| {
            outcome.yes.contains(&node) || (node == transaction.origin && outcome.participants.is_some())
        })
    };
    let is_announced = |node: NodeId| {
        let made = [Decision::Commit, Decision::Abort].into_iter().find(|made| has_decided(node, *made));
        let told = view.history().iter().find_map(|(_, outcome)| outcome.decisions.get(&node).copied());
        (!has_entered(node) || made == Some(Decision::Abort) || has_told(node)) && (made.is_none() || made == told)
    };
    view.in_flight().all(|(from, _, message)| is_true(from, message))
        && view.nodes().all(|(id, _)| is_announced(id))
        && view.history().iter().all(|(transaction, outcome)| {
            outcome.participants.is_none_or(|_| has_entered(transaction.origin))
                && outcome.yes.iter().all(|node| has_entered(*node))
                && outcome.decisions.iter().all(|(node, decision)| has_decided(*node, *decision))
        })
}

fn nothing_fails() -> Explored {
    let world = quick(4);
    let checker = checker(&world).invariant("non-triviality", |world, state| {
        world.view(state).history().iter().all(|(_, outcome)| {
            let all_voted_yes = Some(outcome.yes.len() as u64) == outcome.participants;
            !all_voted_yes || outcome.decisions.values().all(|made| *made == Decision::Commit)
        })
    });
    explore(&world, checker.reachable("a commit", decided(Decision::Commit)))
}

//! Single-decree Paxos, and its intricacies: duelling proposers, and the memory of an acceptor.

use super::paxos_claims;
use super::paxos_duel::{Arrival, Duel};
use super::paxos_models::{
    World_, abandons, accepted_what_it_had_not_promised, decides, late_disks, learns, requested, safe, second_of_n1,
    third_crashes,
};
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId, Picture, Property};
use volvox_lab::ask::{Asking, Instance, Order};
use volvox_lab::chapter::{Card, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::Network;
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{ByHand, CheckedModel, Expects, Explored, explore_deliveries};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};
use volvox_lab::{bounds, words};
use volvox_paxos::single::{self as protocol, Command, Config, History, Learning, Value};

/// The chapter.
pub struct Paxos;

static CARD: Card = Card {
    title: "Single-decree Paxos",
    mechanisms: &["CON-03", "CON-04"],
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
    ..found!("paxos")
};

impl Chapter for Paxos {
    type Process = protocol::Paxos;
    type History = History;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &paxos_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    fn config(settings: &Settings) -> Config {
        Config { without: settings.without.and_then(protocol::Rule::named), ..Config::default() }
    }

    fn properties() -> Vec<Property<protocol::Paxos, History>> {
        protocol::properties()
    }

    fn state(process: &protocol::Paxos) -> NodeState {
        match (process.chosen(), process.attempt()) {
            (Some(value), _) => NodeState::of("chose", value),
            (None, Some(protocol::Attempt::Preparing { ballot, .. })) => NodeState::of("prepares", ballot),
            (None, Some(protocol::Attempt::Accepting { ballot, .. })) => NodeState::of("proposes", ballot),
            (None, None) => {
                let promised = process.acceptor().promised;
                promised.map_or(NodeState::default(), |ballot| NodeState::of("promised", ballot))
            }
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

    fn is_done(picture: &Picture<'_, protocol::Paxos, History>) -> bool {
        !picture.nodes.is_empty() && picture.nodes.iter().all(|(_, node)| node.chosen().is_some())
    }
}

static MODELS: [CheckedModel; 22] = [
    CheckedModel {
        name: "two proposers",
        text: "three processes, two of which propose, one ballot each; lossy links without order",
        expects: Expects::Holds { states: 53_128 },
        explore: || TWO_PROPOSERS.explored(None),
    },
    CheckedModel {
        name: "two proposers and a crash",
        text: "the same, and one process that crashes at any moment and restarts with its disk",
        expects: Expects::Holds { states: 1_222_430 },
        explore: || Bounds { crashes: 1, ..TWO_PROPOSERS }.explored(None),
    },
    CheckedModel {
        name: "two proposers, and a message that arrives twice",
        text: "any message",
        expects: Expects::Holds { states: 813_257 },
        explore: || Bounds { copies: 1, ..TWO_PROPOSERS }.explored(None),
    },
    CheckedModel {
        name: "a second ballot",
        text: "one of the proposers begins another ballot at any moment; FIFO links",
        expects: Expects::Holds { states: 486_836 },
        explore: || Bounds { retries: 1, order: Order::Fifo, ..TWO_PROPOSERS }.explored(None),
    },
    CheckedModel {
        name: "all learn",
        text: "acceptors inform every learner; a crash and a restart; FIFO links",
        expects: Expects::Holds { states: 804_848 },
        explore: || Bounds { learners: Learners::All, crashes: 1, order: Order::Fifo, ..TWO_PROPOSERS }.explored(None),
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
    CheckedModel::holds(
        "one process decides alone",
        "a majority of one: its own promise and its own acceptance suffice, also when it asked before what was chosen",
        5,
        || requested(1, NodeId(1), Config::default()),
    ),
    CheckedModel::holds(
        "two processes learn",
        "both are a majority, and acceptors inform every learner: each counts its own acceptance, and both learn",
        25,
        || requested(2, NodeId(1), Config { learning: Learning::All, ..Config::default() }),
    ),
    CheckedModel::holds(
        "another process requests",
        "three processes, of which only n1 begins ballots, also to learn whether a value was chosen; n2 requests a value, and it \
         is decided in every fair run; nothing is lost, and no timer fires",
        227,
        || requested(3, NodeId(2), Config { distinguished: Some(NodeId(1)), ..Config::default() }),
    ),
    CheckedModel::holds(
        "a refused ballot is abandoned",
        "two proposers, one ballot each; FIFO links, nothing is lost, and no timer fires: a proposer whose ballot another \
         acceptor may no longer accept decides, or learns of it and abandons the ballot",
        14_115,
        abandons,
    ),
    CheckedModel::holds(
        "an acceptor crashes before its disk is done",
        "two proposers, one ballot each; FIFO links; disks sync at any moment; only n3 crashes, once a value is chosen",
        86_666,
        late_disks,
    ),
    CheckedModel {
        name: "without intersection",
        text: "four processes, two of which are half of them",
        expects: Expects::Without { rule: "intersection", property: "agreement", steps: 10 },
        explore: || Bounds { nodes: 4, ..TWO_PROPOSERS }.explored(Some(protocol::Rule::Intersection)),
    },
    CheckedModel {
        name: "without promises on disk",
        text: "one crash: the amnesia of a single acceptor",
        expects: Expects::Without { rule: "promise-on-disk", property: "agreement", steps: 12 },
        explore: || Bounds { crashes: 1, ..TWO_PROPOSERS }.explored(Some(protocol::Rule::PromiseOnDisk)),
    },
    CheckedModel {
        name: "without acceptances on disk",
        text: "one crash: the amnesia of a single acceptor",
        expects: Expects::Without { rule: "acceptance-on-disk", property: "agreement", steps: 12 },
        explore: || Bounds { crashes: 1, ..TWO_PROPOSERS }.explored(Some(protocol::Rule::AcceptanceOnDisk)),
    },
    CheckedModel {
        name: "without keeping promises",
        text: "no crash is needed",
        expects: Expects::Without { rule: "promise-kept", property: "agreement", steps: 10 },
        explore: || TWO_PROPOSERS.explored(Some(protocol::Rule::PromiseKept)),
    },
    CheckedModel {
        name: "without adopting the newest",
        text: "no crash is needed",
        expects: Expects::Without { rule: "adopt-newest", property: "agreement", steps: 10 },
        explore: || TWO_PROPOSERS.explored(Some(protocol::Rule::AdoptNewest)),
    },
    CheckedModel {
        name: "without counting one ballot only",
        text: "acceptors inform every learner; no crash is needed",
        expects: Expects::Without { rule: "same-ballot", property: "agreement", steps: 8 },
        explore: || Bounds { learners: Learners::All, ..TWO_PROPOSERS }.explored(Some(protocol::Rule::SameBallot)),
    },
    CheckedModel {
        name: "without backoff two proposers duel forever",
        text: "three processes, nothing is lost, no process crashes, every message eventually arrives, and links keep the \
               order: a run that repeats itself. Rounds are counted from the lowest alive, and are at most two apart",
        expects: Expects::Without { rule: "backoff", property: "termination", steps: 24 },
        explore: || {
            let duel = Duel::default();
            let by_hand = ByHand::new::<protocol::Paxos>(3, duel.config().clone(), Duel::commands(), &Arrival::link);
            explore_deliveries(duel.checker(), &by_hand)
        },
    },
];

words! {
    /// The learners.
    enum Learners { Proposer = "proposer", All = "all" }
}

bounds! {
    /// Processes of which the first ones propose, each another value.
    struct Bounds;
    nodes: u64 = 3, "that accept" in 2..=5 nodes;
    proposers: u64 = 2, "of these, each of another value" in 1..=3 nodes;
    retries: u32 = 0, "timers that fire, at any moment: each begins another ballot" in 0..=3 retries;
    crashes: u32 = 0, "of nodes, which return with their disks" in 0..=2 crashes;
    losses: u32 = 0, "of messages: without order any message may never arrive as it is" in 0..=3 losses;
    copies: u32 = 0, "of messages, which arrive once more" in 0..=2 copies;
    learners: Learners = Learners::Proposer, "which processes learn of an acceptance";
    order: Order = Order::Unordered, "in which the messages of a link arrive";
}

const TWO_PROPOSERS: Bounds = Bounds {
    nodes: 3,
    proposers: 2,
    retries: 0,
    crashes: 0,
    losses: 0,
    copies: 0,
    learners: Learners::Proposer,
    order: Order::Unordered,
};

impl Instance for Bounds {
    fn contradiction(&self) -> Option<String> {
        let Bounds { nodes, proposers, losses, order, .. } = *self;
        let too_many = || format!("--nodes {nodes} and --proposers {proposers} contradict one another");
        let lost = "--losses counts nothing with --order unordered, where any message may arrive after the end";
        match (proposers > nodes, losses > 0 && order == Order::Unordered) {
            (true, _) => Some(too_many()),
            (_, true) => Some(lost.to_string()),
            _ => None,
        }
    }

    fn explore(&self, without: Option<&'static str>) -> Explored {
        self.explored(without.and_then(protocol::Rule::named))
    }
}

impl Bounds {
    fn world(self, without: Option<protocol::Rule>) -> World_ {
        let learning = match self.learners {
            Learners::Proposer => Learning::Proposer,
            Learners::All => Learning::All,
        };
        let network = match self.order {
            Order::Fifo => Network::ordered().losses(self.losses),
            Order::Unordered => Network::unordered().keep_ignored(),
        };
        let world = World_::with_history(self.nodes, Config { learning, without, ..Config::default() })
            .network(network.doubles(self.copies))
            .crashes_and_restarts(self.crashes)
            .timer_budget(|_| true, self.retries);
        (1..=self.proposers).fold(world, |world, id| world.command(NodeId(id), Command::Propose(Value(id)), 1))
    }

    fn explored(self, without: Option<protocol::Rule>) -> Explored {
        safe(&self.world(without))
    }
}

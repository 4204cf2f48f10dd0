//! Raft: the production crate, as a chapter.

use super::raft_member::{Member, Past, Rule, Settings as Made, Timeouts, made, properties};
use super::{raft_claims, raft_models};
use volvox_core::fault::LinkFault;
use volvox_core::{Bytes, Duration, Instant, NodeId, Property};
use volvox_lab::ask::{Asking, Disks};
use volvox_lab::chapter::{Card, Cell, Chapter, NodeState, Nodes, Settings};
use volvox_lab::check::{Checker, Durability, Network, System, Timed};
use volvox_lab::claim::Claim;
use volvox_lab::found;
use volvox_lab::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_lab::reading::{Level, Reading};
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};
use volvox_lab::{bounds, words};
use volvox_raft::{Command, Config, Configuration, Event, Index, Member as Voter, Record, RoleKind, Ticket, Timer};

/// The chapter.
pub struct Raft;

static CARD: Card = Card {
    title: "Raft",
    mechanisms: &["CON-07", "CON-08", "CON-09"],
    reference: "Ongaro and Ousterhout: In Search of an Understandable Consensus Algorithm, extended version, 2014",
    reading: Reading {
        needs: &["paxos", "bully"],
        level: Level::Week,
        teaches: "a log that is agreed on: the engine of the service",
    },
    questions: include_str!("../../../book/src/questions/raft.md"),
    source: include_str!("../../../crates/raft/src/lib.rs"),
    nodes: Nodes { least: 1, most: 15, default: 3 },
    rules: Rule::CARDS,
    ..found!("raft")
};

impl Chapter for Raft {
    type Process = Member;
    type History = Past;
    const CARD: &'static Card = &CARD;
    const MODELS: &'static [CheckedModel] = &MODELS;
    const CLAIMS: &'static [Claim] = &raft_claims::CLAIMS;
    const ASKING: Option<Asking> = Some(Asking::of::<Bounds>());

    /// As in production, except for a slower heartbeat, so that a diagram also shows other messages.
    fn config(settings: &Settings) -> Made {
        let raft = Config { heartbeat: Duration::from_millis(200), alone: true, ..production(settings.nodes) };
        Made { without: settings.without.and_then(Rule::named), ..made(raft) }
    }

    fn properties() -> Vec<Property<Member, Past>> {
        properties()
    }

    fn log(process: &Member) -> Option<Vec<Cell>> {
        let raft = process.raft();
        let indices = raft.first_index().0..=raft.last_index().0;
        let entries = indices.filter_map(|index| raft.entry(Index(index)));
        let cells = entries.map(|entry| Cell {
            index: entry.index.0,
            term: entry.term.0,
            text: entry.payload.to_string(),
            is_committed: entry.index <= raft.commit_index(),
        });
        Some(cells.collect())
    }

    fn state(process: &Member) -> NodeState {
        let kind = match process.raft().role() {
            RoleKind::Follower => "follower",
            RoleKind::PreCandidate => "pre-candidate",
            RoleKind::Candidate => "candidate",
            RoleKind::Leader => "leader",
        };
        NodeState::of(kind, process.raft().term())
    }

    fn tells_state(event: &Event) -> bool {
        matches!(event, Event::RoleChanged { .. })
    }

    fn replaces(record: &Record) -> bool {
        matches!(record, Record::Hard { .. })
    }

    fn is_leader(process: &Member) -> bool {
        process.raft().role() == RoleKind::Leader
    }

    /// All faults except lost and damaged disks: those need a new incarnation and a membership change, which the sweep
    /// of the whole service covers.
    fn faults(_: &Settings) -> FaultPlan {
        let ms = Duration::from_millis;
        FaultPlan {
            from: ms(200),
            until: ms(8_000),
            every: Latency::Exponential { minimum: ms(20), mean: ms(400) },
            lasting: Latency::Exponential { minimum: ms(20), mean: ms(900) },
            weights: FaultWeights {
                partition: 4,
                cut: 3,
                slow: 3,
                pause: 3,
                crash: 5,
                crash_all: 1,
                skew: 1,
                drift: 1,
                disk_slow: 2,
                ..FaultWeights::NONE
            },
            link: LinkFault { delay: ms(60), loss_ppm: 200_000, ..LinkFault::default() },
            ..FaultPlan::default()
        }
    }
}

/// The initial configuration of production: these nodes, each in its first incarnation.
pub(super) fn production(nodes: u64) -> Config {
    let voters = (1..=nodes).map(|node| Voter::new(node, 1));
    Config { initial: Some(Configuration::of(voters)), ..Config::default() }
}

static MODELS: [CheckedModel; 17] = [
    CheckedModel {
        name: "one term",
        text: "three members, logs of the configuration and one entry, ordered links; disks sync at any moment. Pre-vote and \
               check-quorum ask for the time, and only keep members from campaigning: they are off. No crash: see the next",
        expects: Expects::Holds { states: 59_673 },
        explore: || safe(&world(Bounds { disks: Disks::Late, ..THREE }, None)),
    },
    CheckedModel {
        name: "one term and a crash",
        text: "the same; a crash at any moment, and a restart; disks are prompt",
        expects: Expects::Holds { states: 112_255 },
        explore: || safe(&world(Bounds { crashes: 1, ..THREE }, None)),
    },
    CheckedModel {
        name: "two terms",
        text: "three members, logs of the configuration and one entry; n1 campaigns for the first term, n2 for the second; \
               disks sync when they like",
        expects: Expects::Holds { states: 405_087 },
        explore: || safe(&world(Bounds { disks: Disks::Late, ..BY_TURNS }, None)),
    },
    CheckedModel {
        name: "two terms and a crash",
        text: "the same; a crash at any moment, and a restart; disks are prompt",
        expects: Expects::Holds { states: 396_929 },
        explore: || safe(&world(Bounds { crashes: 1, ..BY_TURNS }, None)),
    },
    CheckedModel {
        name: "two members, two terms and a crash",
        text: "logs of the configuration and two entries; a crash at any moment, between any two syncs, and a restart",
        expects: Expects::Holds { states: 93_034 },
        explore: || {
            safe(&world(Bounds { nodes: 2, terms: 2, entries: 3, crashes: 1, disks: Disks::Late, ..THREE }, None))
        },
    },
    CheckedModel {
        name: "without votes on disk",
        text: "three members, one term, one crash",
        expects: Expects::Without { rule: "vote-on-disk", property: "election safety", steps: 10 },
        explore: || {
            let bounds = Bounds { crashes: 1, disks: Disks::Late, ..THREE };
            safe(&world(bounds, Some(Rule::VoteOnDisk)))
        },
    },
    CheckedModel {
        name: "without acknowledgements on disk",
        text: "three members, n1 campaigns first and n2 then, logs of the configuration only, one crash: what a majority held \
               for written is gone with one of them",
        expects: Expects::Without { rule: "ack-on-disk", property: "leader completeness", steps: 15 },
        explore: || {
            let bounds = Bounds { entries: 1, crashes: 1, disks: Disks::Late, ..BY_TURNS };
            safe(&world(bounds, Some(Rule::AckOnDisk)))
        },
    },
    CheckedModel {
        name: "without comparing logs",
        text: "three members, two terms, no crash",
        expects: Expects::Without { rule: "log-comparison", property: "leader completeness", steps: 9 },
        explore: || safe(&world(Bounds { terms: 2, ..THREE }, Some(Rule::LogComparison))),
    },
    CheckedModel::holds("figure 8", FIGURE_8, 1_019_668, || figure_8(None)),
    CheckedModel::breaks(
        "without counting only entries of the own term",
        "figure 8 without the rule: n1, leader of term 3, counts its entry of term 1 on a majority and commits it; n3, \
         whose last entry is of term 2, still wins n2's vote, and leads term 4 without it",
        ("leader completeness", 21),
        || figure_8(Some(Rule::OwnTerm)),
    )
    .without("own-term"),
    CheckedModel::holds(
        "reads",
        "two members, one term; the leader and the follower are asked to read, and their reads are answered; nothing is lost",
        419,
        raft_models::reads,
    ),
    CheckedModel::holds(
        "a read and a lost message",
        "two members, one term; the follower asks again, and gives up in the end",
        246,
        raft_models::lost_reads,
    ),
    CheckedModel::holds(
        "a transfer",
        "two members; the leader hands over, and a second transfer meanwhile is refused; nothing is lost",
        47,
        raft_models::transfer,
    ),
    CheckedModel::holds(
        "two changes of the members",
        "from n1 alone over both to n2 alone, which then leads; nothing is lost",
        27,
        raft_models::changes,
    ),
    CheckedModel::holds(
        "a snapshot for a learner",
        "n1 alone votes, makes a checkpoint, crashes at any moment and restarts: the learner n2 catches up, with a snapshot or \
         without",
        83,
        raft_models::snapshot,
    ),
    CheckedModel {
        name: "in time, different timeouts",
        text: "three members, messages that take at most a tick, one has a timeout of 3 ticks and the others of 6: until some member \
               leads, or a term has passed. A chance cannot be explored, so these stand for what was drawn",
        expects: Expects::Holds { states: 18 },
        explore: || elected(None),
    },
    CheckedModel {
        name: "without random timeouts",
        text: "the same, but all have a timeout of 3 ticks",
        expects: Expects::Without { rule: "random-timeouts", property: "every term has a leader", steps: 22 },
        explore: || elected(Some(Rule::RandomTimeouts)),
    },
];

words! {
    /// The candidates.
    enum Campaigns { Any = "any", Turns = "turns" }
}

bounds! {
    /// Members that campaign, and leaders that are asked to append. Pre-vote and check-quorum are off.
    struct Bounds;
    nodes: u64 = 3, "that vote" in 2..=5 members;
    terms: u64 = 1, "that are campaigned for" in 1..=4 terms;
    entries: u64 = 2, "in a log, the configuration with which every log begins included" in 1..=4 entries;
    crashes: u32 = 0, "of members, which return with their disks" in 0..=2 crashes;
    losses: u32 = 0, "of messages" in 0..=2 losses;
    campaigns: Campaigns = Campaigns::Any, "who campaigns: with turns n1 for the first term, n2 for the second, and so on";
    disks: Disks = Disks::Prompt, "whether a sync is an event of its own";
}

const THREE: Bounds =
    Bounds { nodes: 3, terms: 1, entries: 2, crashes: 0, losses: 0, campaigns: Campaigns::Any, disks: Disks::Prompt };
const BY_TURNS: Bounds = Bounds { terms: 2, campaigns: Campaigns::Turns, ..THREE };

impl volvox_lab::ask::Instance for Bounds {
    fn explore(&self, without: Option<&'static str>) -> Explored {
        let world = world(*self, without.and_then(Rule::named));
        match self.entries {
            1 => explore(&world, hold(Checker::new(&world), &properties())),
            _ => safe(&world),
        }
    }
}

type Instance = System<Member, Past>;

fn world(bounds: Bounds, without: Option<Rule>) -> Instance {
    let raft = Config { pre_vote: false, check_quorum: false, ..production(bounds.nodes) };
    let world = Instance::with_history(bounds.nodes, Made { without, ..made(raft) })
        .network(Network::ordered().losses(bounds.losses))
        .durability(match bounds.disks {
            Disks::Prompt => Durability::Prompt,
            Disks::Late => Durability::Separate,
        })
        .nodes_within(move |_, node: &Member| node.raft().last_index().0 <= bounds.entries)
        .crashes_and_restarts(bounds.crashes)
        .timers(move |node, timer| match timer {
            // A leader's election timer serves check-quorum.
            Timer::Election => {
                let term = node.raft().term().0;
                let is_its_turn = bounds.campaigns == Campaigns::Any || node.raft().member().node.0 == term + 1;
                term < bounds.terms && is_its_turn && node.raft().role() != RoleKind::Leader
            }
            // Heartbeats repeat the content of appends.
            Timer::Heartbeat => false,
            _ => true,
        })
        .commands(move |node, _| node.raft().role() == RoleKind::Leader && node.raft().last_index().0 < bounds.entries);
    (1..=bounds.nodes).fold(world, |world, node| {
        let data = Bytes::from([b'a' + node as u8].as_slice());
        world.command(NodeId(node), Command::Propose { ticket: Ticket(node), data }, bounds.entries as u32)
    })
}

fn safe(world: &Instance) -> Explored {
    let checker = hold(Checker::new(world), &properties())
        .reachable("data is committed", |world, state| world.view(state).history().committed.len() > 1);
    explore(world, checker)
}

const FIGURE_8: &str = "three members, four terms: n1 alone campaigns for the odd ones and n3 for the even ones; logs of two \
    entries, of which the first is the configuration: that of term 1 and that of term 2 are the entries that figure 8 calls 2 \
    and 3. A message carries one entry, links are ordered, disks are prompt; no data, no crash and no loss: a message that is \
    late does what they do in the figure";

/// Figure 8: an entry of an earlier term is on a majority, and may still be replaced.
fn figure_8(without: Option<Rule>) -> Explored {
    let raft = Config { pre_vote: false, check_quorum: false, append_bytes_max: 1, ..production(3) };
    let world = Instance::with_history(3, Made { without, ..made(raft) })
        .network(Network::ordered())
        .durability(Durability::Prompt)
        .nodes_within(|_, node: &Member| node.raft().last_index().0 <= 2)
        .timers(|node, timer| {
            let (raft, next) = (node.raft(), node.raft().term().0 + 1);
            let campaigner = if next % 2 == 1 { 1 } else { 3 };
            *timer == Timer::Election
                && raft.role() != RoleKind::Leader
                && next <= 4
                && raft.member().node.0 == campaigner
        });
    let checker = hold(Checker::new(&world), &properties())
        .reachable("an entry of an earlier term is on a majority, and not committed", |world, state| {
            world.view(state).nodes().any(|(_, node)| {
                let raft = node.raft();
                let is_held = |index: Index| raft.progress().any(|(_, matched, _)| matched >= index);
                let next = raft.commit_index().next();
                is_held(next) && raft.term_at(next).is_some_and(|term| term < raft.term())
            })
        })
        .reachable("it is committed with an entry of the leader's own term", |world, state| {
            world.view(state).history().committed.len() == 2
        });
    explore(&world, checker)
}

const TICK: Duration = Duration::from_millis(10);

/// The first election, in time.
fn elected(without: Option<Rule>) -> Explored {
    let raft = Config { pre_vote: false, check_quorum: false, election_timeout: TICK * 3, ..production(3) };
    let waits = |ticks| Timeouts { least: TICK * ticks, most: TICK * ticks, since: Instant::ZERO };
    let member = Made { without, ..made(raft) };
    let world = Instance::with_history(3, member.clone())
        .configs(move |id| Made { timeouts: Some(waits(if id.0 == 1 { 3 } else { 6 })), ..member.clone() })
        .network(Network::ordered())
        .durability(Durability::Prompt)
        .timed(Timed { tick: TICK, delivery_min: 0, delivery_max: 1, drifts_ppm: vec![0] })
        .nodes_within(|_, node: &Member| node.raft().term().0 < 3 && node.raft().role() != RoleKind::Leader);
    let checker = hold(Checker::new(&world), &properties()).invariant("every term has a leader", |world, state| {
        let view = world.view(state);
        let latest = view.nodes().map(|(_, node)| node.raft().term().0).max().unwrap_or_default();
        view.history().leaders.len() as u64 + 1 >= latest
    });
    let checker = checker.reachable("a server leads", |world, state| !world.view(state).history().leaders.is_empty());
    explore(&world, checker)
}

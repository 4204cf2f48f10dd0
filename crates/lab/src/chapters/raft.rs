//! Raft: the production crate, as a chapter.

use super::raft_claims;
use super::raft_member::{Member, Past, Rule as Lacks, Settings as Made, properties};
use crate::chapter::{Card, Chapter, Golden, Nodes, Rule, Settings, World};
use crate::claim::Claim;
use crate::model::{CheckedModel, Expects, Explored, explore, hold};
use volvox_check::{Checker, Durability, Network, System};
use volvox_core::fault::LinkFault;
use volvox_core::{Bytes, Duration, History, NodeId, Property};
use volvox_raft::{Command, Config, Configuration, Event, Member as Voter, RoleKind, Ticket, Timer};
use volvox_sim::{FaultPlan, FaultWeights, Latency};

/// The chapter.
pub struct Raft;

static CARD: Card = Card {
    id: "raft",
    title: "Raft",
    mechanisms: &["CON-07", "CON-08", "CON-09"],
    worlds: &[World::Simulated, World::Checked, World::Live],
    reference: "Ongaro and Ousterhout: In Search of an Understandable Consensus Algorithm, extended version, 2014",
    source: include_str!("../../../raft/src/lib.rs"),
    nodes: Nodes { least: 1, most: 15, default: 3 },
    rules: &[
        Rule {
            name: "vote-on-disk",
            text: "a vote is on the disk before it is told; a crash forgets it, and two lead",
        },
        Rule { name: "ack-on-disk", text: "so is what was appended; a crash forgets what is committed" },
        Rule {
            name: "log-comparison",
            text: "voters refuse who knows less; without it a leader lacks what is committed",
        },
        Rule { name: "random-timeouts", text: "waits are drawn; without it votes split again and again" },
    ],
    scenario: include_str!("../scenarios/raft.txt"),
    golden: &GOLDEN,
};

macro_rules! golden {
    ($($name:literal),* $(,)?) => {
        [$(Golden { name: $name, text: include_str!(concat!("../../../raft/tests/scripts/", $name)) }),*]
    };
}

static GOLDEN: [Golden; 14] = golden![
    "01-election.txt",
    "02-pre-vote.txt",
    "03-replication.txt",
    "04-conflict.txt",
    "05-read-index.txt",
    "06-read-on-a-follower.txt",
    "07-joint-consensus.txt",
    "08-leader-removed.txt",
    "09-snapshot.txt",
    "10-transfer.txt",
    "11-lost-disk.txt",
    "12-check-quorum.txt",
    "13-crash.txt",
    "14-disruptive-server.txt",
];

impl Chapter for Raft {
    type Process = Member;
    type History = Past;

    fn card() -> &'static Card {
        &CARD
    }

    /// As in production, but for the heartbeat, which is slower: so that a diagram shows something else, too.
    fn config(settings: &Settings) -> Made {
        let raft = Config { heartbeat: Duration::from_millis(200), alone: true, ..production(settings.nodes) };
        Made { without: settings.without.and_then(Lacks::named), ..made(raft) }
    }

    fn properties() -> Vec<Property<Member, Past>> {
        properties()
    }

    fn state(process: &Member) -> String {
        format!("{} {}", process.raft().role(), process.raft().term())
    }

    fn is_leader(process: &Member) -> bool {
        process.raft().role() == RoleKind::Leader
    }

    /// Everything but lost and damaged disks: those need a new life and a change of the configuration, which the sweep of
    /// the whole service makes.
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

    fn models() -> Vec<CheckedModel> {
        MODELS.to_vec()
    }

    fn claims() -> Vec<Claim> {
        raft_claims::CLAIMS.to_vec()
    }
}

/// What production begins with: these nodes, each in its first life.
pub(super) fn production(nodes: u64) -> Config {
    let voters = (1..=nodes).map(|node| Voter::new(node, 1));
    Config { initial: Some(Configuration::of(voters)), ..Config::default() }
}

/// Nothing taken out, no experiment.
pub(super) fn made(raft: Config) -> Made {
    Made { raft, without: None, timeouts: None, is_eager: false, log_most: None }
}

static MODELS: [CheckedModel; 6] = [
    CheckedModel {
        name: "one term",
        text: "three members, two entries, ordered links; disks sync when they like. Pre-vote and check-quorum ask for the \
               time, and only keep members from campaigning: they are off. No crash: see the next",
        expects: Expects::Holds { states: 52_047 },
        explore: || safe(&world(Bounds { members: 3, terms: 1, entries: 2, crashes: 0, slow_disks: true }, None)),
    },
    CheckedModel {
        name: "two terms and a crash",
        text: "two members, two entries; a crash at any moment, between any two syncs, and a return",
        expects: Expects::Holds { states: 150_000 },
        explore: || safe(&world(Bounds { members: 2, terms: 2, entries: 2, crashes: 1, slow_disks: true }, None)),
    },
    CheckedModel {
        name: "one term and a crash",
        text: "three members, one entry; a crash at any moment, and a return; disks are prompt",
        expects: Expects::Holds { states: 100_000 },
        explore: || safe(&world(Bounds { members: 3, terms: 1, entries: 2, crashes: 1, slow_disks: false }, None)),
    },
    CheckedModel {
        name: "without votes on disk",
        text: "three members, one term, one crash",
        expects: Expects::Counterexample { property: "election safety", steps: 10 },
        explore: || {
            let bounds = Bounds { members: 3, terms: 1, entries: 2, crashes: 1, slow_disks: true };
            safe(&world(bounds, Some(Lacks::VoteOnDisk)))
        },
    },
    CheckedModel {
        name: "without acknowledgements on disk",
        text: "three members, two terms, one crash: what a majority held for written is gone with one of them",
        expects: Expects::Counterexample { property: "leader completeness", steps: 14 },
        explore: || {
            let bounds = Bounds { members: 3, terms: 2, entries: 2, crashes: 1, slow_disks: true };
            safe(&world(bounds, Some(Lacks::AckOnDisk)))
        },
    },
    CheckedModel {
        name: "without comparing logs",
        text: "three members, two terms, no crash",
        expects: Expects::Counterexample { property: "leader completeness", steps: 9 },
        explore: || {
            let bounds = Bounds { members: 3, terms: 2, entries: 2, crashes: 0, slow_disks: false };
            safe(&world(bounds, Some(Lacks::LogComparison)))
        },
    },
];

/// How large a model is.
#[derive(Clone, Copy)]
struct Bounds {
    members: u64,
    terms: u64,
    /// In a log, the configuration with which every log begins included.
    entries: u64,
    crashes: u32,
    /// Whether disks take their time.
    slow_disks: bool,
}

type World_ = System<Member, Past>;

fn world(bounds: Bounds, without: Option<Lacks>) -> World_ {
    let raft = Config { pre_vote: false, check_quorum: false, ..production(bounds.members) };
    let observe = |past: &mut Past, node, event: &Event| History::<Member>::on_event(past, node, event);
    let world = World_::observed(bounds.members, Made { without, ..made(raft) }, Past::default(), observe)
        .network(Network::ordered())
        .durability(if bounds.slow_disks { Durability::Separate } else { Durability::Prompt })
        .nodes_within(move |_, node: &Member| node.raft().last_index().0 <= bounds.entries)
        .crashes_and_restarts(bounds.crashes)
        .timers(move |node, timer| match timer {
            // A leader's election timer counts who was heard, which is check-quorum.
            Timer::Election => node.raft().term().0 < bounds.terms && node.raft().role() != RoleKind::Leader,
            // Heartbeats repeat what appends have said.
            Timer::Heartbeat => false,
            _ => true,
        })
        .commands(move |node, _| node.raft().role() == RoleKind::Leader && node.raft().last_index().0 < bounds.entries);
    (1..=bounds.members).fold(world, |world, node| {
        let data = Bytes::from([b'a' + node as u8].as_slice());
        world.command(NodeId(node), Command::Propose { ticket: Ticket(node), data }, bounds.entries as u32)
    })
}

fn safe(world: &World_) -> Explored {
    let checker = hold(Checker::new(world), &properties())
        .reachable("data is committed", |world, state| world.view(state).history().committed.len() > 1);
    explore(world, checker)
}

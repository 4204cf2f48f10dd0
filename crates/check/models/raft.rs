//! Production Raft, explored: three members over ordered links, with disks that sync at any moment.
//!
//! The omissions, and why they are sound for safety: pre-vote and check-quorum, which read the clock, only prevent
//! members from campaigning; heartbeats beyond a budget repeat appends. The model is bounded in terms, the length of
//! logs, and crashes.

use std::collections::BTreeMap;
use volvox_check::{Checker, Durability, Network, System};
use volvox_core::{Bytes, NodeId};
use volvox_raft::{Command, Config, Configuration, Entry, Event, Index, Member, Raft, RoleKind, Term, Ticket, Timer};

/// The size of the model.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub members: u64,
    pub terms: u64,
    /// The entries in a log, including the configuration with which every log begins.
    pub entries: u64,
    pub crashes: u32,
    pub heartbeats: u32,
    /// Whether disks are slow.
    pub slow_disks: bool,
}

/// The leader of each term, the entry committed at each index, and whether either was ever contradicted.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct History {
    pub leaders: BTreeMap<Term, NodeId>,
    pub committed: BTreeMap<Index, Entry>,
    pub two_leaders: bool,
    pub two_entries: bool,
}

impl History {
    fn observe(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::RoleChanged { term, role: RoleKind::Leader, .. } => {
                self.two_leaders |= *self.leaders.entry(*term).or_insert(node) != node;
            }
            Event::Committed { entries } => {
                for entry in entries {
                    let before = self.committed.entry(entry.index).or_insert_with(|| entry.clone());
                    self.two_entries |= before != entry;
                }
            }
            _ => {}
        }
    }
}

pub type World = System<Raft, History>;

pub fn raft(bounds: Bounds) -> World {
    let members = (1..=bounds.members).map(|node| Member::new(node, 1));
    let config =
        Config { initial: Some(Configuration::of(members)), pre_vote: false, check_quorum: false, ..Config::default() };
    let world = World::observed(bounds.members, config, History::default(), History::observe)
        .network(Network::ordered())
        .durability(if bounds.slow_disks { Durability::Separate } else { Durability::Prompt })
        .nodes_within(move |_, raft: &Raft| raft.last_index().0 <= bounds.entries)
        .crashes_and_restarts(bounds.crashes)
        .timers(move |raft, timer| match timer {
            // A leader's election timer serves check-quorum.
            Timer::Election => raft.term().0 < bounds.terms && raft.role() != RoleKind::Leader,
            Timer::Heartbeat => bounds.heartbeats > 0,
            _ => true,
        })
        .commands(move |raft, _| raft.role() == RoleKind::Leader && raft.last_index().0 < bounds.entries)
        .timer_budget(|timer| *timer == Timer::Heartbeat, bounds.heartbeats);
    (1..=bounds.members).fold(world, |world, node| {
        let data = Bytes::from([b'a' + node as u8].as_slice());
        world.command(NodeId(node), Command::Propose { ticket: Ticket(node), data }, bounds.entries as u32)
    })
}

/// The properties of figure 3, on states and on events.
pub fn checker(world: &World, terms: u64) -> Checker<'_, World> {
    Checker::new(world)
        .invariant("election safety", |world, state| {
            let view = world.view(state);
            let mut leaders: BTreeMap<Term, NodeId> = BTreeMap::new();
            let leading = view.nodes().filter(|(_, raft)| raft.role() == RoleKind::Leader);
            !view.history().two_leaders
                && leading.into_iter().all(|(id, raft)| leaders.insert(raft.term(), id).is_none())
        })
        .invariant("log matching", |world, state| {
            let view = world.view(state);
            let nodes: Vec<&Raft> = view.nodes().map(|(_, raft)| raft).collect();
            nodes.iter().enumerate().all(|(at, one)| nodes[..at].iter().all(|other| logs_match(one, other)))
        })
        .invariant("leader completeness", |world, state| {
            let view = world.view(state);
            let latest = view.nodes().map(|(_, raft)| raft.term()).max();
            let leading = view.nodes().map(|(_, raft)| raft).filter(|raft| raft.role() == RoleKind::Leader);
            leading
                .filter(|raft| Some(raft.term()) == latest)
                .all(|raft| view.history().committed.values().all(|entry| raft.entry(entry.index) == Some(entry)))
        })
        .invariant("state machine safety", |world, state| !world.view(state).history().two_entries)
        .reachable("every term has a leader", move |world, state| {
            world.view(state).history().leaders.len() as u64 == terms
        })
        .reachable("data is committed", |world, state| world.view(state).history().committed.len() > 1)
}

/// Two logs with an equal entry are equal up to there.
fn logs_match(one: &Raft, other: &Raft) -> bool {
    let last = one.last_index().min(other.last_index());
    let same = |index: u64| one.entry(Index(index)) == other.entry(Index(index));
    let agreed = (1..=last.0).rev().find(|index| one.term_at(Index(*index)) == other.term_at(Index(*index)));
    agreed.is_none_or(|agreed| (1..=agreed).all(same))
}

//! A world in a few hundred lines: a queue a link, a disk that syncs when told, a clock that moves when told.
//!
//! It exists beside the simulator so that this crate's tests need nothing but this crate, and so that a test can hold a
//! schedule in its hands: deliver this message, sync that disk, crash here.
#![allow(dead_code)]

pub mod disk;
pub mod node;
pub mod parent;

use node::{Node, Out};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use volvox_core::trace::Line;
use volvox_core::{Duration, EffectOf, Instant, MessageKind, NodeId, Process, Rng};
use volvox_raft::invariants::{Observer, Violation};
use volvox_raft::{Command, Config, Configuration, Event, Index, Member, Message, Raft, RoleKind, Ticket};

pub struct Cluster {
    pub nodes: BTreeMap<NodeId, Node>,
    pub links: BTreeMap<(NodeId, NodeId), VecDeque<Message>>,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub now: Instant,
    pub observer: Observer,
    /// The first property that was broken.
    pub violation: Option<Violation>,
    /// Lines of the trace, when it is kept.
    pub trace: Option<Vec<String>>,
    /// The events to the parents, in order.
    pub events: Vec<(NodeId, Event)>,
    /// The state of the state machine at each index, as the first node applied it.
    pub states: BTreeMap<Index, u64>,
    /// The highest commit index anywhere when each read was asked.
    pub reads: BTreeMap<Ticket, Index>,
    pub delivered: BTreeMap<&'static str, u64>,
    /// Liars are about, or there is no state machine: the properties are not checked.
    pub believes_all: bool,
    seed: Rng,
}

pub fn id(node: u64) -> NodeId {
    NodeId(node)
}

impl Cluster {
    /// Nodes 1 to `count`, all of them voters, started.
    pub fn new(count: u64, seed: u64, config: &Config) -> Cluster {
        let voters = (1..=count).map(|node| Member::new(node, 1));
        let initial = Some(Configuration::of(voters));
        let mut cluster = Cluster::empty(seed);
        for node in 1..=count {
            cluster.add(node, Config { initial: initial.clone(), ..config.clone() }, count);
        }
        cluster
    }

    pub fn empty(seed: u64) -> Cluster {
        Cluster {
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            now: Instant::ZERO,
            observer: Observer::new(),
            violation: None,
            trace: None,
            events: Vec::new(),
            states: BTreeMap::new(),
            reads: BTreeMap::new(),
            delivered: BTreeMap::new(),
            believes_all: false,
            seed: Rng::new(seed),
        }
    }

    /// Adds and starts a node that knows the nodes 1 to `known`.
    pub fn add(&mut self, node: u64, config: Config, known: u64) {
        let node_id = id(node);
        let known: Vec<NodeId> = (1..=known.max(node)).map(NodeId).collect();
        self.nodes.insert(node_id, Node::new(node_id, config, known, &self.seed));
        self.start(node_id);
    }

    pub fn raft(&self, node: u64) -> &Raft {
        self.nodes[&id(node)].raft.as_ref().expect("the node runs")
    }

    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.raft.is_some())
    }

    pub fn up(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|node| self.is_up(*node)).collect()
    }

    /// The leader of the latest term.
    pub fn leader(&self) -> Option<u64> {
        self.rafts().filter(|raft| raft.role() == RoleKind::Leader).max_by_key(|raft| raft.term()).map(node_of)
    }

    pub fn rafts(&self) -> impl Iterator<Item = &Raft> {
        self.nodes.values().filter_map(|node| node.raft.as_ref())
    }

    // Actions of the world.

    pub fn start(&mut self, node: NodeId) {
        let now = self.now;
        let (position, restored) = self.node(node).disk.restore();
        self.node(node).boot(position, restored, now);
        self.step(node, |raft, cx| raft.on_start(cx));
    }

    /// The process dies, and with it what was not synced, except the first `kept` operations on the disk.
    pub fn crash(&mut self, node: NodeId, kept: usize) {
        let member = self.nodes[&node].raft.as_ref().expect("the node runs").member();
        self.observer.crashed(member);
        self.node(node).crash(kept);
        // Its messages may still arrive.
        self.links.retain(|(_, to), _| *to != node);
    }

    /// The disk is gone: the node is a new incarnation from now on.
    pub fn lose_disk(&mut self, node: NodeId) {
        assert!(!self.is_up(node), "a running node loses its disk");
        let node = self.node(node);
        node.config.incarnation.0 += 1;
        node.config.initial = None;
        let records_overtake = node.disk.records_overtake;
        node.disk = disk::Disk::default();
        node.disk.records_overtake = records_overtake;
    }

    /// Syncs the first `count` operations that wait.
    pub fn sync(&mut self, node: NodeId, count: usize) {
        if !self.is_up(node) {
            return;
        }
        let through = self.node(node).disk.sync(count);
        self.node(node).outbox.advance(through);
        self.flush(node);
        self.step(node, |raft, cx| raft.on_persisted(through, cx));
    }

    pub fn sync_all(&mut self) -> bool {
        let mut any = false;
        for node in self.up() {
            if self.nodes[&node].disk.pending() > 0 {
                self.sync(node, usize::MAX);
                any = true;
            }
        }
        any
    }

    /// Delivers the message at `place` of a link.
    pub fn deliver_at(&mut self, from: NodeId, to: NodeId, place: usize) -> bool {
        let taken = self.links.get_mut(&(from, to)).and_then(|queue| queue.remove(place));
        let Some(message) = taken else { return false };
        if self.is_up(to) && !self.cut.contains(&(from, to)) {
            self.hand_over(from, to, message);
        }
        true
    }

    pub fn hand_over(&mut self, from: NodeId, to: NodeId, message: Message) {
        *self.delivered.entry(message.kind()).or_default() += 1;
        self.step(to, |raft, cx| raft.on_message(from, message, cx));
    }

    /// Delivers everything in flight, oldest first per link, link by link.
    pub fn deliver_all(&mut self) -> bool {
        let mut any = false;
        let links: Vec<(NodeId, NodeId)> = self.links.keys().copied().collect();
        for (from, to) in links {
            for _ in 0..self.links.get(&(from, to)).map_or(0, VecDeque::len) {
                any |= self.deliver_at(from, to, 0);
            }
        }
        any
    }

    /// Syncs and delivers until nothing moves.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if !(self.sync_all() | self.deliver_all()) {
                return;
            }
        }
        panic!("the cluster does not come to rest without its timers");
    }

    /// Settles, but leaves the messages that `held` names where they are.
    pub fn settle_but(&mut self, held: impl Fn(&Message) -> bool) {
        loop {
            let mut any = self.sync_all();
            let links: Vec<(NodeId, NodeId)> = self.links.keys().copied().collect();
            for (from, to) in links {
                let place =
                    self.links.get(&(from, to)).and_then(|queue| queue.iter().position(|message| !held(message)));
                any |= place.is_some_and(|place| self.deliver_at(from, to, place));
            }
            if !any {
                return;
            }
        }
    }

    /// Moves the clock; each timer that is due fires, and everything settles after it.
    pub fn elapse(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, node, timer)) = self.next_timer().filter(|(at, _, _)| *at <= end) {
            self.now = self.now.max(at);
            self.fire(node, timer);
            self.settle();
        }
        self.now = end;
    }

    pub fn next_timer(&self) -> Option<(Instant, NodeId, volvox_raft::Timer)> {
        let due = |node: &Node| node.timers.iter().map(|(timer, at)| (*at, node.id, *timer)).min();
        self.nodes.values().filter(|node| node.raft.is_some() && !node.is_paused).filter_map(due).min()
    }

    pub fn fire(&mut self, node: NodeId, timer: volvox_raft::Timer) {
        self.node(node).timers.remove(&timer);
        self.step(node, |raft, cx| raft.on_timer(timer, cx));
    }

    pub fn command(&mut self, node: u64, command: Command) {
        if let Command::Read { ticket } = &command {
            self.reads.insert(*ticket, self.observer.highest_commit());
        }
        self.step(id(node), |raft, cx| raft.on_command(command, cx));
    }

    pub fn cut_off(&mut self, node: u64) {
        for other in self.nodes.keys().copied().filter(|other| *other != id(node)) {
            self.cut.insert((id(node), other));
            self.cut.insert((other, id(node)));
        }
    }

    /// Only nodes of one group hear one another; a node in no group hears none.
    pub fn groups(&mut self, groups: &[&[u64]]) {
        let together =
            |from: NodeId, to: NodeId| groups.iter().any(|group| group.contains(&from.0) && group.contains(&to.0));
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        let links = nodes.iter().flat_map(|from| nodes.iter().map(|to| (*from, *to)));
        self.cut = links.filter(|(from, to)| !together(*from, *to)).collect();
        let cut = &self.cut;
        self.links.retain(|link, _| !cut.contains(link));
    }

    /// Makes one node time out, and continues until it leads; its messages after that are lost.
    pub fn elect_in_silence(&mut self, node: u64) {
        for round in 0..20 {
            if round % 10 == 0 {
                self.fire(id(node), volvox_raft::Timer::Election);
            }
            self.sync_all();
            if self.raft(node).role() == RoleKind::Leader {
                break;
            }
            for other in self.up() {
                self.deliver_link(node, other.0);
                self.sync(other, usize::MAX);
                self.deliver_link(other.0, node);
            }
        }
        assert_eq!(self.raft(node).role(), RoleKind::Leader, "the election was lost");
        self.links.clear();
    }

    pub fn deliver_link(&mut self, from: u64, to: u64) {
        while self.deliver_at(id(from), id(to), 0) {}
    }

    pub fn propose(&mut self, node: u64, data: &str) -> Ticket {
        let ticket = Ticket(1_000_000 + self.events.len() as u64);
        self.command(node, Command::Propose { ticket, data: data.into() });
        ticket
    }

    pub fn read(&mut self, node: u64) -> Ticket {
        let ticket = Ticket(2_000_000 + self.reads.len() as u64);
        self.command(node, Command::Read { ticket });
        ticket
    }

    pub fn change(&mut self, node: u64, voters: &[(u64, u64)], learners: &[(u64, u64)]) -> Ticket {
        let members = |list: &[(u64, u64)]| list.iter().map(|(node, life)| Member::new(*node, *life)).collect();
        let ticket = Ticket(3_000_000 + self.events.len() as u64);
        let (voters, learners) = (members(voters), members(learners));
        self.command(node, Command::Change { ticket, voters, learners });
        ticket
    }

    pub fn is_read_ready(&self, ticket: Ticket) -> bool {
        self.count_events(|event| matches!(event, Event::ReadReady { ticket: of, .. } if *of == ticket)) > 0
    }

    /// Why a request was refused.
    pub fn refusal(&self, ticket: Ticket) -> Option<volvox_raft::Refusal> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::Refused { ticket: of, reason } if *of == ticket => Some(*reason),
            _ => None,
        })
    }

    /// Makes one node time out, and lets everything settle. The first term that it tries may be taken.
    pub fn elect(&mut self, node: u64) {
        for _ in 0..2 {
            if self.raft(node).role() != RoleKind::Leader {
                self.fire(id(node), volvox_raft::Timer::Election);
                self.settle();
            }
        }
        assert_eq!(self.leader(), Some(node), "the election was lost");
    }

    // The consequences of a step.

    pub fn step(&mut self, node: NodeId, step: impl FnOnce(&mut Raft, &mut volvox_core::Context<'_, Raft>)) {
        let now = self.now;
        let effects = self.node(node).run(now, step);
        self.act(node, effects);
    }

    fn act(&mut self, node: NodeId, effects: Vec<EffectOf<Raft>>) {
        if let Some(trace) = &mut self.trace {
            let lines = effects.iter().filter(|effect| parent::is_worth_a_line(effect));
            trace.extend(lines.map(|effect| Line { at: self.now, node, effect }.to_string()));
        }
        let now = self.now;
        let events = self.node(node).take(effects, now);
        self.flush(node);
        let raft = self.nodes[&node].raft.as_ref().expect("the node runs");
        if self.believes_all {
            self.events.extend(events.into_iter().map(|event| (node, event)));
            return;
        }
        if let Err(violation) = self.observer.observe(raft) {
            self.violation.get_or_insert(violation);
        }
        for event in events {
            self.on_event(node, event);
        }
    }

    fn flush(&mut self, node: NodeId) {
        let released = self.node(node);
        while let Some(out) = released.outbox.pop() {
            released.ready.push_back(out);
        }
        for Out { to, message } in std::mem::take(&mut self.node(node).ready) {
            if !self.cut.contains(&(node, to)) && self.nodes.contains_key(&to) {
                self.links.entry((node, to)).or_default().push_back(message);
            }
        }
    }

    pub fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).unwrap_or_else(|| panic!("no {node}"))
    }
}

pub fn node_of(raft: &Raft) -> u64 {
    raft.member().node.0
}

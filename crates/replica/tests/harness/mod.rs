//! A world that a test controls: one queue per link, a disk that syncs on command, a clock that moves on command.
//!
//! The simulator finds unforeseen cases; these tests contain the foreseen ones: deliver this frame, lose that one,
//! crash here. Nothing is random.
#![allow(dead_code)]

pub mod disk;
pub mod node;

use node::{Node, Out};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use volvox_core::trace::Line;
use volvox_core::{Duration, Effect, Instant, MessageKind, NodeId, Process, Rng};
use volvox_raft::{Configuration, Member as RaftMember, RoleKind};
use volvox_replica::{Command, Config, Error, Event, Member, Message, Replica, Reply, Request, Ticket, Timer};
use volvox_store::{Command as StoreCommand, PutRequest};

pub struct Cluster {
    pub nodes: BTreeMap<NodeId, Node>,
    pub links: BTreeMap<(NodeId, NodeId), VecDeque<Message>>,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    pub now: Instant,
    /// Lines of the trace that are worth one.
    pub trace: Vec<String>,
    /// The replies to clients, in order.
    pub events: Vec<(NodeId, Event)>,
    next_ticket: u64,
    seed: Rng,
}

pub fn id(node: u64) -> NodeId {
    NodeId(node)
}

/// A configuration for tests: small, and with nothing that depends on the machine.
pub fn config(node: u64) -> Config {
    let raft = volvox_raft::Config { log_keep_bytes: 0, ..volvox_raft::Config::default() };
    let mut config = Config::new(raft, 1, Vec::new(), id(node));
    config.client_urls = vec![format!("http://n{node}:2379")];
    config
}

pub fn member(node: u64) -> Member {
    let peer_urls = vec![format!("http://n{node}:2380")];
    Member { id: id(node), name: String::new(), peer_urls, client_urls: Vec::new(), is_learner: false }
}

impl Cluster {
    /// Nodes 1 to `count`, all of them voters, started.
    pub fn new(count: u64, change: impl Fn(&mut Config)) -> Cluster {
        let mut cluster = Cluster {
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            now: Instant::ZERO,
            trace: Vec::new(),
            events: Vec::new(),
            next_ticket: 1_000_000,
            seed: Rng::new(1),
        };
        for node in 1..=count {
            let mut config = config(node);
            config.raft.initial = Some(Configuration::of((1..=count).map(|node| RaftMember::new(node, 1))));
            config.bootstrap = (1..=count).map(member).collect();
            change(&mut config);
            cluster.add(node, config, count);
        }
        cluster
    }

    /// A cluster whose first node leads and whose members have said their names.
    pub fn led_by_n1(count: u64, change: impl Fn(&mut Config)) -> Cluster {
        let mut cluster = Cluster::new(count, change);
        cluster.elect(1);
        cluster.elapse(Duration::from_millis(1000));
        cluster
    }

    /// Adds and starts a node that knows the nodes 1 to `known`.
    pub fn add(&mut self, node: u64, config: Config, known: u64) {
        let known = (1..=known.max(node)).map(NodeId).collect();
        self.nodes.insert(id(node), Node::new(id(node), config, known, &self.seed));
        self.start(node);
    }

    pub fn replica(&self, node: u64) -> &Replica {
        self.nodes[&id(node)].replica.as_ref().expect("the node runs")
    }

    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.replica.is_some())
    }

    pub fn up(&self) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|node| self.is_up(*node)).collect()
    }

    // Actions of the world.

    pub fn start(&mut self, node: u64) {
        let now = self.now;
        self.node(node).boot(now);
        self.step(node, |replica, cx| replica.on_start(cx));
    }

    /// The process crashes, and unsynced records are lost. Its messages may still arrive.
    pub fn crash(&mut self, node: u64) {
        self.node(node).crash();
        self.links.retain(|(_, to), _| *to != id(node));
    }

    pub fn sync(&mut self, node: u64) {
        if !self.is_up(id(node)) {
            return;
        }
        let through = self.node(node).disk.sync(usize::MAX);
        self.node(node).outbox.advance(through);
        self.flush(node);
        self.step(node, |replica, cx| replica.on_persisted(through, cx));
    }

    fn sync_all(&mut self) -> bool {
        let waiting: Vec<NodeId> = self.up().into_iter().filter(|node| self.nodes[node].disk.pending() > 0).collect();
        waiting.iter().for_each(|node| self.sync(node.0));
        !waiting.is_empty()
    }

    /// Delivers the message at `place` of a link.
    pub fn deliver_at(&mut self, from: u64, to: u64, place: usize) -> bool {
        let queue = self.links.get_mut(&(id(from), id(to)));
        let Some(message) = queue.and_then(|queue| queue.remove(place)) else { return false };
        if self.is_up(id(to)) && !self.cut.contains(&(id(from), id(to))) {
            self.hand_over(from, to, message);
        }
        true
    }

    pub fn hand_over(&mut self, from: u64, to: u64, message: Message) {
        self.step(to, |replica, cx| replica.on_message(id(from), message, cx));
    }

    /// The place of the first message of a kind on a link.
    pub fn find(&self, from: u64, to: u64, kind: &str) -> Option<usize> {
        self.links.get(&(id(from), id(to)))?.iter().position(|message| message.kind() == kind)
    }

    /// Takes the first message of a kind off a link.
    pub fn take(&mut self, from: u64, to: u64, kind: &str) -> Message {
        let place = self.find(from, to, kind).unwrap_or_else(|| panic!("no {kind} from n{from} to n{to}"));
        self.links.get_mut(&(id(from), id(to))).and_then(|queue| queue.remove(place)).expect("just found")
    }

    fn deliver_all(&mut self, held: &[&str]) -> bool {
        let mut any = false;
        for (from, to) in self.links.keys().copied().collect::<Vec<_>>() {
            let is_free = |message: &Message| !held.contains(&message.kind());
            let free = |links: &BTreeMap<_, VecDeque<Message>>| links.get(&(from, to))?.iter().position(is_free);
            for _ in 0..self.links.get(&(from, to)).map_or(0, VecDeque::len) {
                let Some(place) = free(&self.links) else { break };
                any |= self.deliver_at(from.0, to.0, place);
            }
        }
        any
    }

    /// Syncs, delivers and fires what is due until nothing moves.
    pub fn settle(&mut self) {
        self.settle_but(&[]);
    }

    /// As [`Cluster::settle`], but messages of these kinds stay where they are.
    pub fn settle_but(&mut self, held: &[&str]) {
        for _ in 0..100_000 {
            let due = self.next_timer().filter(|(at, _, _)| *at <= self.now);
            if let Some((_, node, timer)) = due {
                self.fire(node.0, timer);
            } else if !(self.sync_all() | self.deliver_all(held)) {
                return;
            }
        }
        panic!("the cluster does not come to rest");
    }

    /// Moves the clock; each timer that is due fires, and everything settles after it.
    pub fn elapse(&mut self, span: Duration) {
        self.elapse_but(span, &[]);
    }

    pub fn elapse_but(&mut self, span: Duration, held: &[&str]) {
        let end = self.now + span;
        while let Some((at, node, timer)) = self.next_timer().filter(|(at, _, _)| *at <= end) {
            self.now = self.now.max(at);
            self.fire(node.0, timer);
            self.settle_but(held);
        }
        self.now = end;
    }

    /// Moves the clock and nothing else: a pause of everything.
    pub fn pause(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    fn next_timer(&self) -> Option<(Instant, NodeId, Timer)> {
        let due = |node: &Node| node.timers.iter().map(|(timer, at)| (*at, node.id, *timer)).min();
        self.nodes.values().filter(|node| node.replica.is_some()).filter_map(due).min()
    }

    pub fn fire(&mut self, node: u64, timer: Timer) {
        self.node(node).timers.remove(&timer);
        self.step(node, |replica, cx| replica.on_timer(timer, cx));
    }

    /// Makes one node time out, and lets everything settle. The first term that it tries may be taken.
    pub fn elect(&mut self, node: u64) {
        for _ in 0..3 {
            if self.replica(node).raft().role() != RoleKind::Leader {
                self.fire(node, Timer::Raft(volvox_raft::Timer::Election));
                self.settle();
            }
        }
        assert_eq!(self.replica(node).raft().role(), RoleKind::Leader, "the election was lost");
    }

    pub fn command(&mut self, node: u64, command: Command) {
        self.step(node, |replica, cx| replica.on_command(command, cx));
    }

    pub fn request(&mut self, node: u64, request: Request) -> Ticket {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.command(node, Command::Request { ticket, request });
        ticket
    }

    pub fn put(&mut self, node: u64, key: &str, value: &str) -> Ticket {
        let put = PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() };
        self.request(node, Request::Write(StoreCommand::Put(put)))
    }

    /// Everything that a request was answered.
    pub fn replies(&self, ticket: Ticket) -> Vec<&Result<Reply, Error>> {
        let of = |event| match event {
            &(_, Event::Reply { ticket: of, ref result }) if of == ticket => Some(result),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// The one answer to a request.
    pub fn reply(&self, ticket: Ticket) -> Option<&Result<Reply, Error>> {
        let replies = self.replies(ticket);
        assert!(replies.len() <= 1, "{ticket:?} was answered {} times: {replies:?}", replies.len());
        replies.first().copied()
    }

    pub fn value(&self, node: u64, key: &str) -> Option<String> {
        let pair = self.replica(node).store().view().get(key.as_bytes())?;
        Some(String::from_utf8_lossy(&pair.value).into_owned())
    }

    /// Only nodes of one group receive from one another; a node in no group receives nothing.
    pub fn groups(&mut self, groups: &[&[u64]]) {
        let together =
            |from: NodeId, to: NodeId| groups.iter().any(|group| group.contains(&from.0) && group.contains(&to.0));
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        let links = nodes.iter().flat_map(|from| nodes.iter().map(|to| (*from, *to)));
        self.cut = links.filter(|(from, to)| !together(*from, *to)).collect();
        let cut = &self.cut;
        self.links.retain(|link, _| !cut.contains(link));
    }

    /// Whether a note with this text was made.
    pub fn noted(&self, text: &str) -> bool {
        self.trace.iter().any(|line| line.contains(&format!("note {text}")))
    }

    // The consequences of a step.

    pub fn step(&mut self, node: u64, step: impl FnOnce(&mut Replica, &mut volvox_core::Context<'_, Replica>)) {
        let now = self.now;
        let effects = self.node(node).run(now, step);
        let worth =
            effects.iter().filter(|effect| !matches!(effect, Effect::SetTimer { .. } | Effect::CancelTimer { .. }));
        self.trace.extend(worth.map(|effect| Line { at: now, node: id(node), effect }.to_string()));
        self.node(node).take(effects, now);
        self.flush(node);
    }

    fn flush(&mut self, node: u64) {
        let released = self.node(node);
        while let Some(out) = released.outbox.pop() {
            released.ready.push_back(out);
        }
        for out in std::mem::take(&mut self.node(node).ready) {
            match out {
                Out::Emit(event) => self.events.push((id(node), event)),
                Out::Send(to, message) if !self.cut.contains(&(id(node), to)) && self.nodes.contains_key(&to) => {
                    self.links.entry((id(node), to)).or_default().push_back(message);
                }
                Out::Send(..) => {}
            }
        }
    }

    pub fn node(&mut self, node: u64) -> &mut Node {
        self.nodes.get_mut(&id(node)).unwrap_or_else(|| panic!("no n{node}"))
    }
}

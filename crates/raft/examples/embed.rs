//! Raft in an embedding program: the duties that `README.md` lists under "Embed this", by number, over a world in
//! memory. Three members elect a leader and apply its proposals; the leader crashes and restarts from its disk.
//!
//! `cargo run -p volvox-raft --example embed`; `cargo test` runs it, too.

use std::collections::{BTreeMap, VecDeque};
use volvox_core::{
    Context, Duration, Effect, EffectOf, Environment, Incarnation, Instant, NodeId, Now, Outbox, Position, Process,
    Restored, Rng,
};
use volvox_raft::{
    Command, Config, Configuration, Event, Member, Message, Payload, Raft, Record, RoleKind, Ticket, Timer,
};

const NODES: u64 = 3;

/// The state that survives a crash.
type Disk = Vec<(Position, Record)>;

/// The output of a step: to a peer, or to this program.
enum Leaving {
    Message(NodeId, Message),
    Event(Event),
}

/// One member, and what it needs from the world.
struct Node {
    raft: Raft,
    environment: Environment,
    started_at: Instant,
    timers: BTreeMap<Timer, Instant>,
    disk: Disk,
    unsynced: Disk,
    outbox: Outbox<Leaving>,
    /// The state machine.
    applied: Vec<String>,
}

impl Node {
    /// 1: a new member is restored from what its disk holds, and only then started.
    fn start(id: NodeId, disk: Disk, now: Instant) -> (Node, Vec<Leaving>) {
        let members: Vec<NodeId> = (1..=NODES).map(NodeId).collect();
        let initial = Some(Configuration::of(members.iter().map(|id| Member::new(id.0, 1))));
        let config = Config { initial, ..Config::default() };
        let mut raft = Raft::new(id, &members, &config);
        for (position, record) in disk.clone() {
            raft.on_restore(Restored::Record { position, record });
        }
        let durable = disk.last().map_or(Position::NONE, |(position, _)| *position);
        // Each member has its own part of the seed; otherwise all would campaign at once.
        let environment = Environment::new(id, Incarnation::FIRST, durable, &Rng::new(now.0));
        let mut node = Node {
            raft,
            environment,
            started_at: now,
            timers: BTreeMap::new(),
            disk,
            unsynced: Disk::new(),
            outbox: Outbox::new(durable),
            applied: Vec::new(),
        };
        let leaving = node.step(now, |raft, cx| raft.on_start(cx));
        (node, leaving)
    }

    /// 2: one handler at a time, then all effects in their order.
    fn step(&mut self, now: Instant, handler: impl FnOnce(&mut Raft, &mut Context<'_, Raft>)) -> Vec<Leaving> {
        // The monotonic clock of a member begins with its process.
        self.environment.now = Now::Known(Instant(now.0 - self.started_at.0));
        let mut effects = Vec::new();
        handler(&mut self.raft, &mut Context::new(&mut self.environment, &mut effects));
        effects.into_iter().filter_map(|effect| self.carry_out(effect, now)).collect()
    }

    fn carry_out(&mut self, effect: EffectOf<Raft>, now: Instant) -> Option<Leaving> {
        match effect {
            // 3: 3: messages and events wait until the records before them are durable.
            Effect::Send { to, message, after } => return self.outbox.offer(after, Leaving::Message(to, message)),
            Effect::Emit { event, after } => return self.outbox.offer(after, Leaving::Event(event)),
            Effect::Persist { position, record } => self.unsynced.push((position, record)),
            // 4: setting a timer replaces it.
            Effect::SetTimer { timer, after } => drop(self.timers.insert(timer, now + after)),
            Effect::CancelTimer { timer } => drop(self.timers.remove(&timer)),
            Effect::Note(_) => {}
            Effect::CheckpointPart { .. } | Effect::CheckpointDone { .. } => {
                unreachable!("this program makes no checkpoints, so its log is never truncated")
            }
        }
        None
    }

    /// 3: one sync for all that was written since the last; the effects that waited for it leave, and the member is
    /// informed.
    fn sync(&mut self, now: Instant) -> Vec<Leaving> {
        let Some((through, _)) = self.unsynced.last().cloned() else { return Vec::new() };
        self.disk.append(&mut self.unsynced);
        self.outbox.advance(through);
        let mut leaving: Vec<Leaving> = std::iter::from_fn(|| self.outbox.pop()).collect();
        leaving.extend(self.step(now, |raft, cx| raft.on_persisted(through, cx)));
        leaving
    }
}

/// Links that lose nothing, and a clock that jumps to the next timer when there is nothing else to do.
#[derive(Default)]
struct World {
    now: Instant,
    nodes: BTreeMap<NodeId, Node>,
    links: VecDeque<(NodeId, NodeId, Message)>,
}

impl World {
    fn start(&mut self, id: NodeId, disk: Disk) {
        let (node, leaving) = Node::start(id, disk, self.now);
        self.nodes.insert(id, node);
        self.release(id, leaving);
    }

    fn release(&mut self, from: NodeId, leaving: Vec<Leaving>) {
        for one in leaving {
            match one {
                Leaving::Message(to, message) => self.links.push_back((from, to, message)),
                Leaving::Event(event) => self.on_event(from, event),
            }
        }
    }

    /// 5: 5: committed entries are applied in the order of their arrival.
    fn on_event(&mut self, id: NodeId, event: Event) {
        println!("{:>6} ms {id} {event}", self.now.0 / 1_000_000);
        let (Event::Committed { entries }, Some(node)) = (event, self.nodes.get_mut(&id)) else { return };
        for entry in entries {
            if let Payload::Data(data) = entry.payload {
                node.applied.push(String::from_utf8_lossy(&data).into_owned());
            }
        }
    }

    fn step(&mut self, id: NodeId, handler: impl FnOnce(&mut Raft, &mut Context<'_, Raft>)) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let leaving = node.step(self.now, handler);
        self.release(id, leaving);
    }

    /// A message, or a sync, or the next timer.
    fn turn(&mut self) {
        if let Some((from, to, message)) = self.links.pop_front() {
            return self.step(to, |raft, cx| raft.on_message(from, message, cx));
        }
        if let Some((id, node)) = self.nodes.iter_mut().find(|(_, node)| !node.unsynced.is_empty()) {
            let (id, leaving) = (*id, node.sync(self.now));
            return self.release(id, leaving);
        }
        let timers = self.nodes.iter().flat_map(|(id, node)| node.timers.iter().map(|(timer, at)| (*at, *id, *timer)));
        let (at, id, timer) = timers.min().expect("a member always waits for something");
        self.now = self.now.max(at);
        self.nodes.get_mut(&id).expect("a timer has a node").timers.remove(&timer);
        self.step(id, |raft, cx| raft.on_timer(timer, cx));
    }

    fn run_until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        let deadline = self.now + Duration::from_secs(60);
        while !done(self) {
            assert!(self.now < deadline, "a minute has passed, and still not: {what}");
            self.turn();
        }
    }

    fn leader(&self) -> Option<NodeId> {
        self.nodes.iter().find(|(_, node)| node.raft.role() == RoleKind::Leader).map(|(id, _)| *id)
    }

    /// 6: asks the leader, and waits until every member that runs has applied it.
    fn propose(&mut self, ticket: u64, text: &str) {
        self.run_until("a leader", |world| world.leader().is_some());
        let leader = self.leader().expect("a leader");
        let data = text.into();
        self.step(leader, |raft, cx| raft.on_command(Command::Propose { ticket: Ticket(ticket), data }, cx));
        let has_it = |node: &Node| node.applied.last().is_some_and(|last| last == text);
        self.run_until("applied everywhere", |world| world.nodes.values().all(has_it));
    }
}

fn main() {
    let mut world = World::default();
    (1..=NODES).for_each(|id| world.start(NodeId(id), Disk::new()));
    world.propose(1, "first");

    // The leader's process crashes: only its disk remains.
    let old = world.leader().expect("a leader");
    let disk = world.nodes.remove(&old).expect("it ran").disk;
    world.propose(2, "without the old leader");

    world.start(old, disk);
    world.propose(3, "together again");
    for node in world.nodes.values() {
        assert_eq!(node.applied, ["first", "without the old leader", "together again"]);
    }
}

#[test]
fn three_members_apply_the_same() {
    main();
}

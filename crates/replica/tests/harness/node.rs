//! One node of the harness: the process, its disk, its timers, and the gate before its sends and events.

use super::disk::{Disk, Operation};
use std::collections::{BTreeMap, VecDeque};
use volvox_core::{
    Context, Effect, EffectOf, Environment, Incarnation, Instant, NodeId, Now, Outbox, Position, Process, Rng,
};
use volvox_replica::{Config, Event, Message, Replica, Timer};

pub struct Node {
    pub id: NodeId,
    pub config: Config,
    pub replica: Option<Replica>,
    pub disk: Disk,
    pub outbox: Outbox<Out>,
    /// The effects that have passed the gate.
    pub ready: VecDeque<Out>,
    pub timers: BTreeMap<Timer, Instant>,
    lives: u64,
    known: Vec<NodeId>,
    environment: Environment,
    started_at: Instant,
    seed: Rng,
}

pub enum Out {
    Send(NodeId, Message),
    Emit(Event),
}

impl Node {
    pub fn new(id: NodeId, config: Config, known: Vec<NodeId>, seed: &Rng) -> Node {
        Node {
            id,
            environment: Environment::new(id, config.raft.incarnation, Position::NONE, seed),
            config,
            replica: None,
            disk: Disk::default(),
            outbox: Outbox::new(Position::NONE),
            ready: VecDeque::new(),
            timers: BTreeMap::new(),
            lives: 0,
            known,
            started_at: Instant::ZERO,
            seed: seed.clone(),
        }
    }

    /// The process is recreated from the disk.
    pub fn boot(&mut self, now: Instant) {
        assert!(self.replica.is_none(), "started twice");
        let (position, restored) = self.disk.restore();
        self.lives += 1;
        let seed = self.seed.split(self.lives);
        self.environment = Environment::new(self.id, self.config.raft.incarnation, position, &seed);
        self.outbox = Outbox::new(position);
        self.started_at = now;
        let mut replica = Replica::new(self.id, &self.known, &self.config);
        restored.into_iter().for_each(|item| replica.on_restore(item));
        self.replica = Some(replica);
    }

    pub fn crash(&mut self) {
        self.replica = None;
        self.timers.clear();
        self.ready.clear();
        self.outbox = Outbox::new(Position::NONE);
        self.disk.crash(0);
    }

    /// The folder is gone: the node is a new incarnation from now on, and must join.
    pub fn lose_disk(&mut self) {
        assert!(self.replica.is_none(), "a running node loses its disk");
        self.config.raft.incarnation = Incarnation(self.config.raft.incarnation.0 + 1);
        self.config.raft.initial = None;
        self.config.bootstrap = Vec::new();
        self.disk = Disk::default();
    }

    pub fn run(
        &mut self,
        now: Instant,
        step: impl FnOnce(&mut Replica, &mut Context<'_, Replica>),
    ) -> Vec<EffectOf<Replica>> {
        // The monotonic clock of a node starts with its process.
        self.environment.now = Now::Known(Instant(now.0 - self.started_at.0));
        let mut effects = Vec::new();
        let replica = self.replica.as_mut().expect("the node runs");
        step(replica, &mut Context::new(&mut self.environment, &mut effects));
        effects
    }

    /// Performs the effects of a step.
    pub fn take(&mut self, effects: Vec<EffectOf<Replica>>, now: Instant) {
        for effect in effects {
            match effect {
                Effect::Send { to, message, after } => {
                    self.ready.extend(self.outbox.offer(after, Out::Send(to, message)));
                }
                Effect::Emit { event, after } => self.ready.extend(self.outbox.offer(after, Out::Emit(event))),
                Effect::Persist { position, record } => self.disk.push(Operation::Record(position, record)),
                Effect::SetTimer { timer, after } => {
                    self.timers.insert(timer, now + after);
                }
                Effect::CancelTimer { timer } => {
                    self.timers.remove(&timer);
                }
                Effect::CheckpointPart { part } => self.disk.push(Operation::Part(part)),
                Effect::CheckpointDone { covers, parts } => self.disk.push(Operation::Done { covers, parts }),
                Effect::Note(_) => {}
            }
        }
    }
}

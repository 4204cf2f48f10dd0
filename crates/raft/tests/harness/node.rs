//! One node of the harness: the process, its disk, its timers, and the gate before its sends.

use super::disk::{Disk, Operation};
use super::parent::State;
use std::collections::{BTreeMap, VecDeque};
use volvox_core::{
    Context, Effect, EffectOf, Environment, Instant, NodeId, Now, Outbox, Position, Process, Restored, Rng,
};
use volvox_raft::{Config, Event, Message, Raft, Record, Timer};

pub struct Node {
    pub id: NodeId,
    pub config: Config,
    pub raft: Option<Raft>,
    pub disk: Disk,
    pub outbox: Outbox<Out>,
    /// The effects that have passed the gate.
    pub ready: VecDeque<Out>,
    pub timers: BTreeMap<Timer, Instant>,
    pub is_paused: bool,
    /// The state machine.
    pub state: State,
    pub lives: u64,
    known: Vec<NodeId>,
    environment: Environment,
    started_at: Instant,
    seed: Rng,
}

pub struct Out {
    pub to: NodeId,
    pub message: Message,
}

impl Node {
    pub fn new(id: NodeId, config: Config, known: Vec<NodeId>, seed: &Rng) -> Node {
        Node {
            id,
            environment: Environment::new(id, config.incarnation, Position::NONE, seed),
            config,
            raft: None,
            disk: Disk::default(),
            outbox: Outbox::new(Position::NONE),
            ready: VecDeque::new(),
            timers: BTreeMap::new(),
            is_paused: false,
            state: State::default(),
            lives: 0,
            known,
            started_at: Instant::ZERO,
            seed: seed.clone(),
        }
    }

    pub fn boot(&mut self, position: Position, restored: Vec<Restored<Record>>, now: Instant) {
        assert!(self.raft.is_none(), "started twice");
        self.lives += 1;
        let seed = self.seed.split(self.lives);
        self.environment = Environment::new(self.id, self.config.incarnation, position, &seed);
        self.outbox = Outbox::new(position);
        self.started_at = now;
        self.state = State::default();
        let mut raft = Raft::new(self.id, &self.known, &self.config);
        for item in restored {
            if let Restored::Part(part) = &item
                && !Raft::is_checkpoint_part(part)
            {
                self.state.restore_part(part);
            }
            raft.on_restore(item);
        }
        self.raft = Some(raft);
    }

    pub fn crash(&mut self, kept: usize) {
        self.raft = None;
        self.is_paused = false;
        self.timers.clear();
        self.outbox = Outbox::new(Position::NONE);
        self.disk.crash(kept);
    }

    pub fn run(&mut self, now: Instant, step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>)) -> Vec<EffectOf<Raft>> {
        // The monotonic clock of a node starts with its process.
        self.environment.now = Now::Known(Instant(now.0 - self.started_at.0));
        let mut effects = Vec::new();
        let raft = self.raft.as_mut().expect("the node runs");
        step(raft, &mut Context::new(&mut self.environment, &mut effects));
        effects
    }

    /// Does what a step asked for; gives back what it told its parent.
    pub fn take(&mut self, effects: Vec<EffectOf<Raft>>, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, message, after } => {
                    self.ready.extend(self.outbox.offer(after, Out { to, message }));
                }
                Effect::Emit { event, .. } => events.push(event),
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
        events
    }
}

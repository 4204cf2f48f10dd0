//! One node as a value: the process, its timers, its disk, and the effects that wait for the disk; and one step of it.

use super::{Checked, Durability, System};
use std::cell::Cell;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_core::time::nanos;
use volvox_core::{
    Boot, Choices, Context, Effect, EffectOf, Environment, FlatMap, Instant, NodeId, Now, Part, Position, Process,
    Restored, Rng, Wall, WhichBoot, fingerprint_of,
};

/// The most effects of one kind of follow-up: a process that persists in every `on_persisted` never comes to rest.
const FOLLOW_UPS_MAX: u32 = 64;

/// A node. Two nodes with equal parts behave alike, so this value is interned.
#[derive(Clone)]
pub struct Node<P: Process> {
    /// The index of the node.
    pub index: usize,
    /// `None` while it is down.
    pub process: Option<P>,
    /// The timers that are set, with the remaining time on the node's clock; always zero in asynchronous models.
    pub timers: FlatMap<P::Timer, u64>,
    /// The monotonic clock of the node; always zero in asynchronous time.
    pub now: u64,
    /// The wall clock of the machine, which goes on while the node is down; zero if wall clocks are not kept.
    pub wall: u64,
    /// The drift of its clock.
    pub drift_ppm: i32,
    /// The number of starts of its process; always zero if boots are not counted.
    pub boots: u64,
    pub disk: Disk<P::Record>,
    /// The effects that wait until the records up to a position are durable, in the order of `volvox_core::Outbox`,
    /// which cannot be compared.
    pub gate: Vec<(Position, Held<P>)>,
}

/// The persisted records.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Disk<R> {
    /// The parts of the current checkpoint, and the position that they cover.
    pub checkpoint: Vec<Part>,
    pub covers: Position,
    /// The records after the checkpoint, durable or not.
    pub records: Vec<R>,
    pub durable: Position,
    /// The last position of each step that is not durable: a sync writes whole steps.
    pub ends: Vec<Position>,
    /// Parts that no checkpoint names yet.
    staged: Vec<Part>,
    /// Checkpoints that become current once the records up to a position are durable: what they cover, their parts.
    pending: Vec<(Position, Position, Vec<u64>)>,
}

/// An effect that waits at the gate.
#[derive(Clone, Hash)]
pub enum Held<P: Process> {
    Send(NodeId, P::Message),
    Emit(P::Event),
}

/// An input of a node.
#[derive(Clone)]
pub enum Input<P: Process> {
    Start,
    Message(NodeId, P::Message),
    Timer(P::Timer),
    Command(P::Command),
    /// The records up to here are durable.
    Sync(Position),
    /// The process ends; the records up to here survive, durable or not.
    Crash(Position),
    /// Time passes, by this much on a true clock.
    Pass(u64),
}

/// The effects of a step.
pub struct Ran<P: Process> {
    pub node: Node<P>,
    /// The messages and events that left the node, in order.
    pub left: Vec<Held<P>>,
    /// All effects, in program order.
    pub effects: Vec<EffectOf<P>>,
    /// The bounds of the choices that the step made.
    pub asked: Vec<u32>,
    pub failure: Option<String>,
}

impl<R> Disk<R> {
    pub fn new() -> Disk<R> {
        Disk {
            checkpoint: Vec::new(),
            covers: Position::NONE,
            records: Vec::new(),
            durable: Position::NONE,
            ends: Vec::new(),
            staged: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub fn last(&self) -> Position {
        Position(self.covers.0 + self.records.len() as u64)
    }

    fn sync(&mut self, through: Position) {
        self.durable = through;
        self.ends.retain(|end| *end > through);
        while self.pending.first().is_some_and(|(after, _, _)| *after <= through) {
            let (_, covers, names) = self.pending.remove(0);
            let mut parts = std::mem::take(&mut self.checkpoint);
            parts.append(&mut self.staged.clone());
            // A staged part that a later checkpoint will name stays.
            self.staged.retain(|part| !names.contains(&part.number));
            self.checkpoint =
                names.iter().filter_map(|name| parts.iter().find(|part| part.number == *name).cloned()).collect();
            let cut = covers.0.saturating_sub(self.covers.0).min(self.records.len() as u64);
            self.records.drain(..cut as usize);
            self.covers = self.covers.max(covers);
        }
    }

    fn crash(&mut self, keeps: Position) {
        self.records.truncate(keeps.0.saturating_sub(self.covers.0) as usize);
        self.durable = self.last();
        self.ends.clear();
        self.staged.clear();
        self.pending.clear();
    }
}

impl<P: Checked> Node<P> {
    /// A node that never started.
    pub fn new(index: usize, drift_ppm: i32) -> Node<P> {
        Node {
            index,
            process: None,
            timers: FlatMap::new(),
            now: 0,
            wall: 0,
            drift_ppm,
            boots: 0,
            disk: Disk::new(),
            gate: Vec::new(),
        }
    }
}

impl<P: Checked, H> System<P, H> {
    /// The fingerprint of a node: equal for nodes that behave alike.
    pub(super) fn fingerprint_of_node(&self, node: &Node<P>) -> u128 {
        let process = node.process.as_ref().map(|process| self.fingerprint_of_process(process, Instant(node.now)));
        let all = fingerprint_of(&(node.index, process, &node.timers, node.drift_ppm, &node.disk, &node.gate));
        let all = if self.counts_boots { fingerprint_of(&(all, node.boots)) } else { all };
        if self.keeps_wall_clocks { fingerprint_of(&(all, node.wall)) } else { all }
    }

    pub(super) fn fingerprint_of_process(&self, process: &P, now: Instant) -> u128 {
        match (&self.relative, &self.projection) {
            (Some(relative), _) => relative(process, now),
            (None, Some(projection)) => projection(process),
            (None, None) => fingerprint_of(process),
        }
    }

    /// One step of one node, with these answers to its choices.
    pub(super) fn run(&self, node: &Node<P>, input: &Input<P>, answers: Vec<u32>) -> Ran<P> {
        let mut stepping = Stepping::new(self, node, answers);
        // The process is a clone: a panic's half-finished state is discarded with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| stepping.take(input)));
        if let Err(panic) = outcome {
            stepping.failure = Some(match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(text), _) => format!("{} panicked: {text}", stepping.environment.id),
                (_, Some(text)) => format!("{} panicked: {text}", stepping.environment.id),
                _ => format!("{} panicked", stepping.environment.id),
            });
        }
        let asked = match stepping.environment.choices {
            Choices::Script { asked, .. } => asked,
            Choices::Random(_) | Choices::Noted { .. } => Vec::new(),
        };
        if stepping.environment.now == Now::Noted(Cell::new(true)) {
            // Its other effects do not matter: there was no time to read.
            let failure = Some(self.asks_for_now(stepping.environment.id));
            return Ran { node: node.clone(), left: Vec::new(), effects: Vec::new(), asked, failure };
        }
        if stepping.environment.boot == WhichBoot::Noted(Cell::new(true)) {
            let id = stepping.environment.id;
            let failure =
                Some(format!("{id} reads boot(), but restarts are not counted here: use System::counting_boots"));
            return Ran { node: node.clone(), left: Vec::new(), effects: Vec::new(), asked, failure };
        }
        let Stepping { node, left, all: effects, failure, .. } = stepping;
        Ran { node, left, effects, asked, failure }
    }

    /// If no node restarts every boot is the first, whether boots are counted or not.
    fn boot_of(&self, node: &Node<P>) -> WhichBoot {
        match (self.counts_boots, self.restarts) {
            (true, _) => WhichBoot::Known(Boot(node.boots)),
            (false, false) => WhichBoot::Known(Boot::FIRST),
            (false, true) => WhichBoot::Noted(Cell::new(false)),
        }
    }

    fn asks_for_now(&self, id: NodeId) -> String {
        match &self.timed {
            None => format!("{id} reads now(), but in an asynchronous model no time passes"),
            Some(_) => format!("{id} reads now(): define how processes compare at it with System::relative_to_now"),
        }
    }
}

/// A step in progress.
struct Stepping<'s, P: Checked, H> {
    system: &'s System<P, H>,
    node: Node<P>,
    environment: Environment,
    effects: Vec<EffectOf<P>>,
    left: Vec<Held<P>>,
    all: Vec<EffectOf<P>>,
    failure: Option<String>,
}

impl<'s, P: Checked, H> Stepping<'s, P, H> {
    fn new(system: &'s System<P, H>, node: &Node<P>, answers: Vec<u32>) -> Self {
        let id = system.ids[node.index];
        // A system that defines how processes compare relative to now may read it.
        let now = match (&system.timed, &system.relative) {
            (Some(_), Some(_)) => Now::Known(Instant(node.now)),
            _ => Now::Noted(Cell::new(false)),
        };
        let environment = Environment {
            id,
            incarnation: system.incarnation,
            boot: system.boot_of(node),
            now,
            wall: Wall(if system.keeps_wall_clocks { node.wall } else { node.now } as i64),
            // Jitter is fixed: every step draws the same.
            rng: Rng::new(id.0),
            choices: Choices::Script { answers, asked: Vec::new() },
            last_position: node.disk.last(),
        };
        let node = node.clone();
        Stepping { system, node, environment, effects: Vec::new(), left: Vec::new(), all: Vec::new(), failure: None }
    }

    fn take(&mut self, input: &Input<P>) {
        match input {
            Input::Start => {
                self.start();
                self.handle(&|process, cx| process.on_start(cx));
            }
            Input::Message(from, message) => {
                self.handle(&|process, cx| process.on_message(*from, message.clone(), cx));
            }
            Input::Timer(timer) => {
                self.node.timers.remove(timer);
                self.handle(&|process, cx| process.on_timer(timer.clone(), cx));
            }
            Input::Command(command) => self.handle(&|process, cx| process.on_command(command.clone(), cx)),
            Input::Sync(through) => {
                self.sync(*through);
                self.handle(&|process, cx| process.on_persisted(*through, cx));
            }
            Input::Crash(keeps) => self.crash(*keeps),
            Input::Pass(nanos) => self.pass(*nanos),
        }
    }

    fn start(&mut self) {
        let id = self.environment.id;
        if self.system.counts_boots {
            self.node.boots += 1;
            self.environment.boot = WhichBoot::Known(Boot(self.node.boots));
        }
        let mut process = P::new(id, &self.system.ids, &(self.system.config_of)(id));
        let disk = &self.node.disk;
        if disk.covers > Position::NONE {
            disk.checkpoint.iter().for_each(|part| process.on_restore(Restored::Part(part.clone())));
            process.on_restore(Restored::CheckpointEnd { covers: disk.covers });
        }
        for (at, record) in disk.records.iter().enumerate() {
            let position = Position(disk.covers.0 + 1 + at as u64);
            process.on_restore(Restored::Record { position, record: record.clone() });
        }
        self.node.process = Some(process);
    }

    /// Runs a handler; if a step and its records are atomic, then reports the records as durable at once.
    fn handle(&mut self, handler: &dyn Fn(&mut P, &mut Context<'_, P>)) {
        let before = self.node.disk.last();
        self.handle_once(handler);
        if self.system.durability == Durability::Separate {
            if self.node.disk.last() > before {
                self.node.disk.ends.push(self.node.disk.last());
            }
            return;
        }
        let mut told = before;
        for _ in 0..FOLLOW_UPS_MAX {
            let through = self.node.disk.last();
            if through == told || self.failure.is_some() {
                return;
            }
            told = through;
            self.handle_once(&|process, cx| process.on_persisted(through, cx));
        }
        self.failure = Some(format!("{} persists again whenever something is durable", self.environment.id));
    }

    fn handle_once(&mut self, handler: &dyn Fn(&mut P, &mut Context<'_, P>)) {
        let process = self.node.process.as_mut().expect("only a running node makes a step");
        let mut position = self.environment.last_position;
        handler(process, &mut Context::new(&mut self.environment, &mut self.effects));
        let effects = std::mem::take(&mut self.effects);
        for effect in &effects {
            self.apply(effect.clone(), &mut position);
        }
        if self.system.durability != Durability::Separate {
            let last = self.node.disk.last();
            self.node.disk.sync(last);
        }
        self.all.extend(effects);
    }

    /// `position` is that of the last record before this effect.
    fn apply(&mut self, effect: EffectOf<P>, position: &mut Position) {
        match effect {
            Effect::Send { to, message, after } => self.gate(after, *position, Held::Send(to, message)),
            Effect::Emit { event, after } => self.gate(after, *position, Held::Emit(event)),
            Effect::Persist { position: at, record } => {
                self.node.disk.records.push(record);
                *position = at;
            }
            Effect::SetTimer { timer, after } => {
                let left = if self.system.timed.is_some() { nanos(after) } else { 0 };
                self.node.timers.insert(timer, left);
            }
            Effect::CancelTimer { timer } => {
                self.node.timers.remove(&timer);
            }
            Effect::CheckpointPart { part } => self.node.disk.staged.push(part),
            Effect::CheckpointDone { covers, parts } => {
                let after = self.node.disk.last();
                self.node.disk.pending.push((after, covers, parts));
            }
            Effect::Note(_) => {}
        }
    }

    /// The gate of `volvox_core::Outbox`.
    fn gate(&mut self, after: Position, position: Position, item: Held<P>) {
        if self.system.durability != Durability::Separate {
            if self.system.durability == Durability::Atomic && after != position {
                self.failure.get_or_insert_with(|| {
                    let id = self.environment.id;
                    format!("{id} uses a positional verb ({after} of {position}): explore it with Durability::Separate")
                });
            }
            self.left.push(item);
        } else if after <= self.node.disk.durable {
            self.left.push(item);
        } else {
            let place = self.node.gate.partition_point(|(waits, _)| *waits <= after);
            self.node.gate.insert(place, (after, item));
        }
    }

    fn sync(&mut self, through: Position) {
        self.node.disk.sync(through);
        let open = self.node.gate.partition_point(|(after, _)| *after <= through);
        self.left.extend(self.node.gate.drain(..open).map(|(_, item)| item));
    }

    fn crash(&mut self, keeps: Position) {
        self.node.process = None;
        self.node.timers.clear();
        self.node.gate.clear();
        self.node.now = 0;
        self.node.disk.crash(keeps);
    }

    fn pass(&mut self, nanos: u64) {
        let drift = i128::from(nanos) * i128::from(self.node.drift_ppm) / 1_000_000;
        let local = u64::try_from(i128::from(nanos) + drift).unwrap_or(0);
        if self.node.process.is_some() && self.system.relative.is_some() {
            self.node.now += local;
        }
        if self.system.keeps_wall_clocks {
            self.node.wall += local;
        }
        self.node.timers.values_mut().for_each(|left| *left = left.saturating_sub(local));
    }
}

//! The effect of an action: starts and crashes of a node, and steps with their effects.

use super::action::Keeps;
use super::node::{Disk, Node, Outgoing};
use super::setting::Clockwork;
use super::world::World;
use crate::storage::Write;
use std::fmt;
use volvox_core::trace::Line;
use volvox_core::{
    Boot, Choices, Context, Effect, EffectOf, Environment, Incarnation, Instant, NodeId, Now, Outbox, Position,
    Process, Rng, Wall, WhichBoot,
};

impl<P: Process> World<P> {
    pub(super) fn start(&mut self, id: NodeId, choices: &[u32]) {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("it was checked");
        node.run += 1;
        node.boot = node.boot.next();
        let mut process = P::new(id, &node.members, &(self.config_of)(id, node.incarnation));
        let last = node.disk.restore(|restored| process.on_restore(restored));
        node.outbox = Outbox::new(last);
        let chance = self.chance.split(u64::from(node.run));
        node.environment = Environment::new(id, node.incarnation, last, &chance);
        node.environment.boot = WhichBoot::Known(node.boot);
        node.clock.restart(now);
        node.process = Some(process);
        self.step(id, choices, |process, cx| process.on_start(cx));
    }

    pub(super) fn crash(&mut self, id: NodeId, keeps: Keeps) {
        let node = self.expect(id);
        node.process = None;
        node.timers.clear();
        node.answers.clear();
        node.outbox = Outbox::new(Position::NONE);
        match keeps {
            Keeps::Durable => node.disk.crash(Position::NONE),
            Keeps::Through(through) => node.disk.crash(through),
            Keeps::Nothing => {
                node.disk = Disk::default();
                node.incarnation = Incarnation(node.incarnation.0 + 1);
                node.boot = Boot(0);
            }
        }
        if !self.links_survive {
            self.links.retain(|(_, to), _| *to != id);
            self.enter_broken(id);
        }
    }

    pub(super) fn sync(&mut self, id: NodeId, through: Position, choices: &[u32]) -> usize {
        let node = self.expect(id);
        let before = node.disk.durable();
        let durable = node.disk.sync(through);
        if self.prompt_disks && durable == before {
            return 0;
        }
        let node = self.expect(id);
        node.outbox.advance(durable);
        self.enter(id, || crate::recording::What::Durable(durable));
        while let Some(outgoing) = self.expect(id).outbox.pop() {
            self.release(id, outgoing);
        }
        self.step_once(id, choices, |process, cx| process.on_persisted(durable, cx))
    }

    pub(super) fn step(&mut self, id: NodeId, choices: &[u32], handler: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let used = self.step_once(id, choices, handler);
        self.sync_promptly(id, choices, used);
    }

    fn sync_promptly(&mut self, id: NodeId, choices: &[u32], used: usize) {
        let mut rest = choices[used.min(choices.len())..].to_vec();
        while self.prompt_disks && self.has_unsynced(id) {
            let used = self.sync(id, Position(u64::MAX), &rest);
            rest.drain(..used.min(rest.len()));
        }
    }

    /// Runs a handler and performs its effects; returns how many choices it made.
    fn step_once(&mut self, id: NodeId, choices: &[u32], handler: impl FnOnce(&mut P, &mut Context<'_, P>)) -> usize {
        self.begin_step(id, choices);
        let mut effects = std::mem::take(&mut self.effects);
        let Node { process, environment, .. } = self.expect(id);
        let process = process.as_mut().expect("it was checked");
        handler(process, &mut Context::new(environment, &mut effects));
        self.end_step(id, choices.len(), effects)
    }

    fn begin_step(&mut self, id: NodeId, choices: &[u32]) {
        let (now, clockwork) = (self.now, self.clockwork);
        let node = self.nodes.get_mut(&id).expect("it was checked");
        let (local, wall) = node.clock.read(now);
        let environment = &mut node.environment;
        (environment.now, environment.wall) = match clockwork {
            Clockwork::Running | Clockwork::Modelled { keeps_wall_clocks: true } => (Now::Known(local), wall),
            Clockwork::Modelled { keeps_wall_clocks: false } => (Now::Known(local), Wall(local.0 as i64)),
            Clockwork::Stopped => (Now::Unknown, Wall(0)),
        };
        if clockwork != Clockwork::Running {
            environment.rng = Rng::new(id.0);
        }
        let mut given = choices.to_vec();
        given.append(&mut node.answers);
        environment.choices = Choices::Noted { given, rng: None, answers: Vec::new() };
    }

    /// Returns how many choices the step made; `told` are the answers that came with its action.
    fn end_step(&mut self, id: NodeId, told: usize, mut effects: Vec<EffectOf<P>>) -> usize {
        let now = self.now;
        let node = self.expect(id);
        let no_choices = Choices::Script { answers: Vec::new(), asked: Vec::new() };
        let mut used = 0;
        if let Choices::Noted { mut given, answers, .. } = std::mem::replace(&mut node.environment.choices, no_choices)
        {
            used = answers.len();
            // Prepared answers wait for a step that makes choices.
            let of_action = used.max(told).min(given.len());
            node.answers = given.split_off(of_action);
        }
        for effect in effects.drain(..) {
            if let Some(lines) = &mut self.lines {
                lines.push(Line { at: Instant(now), node: id, effect: &effect }.to_string());
            }
            self.enter_effect(id, &effect);
            self.apply(id, effect);
        }
        self.effects = effects;
        self.choices_made = used;
        used
    }

    fn apply(&mut self, id: NodeId, effect: EffectOf<P>) {
        let now = self.now;
        let node = self.expect(id);
        match effect {
            Effect::Send { to, message, after } => {
                if let Some(outgoing) = node.outbox.offer(after, Outgoing::Send(to, message)) {
                    self.release(id, outgoing);
                }
            }
            Effect::Emit { event, after } => {
                if let Some(outgoing) = node.outbox.offer(after, Outgoing::Emit(event)) {
                    self.release(id, outgoing);
                }
            }
            Effect::Persist { position, record } => node.disk.push(Write::Record(position, record)),
            Effect::SetTimer { timer, after } => {
                let due = node.clock.read(now).0 + after;
                node.timers.insert(timer, due);
            }
            Effect::CancelTimer { timer } => {
                node.timers.remove(&timer);
            }
            Effect::CheckpointPart { part } => node.disk.push(Write::Part(part)),
            Effect::CheckpointDone { covers, parts } => node.disk.push(Write::CheckpointDone { covers, parts }),
            Effect::Note(_) => {}
        }
    }

    fn release(&mut self, id: NodeId, outgoing: Outgoing<P>) {
        match outgoing {
            Outgoing::Send(to, message) if self.nodes.contains_key(&to) => {
                let queue = self.links.get_or_default((id, to));
                queue.push(message);
                let place = queue.len() - 1;
                self.enter_sent((id, to), place, false);
            }
            Outgoing::Send(to, message) => self.write(format_args!("{id} -x {to} {message}")),
            Outgoing::Emit(event) => {
                self.enter_event(id, &event);
                self.told.push((id, event));
            }
        }
    }

    pub(super) fn write(&mut self, text: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {text}", Instant(self.now)));
        }
    }
}

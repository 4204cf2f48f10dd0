//! One event: a step of a process, and the results of its effects.

use crate::event::{Happening, Input, Pending, Violation};
use crate::node::{Durability, NEVER, Outgoing, Timer, Waiting};
use crate::queue::Lane;
use crate::recording::What;
use crate::simulation::Simulation;
use crate::storage::{Finished, StorageError, Write};
use std::hash::{Hash, Hasher};
use volvox_core::time::nanos;
use volvox_core::{Context, Duration, Effect, EffectOf, Instant, NodeId, Now, Outbox, Position, Process};

/// How long a disk that defers something is left alone.
const DISK_ASKED_AGAIN: Duration = Duration::from_millis(50);

impl<P: Process + 'static> Simulation<P> {
    pub(crate) fn handle(&mut self, what: Pending<P>) {
        match what {
            Pending::Message { link, epoch, message } => self.message_arrives(link, epoch, message),
            Pending::Timer { node, run, timer } => self.timer_comes_up(node, run, timer),
            Pending::Synced { node, run } => self.sync_returns(node, run),
            Pending::AskDisk { node, run } => self.ask_disk(node, run),
            Pending::Command { node, command } => {
                let place = &self.nodes[node as usize];
                if place.process.is_none() {
                } else if place.stalled {
                    self.cold[node as usize].waiting.push_back(Waiting::Command(*command));
                } else {
                    self.run_step(node, Input::Command(*command));
                }
            }
            Pending::Start { node } => self.start_node(node),
            Pending::Wake { node, run } => self.catch_up(node, run),
            Pending::Fault(fault) => self.apply_fault(&fault),
            Pending::Passing(passing) => self.apply_passing(&passing.0, passing.1),
            Pending::Undo(undo) => self.undo(undo),
            Pending::Plan => self.draw_fault(),
            Pending::Alarm(token) => self.tell(NodeId(0), Happening::Alarm(token)),
        }
    }

    fn message_arrives(&mut self, link: u32, epoch: u32, message: P::Message) {
        let Some((from, to)) = self.arrives(link, epoch, &message) else { return };
        let node = &self.nodes[to as usize];
        if node.process.is_none() {
            self.statistics.dropped_down += 1;
            self.record_nobody(to);
            self.journal_drop(link, epoch, &message);
        } else if node.stalled {
            // It still takes its place in the link's bounded queue.
            self.links.all[link as usize].in_flight += 1;
            let epoch = self.links.all[link as usize].epoch;
            self.cold[to as usize].waiting.push_back(Waiting::Message { link, epoch, message });
            self.record_held(to);
        } else {
            let from = self.cold[from as usize].id;
            self.run_step(to, Input::Message(from, message));
        }
    }

    fn timer_comes_up(&mut self, index: u32, run: u32, timer: P::Timer) {
        let now = self.now;
        let node = &mut self.nodes[index as usize];
        if node.run != run || node.process.is_none() {
            return;
        }
        let Ok(place) = node.timer_place(&timer) else { return };
        let entry = &mut node.timers[place];
        if entry.armed != now {
            return;
        }
        if entry.due == Instant::MAX {
            node.timers.remove(place);
            return;
        }
        if node.stalled {
            entry.armed = NEVER;
            return;
        }
        let local = node.clock.read(now).0;
        if local < entry.due {
            let at = now.saturating_add(node.clock.world_span(nanos(entry.due.since(local))));
            entry.armed = at;
            self.queue.push(at, Lane::Timers, Pending::Timer { node: index, run, timer });
            return;
        }
        node.timers.remove(place);
        self.run_step(index, Input::Timer(timer));
    }

    /// One thing that waited while the node was paused; when nothing waits any more, the timers that became due.
    fn catch_up(&mut self, index: u32, run: u32) {
        let node = &mut self.nodes[index as usize];
        let cold = &mut self.cold[index as usize];
        if node.run != run || node.process.is_none() || cold.paused {
            return;
        }
        match cold.waiting.pop_front() {
            Some(Waiting::Message { link, epoch, message }) => {
                let link = &mut self.links.all[link as usize];
                if link.epoch == epoch {
                    link.in_flight -= 1;
                }
                let from = self.cold[link.from as usize].id;
                self.record_unheld(index);
                self.run_step(index, Input::Message(from, message));
            }
            Some(Waiting::Command(command)) => self.run_step(index, Input::Command(command)),
            Some(Waiting::Synced(outcome)) => self.settle_sync(index, outcome),
            None => {
                let local = node.clock.read(self.now).0;
                let overdue = node.timers.iter().enumerate().filter(|(_, entry)| entry.due <= local);
                match overdue.min_by(|(_, one), (_, other)| (one.due, &one.timer).cmp(&(other.due, &other.timer))) {
                    Some((place, _)) => {
                        let timer = node.timers.remove(place).timer;
                        self.run_step(index, Input::Timer(timer));
                    }
                    None => {
                        node.stalled = false;
                        self.arm_timers(index);
                        return;
                    }
                }
            }
        }
        self.schedule(Duration::ZERO, Pending::Wake { node: index, run });
    }

    /// Gives every timer a key for the right moment: after a pause, and when the clock changed its rate.
    pub(crate) fn arm_timers(&mut self, index: u32) {
        let now = self.now;
        let node = &mut self.nodes[index as usize];
        let local = node.clock.read(now).0;
        node.timers.retain(|entry| entry.due != Instant::MAX);
        for entry in &mut node.timers {
            let at = now.saturating_add(node.clock.world_span(nanos(entry.due.since(local))));
            if entry.armed != at {
                entry.armed = at;
                let what = Pending::Timer { node: index, run: node.run, timer: entry.timer.clone() };
                self.queue.push(at, Lane::Timers, what);
            }
        }
    }

    pub(crate) fn run_step(&mut self, index: u32, input: Input<P>) {
        let node = &mut self.nodes[index as usize];
        let (now, wall) = node.clock.read(self.now);
        node.environment.now = Now::Known(now);
        node.environment.wall = wall;
        if let Some(chain) = &mut self.chain {
            chain.write_u64(self.now);
            chain.write_u32(index);
            hash_input(&input, chain);
        }
        self.observe_input(index, &input);
        self.statistics.steps += 1;
        let node = &mut self.nodes[index as usize];
        let process = node.process.as_mut().expect("a step of a node that is up");
        let mut cx = Context::new(&mut node.environment, &mut self.effects);
        match input {
            Input::Start => process.on_start(&mut cx),
            Input::Message(from, message) => {
                self.statistics.delivered += 1;
                process.on_message(from, message, &mut cx);
            }
            Input::Timer(timer) => {
                self.statistics.timers += 1;
                process.on_timer(timer, &mut cx);
            }
            Input::Command(command) => {
                self.statistics.commands += 1;
                process.on_command(command, &mut cx);
            }
            Input::Persisted(through) => process.on_persisted(through, &mut cx),
        }
        if self.journal.is_some() {
            self.journal_answers(index);
        }
        self.apply_effects(index);
        if !self.invariants.is_empty() {
            self.check_invariants(index);
        }
        // Last, because a disk that refuses ends the process, and the events of this step were already emitted.
        if self.nodes[index as usize].durability.is_some() {
            self.begin_sync(index);
        }
    }

    fn apply_effects(&mut self, index: u32) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            if let Some(chain) = &mut self.chain {
                effect.hash(chain);
            }
            self.observe_effect(index, &effect);
            self.apply_effect(index, effect);
        }
        self.effects = effects;
    }

    fn apply_effect(&mut self, index: u32, effect: EffectOf<P>) {
        match effect {
            Effect::Send { to, message, after } => self.offer(index, after, Outgoing::Send(to, message)),
            Effect::Emit { event, after } => self.offer(index, after, Outgoing::Emit(event)),
            Effect::SetTimer { timer, after } => self.set_timer(index, timer, after),
            Effect::CancelTimer { timer } => {
                let node = &mut self.nodes[index as usize];
                if let Ok(place) = node.timer_place(&timer) {
                    node.timers[place].due = Instant::MAX;
                }
            }
            Effect::Persist { position, record } => {
                self.statistics.records += 1;
                self.durability(index).batch.push(Write::Record(position, record));
            }
            Effect::CheckpointPart { part } => self.durability(index).batch.push(Write::Part(part)),
            Effect::CheckpointDone { covers, parts } => {
                self.durability(index).batch.push(Write::CheckpointDone { covers, parts });
            }
            Effect::Note(note) => self.statistics.notes.add(note.text),
        }
    }

    fn set_timer(&mut self, index: u32, timer: P::Timer, after: Duration) {
        let now = self.now;
        let node = &mut self.nodes[index as usize];
        let due = node.clock.read(now).0 + after;
        let mut at = now.saturating_add(node.clock.world_span(nanos(after)));
        if node.stalled || due == Instant::MAX {
            at = NEVER;
        }
        match node.timer_place(&timer) {
            Ok(place) => {
                let entry = &mut node.timers[place];
                entry.due = due;
                if at >= entry.armed {
                    return;
                }
                entry.armed = at;
            }
            Err(place) => node.timers.insert(place, Timer { timer: timer.clone(), due, armed: at }),
        }
        if at != NEVER {
            self.queue.push(at, Lane::Timers, Pending::Timer { node: index, run: node.run, timer });
        }
    }

    fn offer(&mut self, index: u32, after: Position, outgoing: Outgoing<P>) {
        let ready = match &mut self.nodes[index as usize].durability {
            Some(durability) => durability.outbox.offer(after, outgoing),
            None => Some(outgoing),
        };
        if let Some(outgoing) = ready {
            self.release(index, outgoing);
        }
    }

    fn release(&mut self, index: u32, outgoing: Outgoing<P>) {
        match outgoing {
            Outgoing::Send(to, message) => self.transmit(index, to, message),
            Outgoing::Emit(event) => {
                self.statistics.events += 1;
                self.record(index, || What::Event(event.to_string()));
                self.tell(self.cold[index as usize].id, Happening::Event(event));
            }
        }
    }

    pub(crate) fn durability(&mut self, index: u32) -> &mut Durability<P> {
        let node = &mut self.nodes[index as usize];
        node.durability.get_or_insert_with(|| {
            let cold = &self.cold[index as usize];
            let mut storage = (self.storage)(cold.id);
            storage.format(cold.incarnation);
            Box::new(Durability {
                outbox: Outbox::new(Position::NONE),
                batch: Vec::new(),
                syncing: false,
                written: Position::NONE,
                asks_again: false,
                storage,
            })
        })
    }

    fn begin_sync(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let Some(durability) = &mut node.durability else { return };
        if durability.syncing || durability.batch.is_empty() {
            return;
        }
        durability.syncing = true;
        durability.written = node.environment.last_position;
        self.statistics.batches += 1;
        match durability.storage.write(&mut durability.batch, &mut self.disk_rng) {
            Ok(span) => {
                assert!(durability.batch.is_empty(), "a storage takes the whole batch");
                let run = node.run;
                let at = self.now.saturating_add(nanos(span));
                self.queue.push(at, Lane::Syncs, Pending::Synced { node: index, run });
            }
            Err(error) => self.stop_node(index, Some(error)),
        }
    }

    fn sync_returns(&mut self, index: u32, run: u32) {
        let node = &mut self.nodes[index as usize];
        if node.run != run || node.process.is_none() {
            return;
        }
        let durability = node.durability.as_mut().expect("a sync of a disk");
        let outcome = durability.storage.finish();
        if node.stalled {
            self.cold[index as usize].waiting.push_back(Waiting::Synced(outcome));
        } else {
            self.settle_sync(index, outcome);
        }
    }

    /// A disk deferred something: perhaps it is possible now. A batch in progress checks that when it completes.
    fn ask_disk(&mut self, index: u32, run: u32) {
        let node = &mut self.nodes[index as usize];
        if node.run != run || node.process.is_none() {
            return;
        }
        let durability = node.durability.as_mut().expect("the disk that was asked");
        durability.asks_again = false;
        if node.stalled {
            return self.ask_disk_later(index);
        }
        if !durability.syncing {
            let outcome = durability.storage.finish();
            self.settle_sync(index, outcome);
        }
    }

    fn ask_disk_later(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let durability = node.durability.as_mut().expect("the disk that was asked");
        if !std::mem::replace(&mut durability.asks_again, true) {
            let run = node.run;
            self.schedule(DISK_ASKED_AGAIN, Pending::AskDisk { node: index, run });
        }
    }

    fn settle_sync(&mut self, index: u32, outcome: Result<Finished, StorageError>) {
        let finished = match outcome {
            Ok(finished) => finished,
            Err(error) => return self.stop_node(index, Some(error)),
        };
        let node = &mut self.nodes[index as usize];
        let durability = node.durability.as_mut().expect("a sync of a disk");
        let was_sync = std::mem::take(&mut durability.syncing);
        self.statistics.syncs += u64::from(was_sync);
        let (through, is_all) = match finished {
            Finished::All => (durability.written, true),
            Finished::Waits { through } => (through, false),
        };
        let is_news = through > durability.outbox.durable() || (was_sync && is_all);
        if !is_all {
            self.ask_disk_later(index);
        }
        if !is_news {
            return self.begin_sync(index);
        }
        self.journal_sync(index, through);
        let durability = self.durability(index);
        durability.outbox.advance(through);
        while let Some(outgoing) = self.nodes[index as usize].durability.as_mut().and_then(|gate| gate.outbox.pop()) {
            self.release(index, outgoing);
        }
        self.run_step(index, Input::Persisted(through));
    }

    fn check_invariants(&mut self, index: u32) {
        if self.violation.is_some() {
            return;
        }
        let id = self.cold[index as usize].id;
        let mut invariants = std::mem::take(&mut self.invariants);
        for (name, invariant) in &mut invariants {
            if let Err(text) = invariant(self, id) {
                self.violation = Some(Violation { at: self.now(), node: id, invariant: name, text });
                break;
            }
        }
        self.invariants = invariants;
    }
}

fn hash_input<P: Process>(input: &Input<P>, chain: &mut impl Hasher) {
    match input {
        Input::Start => chain.write_u8(0),
        // The message itself was hashed when it was sent; time and ends identify it.
        Input::Message(from, _) => {
            chain.write_u8(1);
            from.hash(chain);
        }
        Input::Timer(timer) => {
            chain.write_u8(2);
            timer.hash(chain);
        }
        Input::Command(command) => {
            chain.write_u8(3);
            command.hash(chain);
        }
        Input::Persisted(through) => {
            chain.write_u8(4);
            through.hash(chain);
        }
    }
}

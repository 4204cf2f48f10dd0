//! The observers of a run: the trace, the recorder and the journal. None of them decides anything.

use crate::event::Input;
use crate::recording::{Envelope, What};
use crate::script::{Keeps, Setup, What as Course, Which, WhichTimer};
use crate::simulation::Simulation;
use std::collections::VecDeque;
use std::fmt;
use volvox_core::trace::Line;
use volvox_core::{Choices, Effect, EffectOf, Fault, Instant, NodeId, Position, Process};

/// All observers.
impl<P: Process + 'static> Simulation<P> {
    /// A step begins.
    #[inline]
    pub(crate) fn observe_input(&mut self, index: u32, input: &Input<P>) {
        if self.trace.is_some() {
            self.trace_input(index, input);
        }
        if self.recorder.is_some() {
            self.record_input(index, input);
        }
        if self.journal.is_some() {
            self.journal_input(index, input);
        }
    }

    /// A step had this effect.
    #[inline]
    pub(crate) fn observe_effect(&self, index: u32, effect: &EffectOf<P>) {
        if self.trace.is_some() {
            self.trace_effect(index, effect);
        }
        if self.recorder.is_some() {
            self.record_effect(index, effect);
        }
    }
}

/// The trace.
impl<P: Process + 'static> Simulation<P> {
    fn trace_input(&self, index: u32, input: &Input<P>) {
        let id = self.cold[index as usize].id;
        match input {
            Input::Start => self.trace_text(format_args!("{id} starts as {}", self.cold[index as usize].incarnation)),
            Input::Message(from, message) => self.trace_text(format_args!("{id} <- {from} {message}")),
            Input::Timer(timer) => self.trace_text(format_args!("{id} timer {timer:?} fires")),
            Input::Command(command) => self.trace_text(format_args!("{id} command {command}")),
            Input::Persisted(through) => self.trace_text(format_args!("{id} durable through {through}")),
        }
    }

    fn trace_effect(&self, index: u32, effect: &EffectOf<P>) {
        if let Some(ring) = &self.trace {
            let node = self.cold[index as usize].id;
            ring.push(Line { at: Instant(self.now), node, effect }.to_string());
        }
    }

    pub(crate) fn trace_text(&self, text: fmt::Arguments<'_>) {
        if let Some(ring) = &self.trace {
            ring.push(format!("{} {text}", Instant(self.now)));
        }
    }
}

/// The recorder.
impl<P: Process + 'static> Simulation<P> {
    /// A message leaves, and will not arrive.
    pub(crate) fn record_refused(&self, from: u32, to: NodeId, message: &P::Message, why: &'static str) {
        let Some(recorder) = &self.recorder else { return };
        let ends = (self.cold[from as usize].id, to);
        let mut state = recorder.0.borrow_mut();
        let id = state.send(self.now(), Envelope::of(ends, message, false, self.carrier.as_deref()));
        state.add(self.now(), to, What::Lost(id, why));
    }

    /// A message has arrived: for [`Simulation::record_input`], or lost for this reason.
    pub(crate) fn record_arrival(&self, link: u32, lost: Option<&'static str>) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let Some(id) = state.take(link, self.now) else { return };
        match lost {
            Some(why) => {
                let to = self.cold[self.links.all[link as usize].to as usize].id;
                state.add(self.now(), to, What::Lost(id, why));
            }
            None => state.arrived = Some(id),
        }
    }

    /// The message that just arrived is lost, because the node is down.
    pub(crate) fn record_nobody(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        if let Some(id) = state.arrived.take() {
            state.add(self.now(), self.cold[to as usize].id, What::Lost(id, "down"));
        }
    }

    /// The message that just arrived waits, because the node is paused.
    pub(crate) fn record_held(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        if let Some(id) = state.arrived.take() {
            state.held.entry(to).or_default().push_back(id);
        }
    }

    /// The oldest message that waited for this node is handled next.
    pub(crate) fn record_unheld(&self, to: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        state.arrived = state.held.get_mut(&to).and_then(VecDeque::pop_front);
    }

    fn record_input(&self, index: u32, input: &Input<P>) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let cold = &self.cold[index as usize];
        let what = match input {
            Input::Start => What::Started(cold.incarnation),
            Input::Message(..) => match state.arrived.take() {
                Some(id) => What::Delivered(id),
                None => return,
            },
            Input::Timer(timer) => What::timer(timer, self.carrier.as_deref()),
            Input::Command(command) => What::Command(command.to_string()),
            Input::Persisted(through) => What::Durable(*through),
        };
        state.add(self.now(), cold.id, what);
    }

    fn record_effect(&self, index: u32, effect: &EffectOf<P>) {
        let Some(recorder) = &self.recorder else { return };
        let what = match effect {
            Effect::Persist { record, .. } => What::Persisted(record.to_string()),
            Effect::Note(note) => What::Note(note.to_string()),
            _ => return,
        };
        recorder.add(self.now(), self.cold[index as usize].id, what);
    }

    /// A happening at one node that is neither an input nor an effect.
    pub(crate) fn record(&self, index: u32, what: impl FnOnce() -> What) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.now(), self.cold[index as usize].id, what());
        }
    }

    /// The process is gone, and so is what waited for it.
    pub(crate) fn record_stopped(&self, index: u32) {
        let Some(recorder) = &self.recorder else { return };
        let mut state = recorder.0.borrow_mut();
        let (now, id) = (self.now(), self.cold[index as usize].id);
        state.add(now, id, What::Stopped);
        for message in state.held.remove(&index).unwrap_or_default() {
            state.add(now, id, What::Lost(message, "down"));
        }
    }

    pub(crate) fn record_fault(&self, fault: &Fault) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.now(), NodeId(0), What::Fault(fault.clone()));
        }
    }
}

/// The journal.
impl<P: Process + 'static> Simulation<P> {
    pub(crate) fn journal_node(&self, index: u32, wall: i64, drift_ppm: i32) {
        let Some(journal) = &self.journal else { return };
        let cold = &self.cold[index as usize];
        let setup = Setup { id: cold.id, members: cold.members.to_vec(), wall, drift_ppm };
        journal.0.borrow_mut().course.nodes.push(setup);
    }

    /// A step begins: writes its input, and has its choices recorded.
    fn journal_input(&mut self, index: u32, input: &Input<P>) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let what = match input {
            Input::Start => Some(Course::Start { node }),
            Input::Message(from, message) => {
                Some(Course::Deliver { from: *from, to: node, which: Which::Equal(message.clone()) })
            }
            Input::Timer(timer) => Some(Course::Fire { node, timer: WhichTimer::Exactly(timer.clone()) }),
            Input::Command(command) => Some(Course::Command { node, command: command.clone() }),
            // Written before the effects that it releases, which may be lost.
            Input::Persisted(_) => None,
        };
        if let Some(what) = what {
            let current = journal.push(self.now, what);
            journal.0.borrow_mut().current = current;
        }
        let choices = &mut self.nodes[index as usize].environment.choices;
        if let Choices::Random(rng) = choices {
            let rng = Some(rng.clone());
            *choices = Choices::Noted { given: Vec::new(), rng, answers: Vec::new() };
        }
    }

    /// The step is over: writes its choices.
    pub(crate) fn journal_answers(&mut self, index: u32) {
        let Some(journal) = &self.journal else { return };
        let choices = &mut self.nodes[index as usize].environment.choices;
        if let Choices::Noted { rng: Some(rng), answers, .. } = choices {
            let mut state = journal.0.borrow_mut();
            let current = state.current;
            if let Some(action) = state.course.actions.get_mut(current) {
                action.choices.append(answers);
            }
            *choices = Choices::Random(rng.clone());
        }
    }

    pub(crate) fn journal_sync(&self, index: u32, through: Position) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let current = journal.push(self.now, Course::Sync { node, through: Some(through) });
        journal.0.borrow_mut().current = current;
    }

    /// The process crashes; its links are about to break.
    pub(crate) fn journal_stopped(&self, index: u32) {
        let Some(journal) = &self.journal else { return };
        let node = self.cold[index as usize].id;
        let place = journal.push(self.now, Course::Crash { node, keeps: Keeps::Durable });
        let durability = self.nodes[index as usize].durability.as_ref();
        let durable = durability.map_or(Position::NONE, |durability| durability.outbox.durable());
        let mut state = journal.0.borrow_mut();
        state.crashes.insert(index, (place, durable));
        for (number, link) in self.links.all.iter().enumerate().filter(|(_, link)| link.to == index) {
            state.gone.insert(number as u32, link.epoch);
        }
    }

    /// The disk of a node that is down was found to hold this much, or nothing that can be used.
    pub(crate) fn journal_restored(&self, index: u32, last: Option<Position>) {
        let Some(journal) = &self.journal else { return };
        let crash = journal.0.borrow().crashes.get(&index).copied();
        match (crash, last) {
            (Some((place, durable)), Some(last)) if last > durable => journal.keep(place, Keeps::Through(last)),
            (Some((place, _)), None) => journal.keep(place, Keeps::Nothing),
            _ => {}
        }
    }

    /// A message that left will never be handled; it was sent in this epoch of its link.
    pub(crate) fn journal_drop(&self, link: u32, epoch: u32, message: &P::Message) {
        let Some(journal) = &self.journal else { return };
        if journal.0.borrow().gone.get(&link).is_some_and(|gone| epoch <= *gone) {
            return;
        }
        let link = &self.links.all[link as usize];
        let (from, to) = (self.cold[link.from as usize].id, self.cold[link.to as usize].id);
        journal.push(self.now, Course::Drop { from, to, which: Which::Equal(message.clone()) });
    }

    /// A message that just left will never arrive.
    pub(crate) fn journal_refused(&self, from: u32, to: NodeId, message: &P::Message) {
        let Some(journal) = &self.journal else { return };
        // The replaying world knows the nodes, and does not send to a missing one.
        if self.find(to).is_some() {
            let from = self.cold[from as usize].id;
            journal.push(self.now, Course::Drop { from, to, which: Which::Equal(message.clone()) });
        }
    }

    /// Changes a node's clocks, and writes by how much.
    pub(crate) fn change_clock(&mut self, index: u32, change: impl FnOnce(&mut crate::clock::Clock, u64)) {
        let now = self.now;
        let clock = &mut self.nodes[index as usize].clock;
        let (before, drift_before) = (clock.read(now).1, clock.drift_ppm());
        change(clock, now);
        let (after, drift) = (clock.read(now).1, clock.drift_ppm());
        let Some(journal) = &self.journal else { return };
        let jump = after.0.saturating_sub(before.0);
        let drift_ppm = (drift != drift_before).then_some(drift);
        // Adjusting a drifting clock rounds it: the other world must do so at the same time.
        if jump != 0 || drift != 0 || drift_before != 0 {
            let node = self.cold[index as usize].id;
            journal.push(now, Course::Clock { node, jump, drift_ppm });
        }
    }
}

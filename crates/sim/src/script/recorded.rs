//! A world driven by hand, recorded as data: the same [`Recording`] that a simulation writes, so that the same diagrams
//! show both.
//!
//! Effects that wait for the disk are recorded when they become visible: a message is sent then, and an event is
//! emitted then. Effects lost in a crash are not recorded.

use super::action::{Action, What};
use super::ledger::Ledger;
use super::world::World;
use crate::recording::{Carrier, Envelope, Moment, NodeState, Recording, What as Happened};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;
use volvox_core::{Effect, EffectOf, Fault, FlatMap, Instant, NodeId, Process};

impl<P: Process> World<P> {
    /// Records what happens from here on, for [`World::recording`]. `state_of` describes the state of a node, in a word
    /// or two.
    pub fn recorded(mut self, carrier: Rc<dyn Carrier<P>>, state_of: impl Fn(&P) -> NodeState + 'static) -> Self {
        self.ledger = Some(Ledger {
            recording: Recording::default(),
            carrier,
            state_of: Rc::new(state_of),
            states: BTreeMap::new(),
            under_way: FlatMap::new(),
        });
        self
    }

    /// The recording.
    pub fn recording(&self) -> Recording {
        self.ledger.as_ref().map(|ledger| ledger.recording.clone()).unwrap_or_default()
    }

    /// Records what concerns all nodes, and only the driver of the world knows.
    pub fn enter_for_all(&mut self, what: Happened) {
        self.enter(NodeId(0), || what);
    }

    pub(super) fn enter(&mut self, node: NodeId, what: impl FnOnce() -> Happened) {
        let at = Instant(self.now);
        if let Some(ledger) = &mut self.ledger {
            ledger.recording.moments.push(Moment { at, node, what: what() });
        }
    }

    /// A message is in flight, at this place of its link.
    pub(super) fn enter_sent(&mut self, ends: (NodeId, NodeId), place: usize, is_copy: bool) {
        let at = Instant(self.now);
        let Some(ledger) = &mut self.ledger else { return };
        let Some(message) = self.links.get(&ends).and_then(|queue| queue.get(place)) else { return };
        let id = ledger.recording.messages.len();
        ledger.recording.messages.push(Envelope::of(ends, message, is_copy, Some(&*ledger.carrier)));
        ledger.under_way.get_or_default(ends).insert(place, id);
        ledger.recording.moments.push(Moment { at, node: ends.0, what: Happened::Sent(id) });
    }

    /// The message at this place of a link is no longer in flight; returns its number.
    pub(super) fn enter_taken(&mut self, ends: (NodeId, NodeId), place: usize) {
        let Some(ledger) = &mut self.ledger else { return };
        if let Some(queue) = ledger.under_way.get_mut(&ends)
            && place < queue.len()
        {
            let id = queue.remove(place);
            let at = Instant(self.now);
            ledger.recording.moments.push(Moment { at, node: ends.1, what: Happened::Lost(id, "lost") });
        }
    }

    /// The message that was just taken from its link is handled, or finds no node.
    pub(super) fn enter_arrival(&mut self, is_handled: bool) {
        let Some(ledger) = &mut self.ledger else { return };
        if let Some(Moment { what, .. }) = ledger.recording.moments.last_mut()
            && let Happened::Lost(id, _) = *what
        {
            *what = if is_handled { Happened::Delivered(id) } else { Happened::Lost(id, "down") };
        }
    }

    /// Messages in flight to a node are lost with it.
    pub(super) fn enter_broken(&mut self, node: NodeId) {
        let at = Instant(self.now);
        let Some(ledger) = &mut self.ledger else { return };
        let Ledger { under_way, recording, .. } = ledger;
        under_way.retain(|(_, to), queue| {
            let is_broken = *to == node;
            if is_broken {
                let lost = queue.drain(..).map(|id| Moment { at, node, what: Happened::Lost(id, "down") });
                recording.moments.extend(lost);
            }
            !is_broken
        });
    }

    /// The record of an action, before its step.
    pub(super) fn enter_action(&mut self, action: &Action<P>) {
        let said = |text: &dyn Display| text.to_string();
        match &action.what {
            What::Command { node, command } => self.enter(*node, || Happened::Command(said(command))),
            What::Crash { node, .. } => self.enter(*node, || Happened::Stopped),
            What::Sync { .. } | What::Wait | What::Deliver { .. } | What::Drop { .. } | What::Duplicate { .. } => {}
            What::Clock { node, jump, drift_ppm } => {
                if *jump != 0 {
                    self.enter(NodeId(0), || Happened::Fault(Fault::Skew(*node, *jump / 1_000_000)));
                }
                if let Some(ppm) = drift_ppm {
                    self.enter(NodeId(0), || Happened::Fault(Fault::Drift(*node, *ppm)));
                }
            }
            What::Fire { node, timer } => {
                if let (Some(ledger), Some(timer)) = (&self.ledger, self.timer(*node, timer)) {
                    let what = Happened::timer(&timer, Some(&*ledger.carrier));
                    self.enter(*node, || what);
                }
            }
            What::Start { node } => {
                let incarnation = self.nodes.get(node).map(|node| node.incarnation);
                if let Some(incarnation) = incarnation {
                    self.enter(*node, || Happened::Started(incarnation));
                }
            }
        }
    }

    pub(super) fn enter_effect(&mut self, node: NodeId, effect: &EffectOf<P>) {
        match effect {
            Effect::Persist { record, .. } => {
                if let Some(ledger) = &self.ledger {
                    let what = Happened::persisted(record, Some(&*ledger.carrier));
                    self.enter(node, || what);
                }
            }
            Effect::Note(note) => self.enter(node, || Happened::Note(note.to_string())),
            _ => {}
        }
    }

    pub(super) fn enter_event(&mut self, node: NodeId, event: &P::Event) {
        if let Some(ledger) = &self.ledger {
            let what = Happened::event(event, Some(&*ledger.carrier));
            self.enter(node, || what);
        }
    }

    /// The states of nodes, where they have changed.
    pub(super) fn enter_states(&mut self) {
        let at = Instant(self.now);
        let Some(ledger) = &mut self.ledger else { return };
        for (id, node) in self.nodes.iter() {
            let Some(process) = &node.process else {
                ledger.states.remove(id);
                continue;
            };
            let state = (ledger.state_of)(process);
            let before = ledger.states.entry(*id).or_default();
            if *before != state {
                before.clone_from(&state);
                ledger.recording.moments.push(Moment { at, node: *id, what: Happened::State(state) });
            }
        }
    }
}

//! The possible outcomes of a node's step: computed once for each node state and input, and then looked up.

use super::bytes::heap_bytes;
use super::network::flight;
use super::node::{Held, Input, Node};
use super::{Checked, Envelope, System};
use crate::model::share;
use std::hash::Hash;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use volvox_core::{Effect, Process, fingerprint_of};

/// The most combinations of choices of one step.
const BRANCHES_MAX: usize = 4_096;

/// A node state, with derived data that never changes.
pub(super) struct Known<P: Process> {
    pub node: Node<P>,
    /// The timers that may fire now, by their numbers.
    pub fires: Box<[u32]>,
    pub is_within: bool,
    /// A cache of the outcomes of some steps: looking them up for every message in flight is most of the work of an
    /// expansion, and the cache needs neither a lock nor a hash. A slot is a key and the number of its outcomes plus
    /// one.
    near: [AtomicU64; NEAR],
}

/// How many steps of a node state are found near it, and how far a search there goes.
const NEAR: usize = 16;
const NEAR_PROBES: usize = 4;

impl<P: Process> Known<P> {
    fn places(key: u32) -> impl Iterator<Item = usize> {
        (0..NEAR_PROBES).map(move |probe| (key.wrapping_mul(0x9e37_79b1) >> 28) as usize + probe).map(|at| at % NEAR)
    }

    fn near(&self, key: u32) -> Option<u32> {
        for place in Known::<P>::places(key) {
            match self.near[place].load(Ordering::Acquire) {
                0 => return None,
                slot if (slot >> 32) as u32 == key => return Some(slot as u32 - 1),
                _ => {}
            }
        }
        None
    }

    fn keep_near(&self, key: u32, outcomes: u32) {
        let slot = u64::from(key) << 32 | (u64::from(outcomes) + 1);
        for place in Known::<P>::places(key) {
            match self.near[place].compare_exchange(0, slot, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) if other == slot => return,
                Err(_) => {}
            }
        }
    }
}

/// A timer, with the budget that applies.
pub(super) struct TimerKind<T> {
    pub timer: T,
    pub budget: Option<usize>,
}

/// A step of a node state, with all its outcomes.
pub(super) struct Remembered<P: Process> {
    pub node: u32,
    pub key: Key,
    pub outcomes: Box<[Outcome<P>]>,
}

/// One outcome of a step.
pub(super) struct Outcome<P: Process> {
    pub answers: Box<[u32]>,
    pub node: u32,
    /// The messages that left, as flights of age 0.
    pub sends: Box<[u32]>,
    pub events: Box<[P::Event]>,
    pub failure: Option<String>,
}

/// The key of a step, beside the node state: 3 bits for the kind, the rest for its subject.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Deliver(u32),
    Fire(u32),
    Command(u32),
    Sync(u64),
    Crash(u64),
    Start,
    Pass,
}

impl Key {
    fn packed(self) -> u32 {
        let (kind, about) = match self {
            Key::Deliver(envelope) => (0, u64::from(envelope)),
            Key::Fire(timer) => (1, u64::from(timer)),
            Key::Command(command) => (2, u64::from(command)),
            Key::Sync(position) => (3, position),
            Key::Crash(position) => (4, position),
            Key::Start => (5, 0),
            Key::Pass => (6, 0),
        };
        assert!(about < 1 << 29, "a model of {about} parts");
        kind << 29 | about as u32
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    pub(super) fn intern_node(&self, node: Node<P>) -> u32 {
        let fingerprint = self.fingerprint_of_node(&node);
        self.nodes.intern(fingerprint, || {
            let mut fires = Vec::new();
            let mut is_within = true;
            if let Some(process) = &node.process {
                let due = node.timers.iter().filter(|(_, left)| **left == 0).map(|(timer, _)| timer);
                let due = due.filter(|timer| self.may_fire.as_ref().is_none_or(|test| test(process, timer)));
                fires.extend(due.map(|timer| self.intern_timer(timer)));
                is_within = self.node_within.as_ref().is_none_or(|test| test(self.ids[node.index], process));
            }
            self.nodes.add_bytes(bytes_of_node(&node));
            Known { node, fires: fires.into(), is_within, near: Default::default() }
        })
    }

    fn intern_timer(&self, timer: &P::Timer) -> u32 {
        self.timers.intern(fingerprint_of(timer), || {
            let class = self.timer_budgets.iter().position(|test| test(timer));
            TimerKind { timer: timer.clone(), budget: class.map(|class| self.timer_budget_at(class)) }
        })
    }

    pub(super) fn intern_envelope(&self, from: usize, to: usize, message: P::Message) -> u32 {
        self.envelopes.intern(fingerprint_of(&(from, to, &message)), || {
            self.envelopes.add_bytes(heap_bytes(&message));
            Envelope::new(from, to, message)
        })
    }

    /// The number of a step, under which all its outcomes are kept: computed once for each node state and input.
    pub(super) fn step_of(&self, node: u32, key: Key, input: &dyn Fn() -> Input<P>) -> u32 {
        let (known, packed) = (self.nodes.get(node), key.packed());
        if let Some(found) = known.near(packed) {
            return found;
        }
        let fingerprint = share(u64::from(node), u128::from(packed));
        let found = self.outcomes.intern(fingerprint, || {
            let outcomes = self.compute_outcomes(node, input());
            self.outcomes.add_bytes(outcomes.iter().map(bytes_of_outcome).sum());
            Remembered { node, key, outcomes }
        });
        known.keep_near(packed, found);
        found
    }

    pub(super) fn outcomes_of(&self, node: u32, key: Key, input: &dyn Fn() -> Input<P>) -> &[Outcome<P>] {
        &self.outcomes.get(self.step_of(node, key, input)).outcomes
    }

    fn compute_outcomes(&self, node: u32, input: Input<P>) -> Box<[Outcome<P>]> {
        let (before, input) = (&self.nodes.get(node).node, input);
        let mut outcomes = Vec::new();
        let mut answers = Vec::new();
        loop {
            let ran = self.run(before, &input, answers.clone());
            answers.resize(ran.asked.len(), 0);
            let mut failure = ran.failure;
            let (mut sends, mut events) = (Vec::new(), Vec::new());
            for held in ran.left {
                match held {
                    Held::Emit(event) => events.push(event),
                    Held::Send(to, message) => match self.ids.iter().position(|id| *id == to) {
                        Some(to) => sends.push(flight(self.intern_envelope(before.index, to, message), 0)),
                        None => failure = Some(format!("sends to {to}, which does not exist")),
                    },
                }
            }
            let notes = ran.effects.iter().filter_map(|effect| match effect {
                Effect::Note(note) => Some(note.text),
                _ => None,
            });
            self.remember_notes(notes);
            // A node that failed midway is not a state.
            let after = if failure.is_some() { node } else { self.intern_node(ran.node) };
            let answered = answers.clone().into();
            outcomes.push(Outcome {
                answers: answered,
                node: after,
                sends: sends.into(),
                events: events.into(),
                failure,
            });
            assert!(outcomes.len() <= BRANCHES_MAX, "a step with more than {BRANCHES_MAX} outcomes");
            // The next script: the last answer that can still grow does, and those behind it begin again.
            let Some(last) = (0..answers.len()).rfind(|at| answers[*at] + 1 < ran.asked[*at]) else { break };
            answers.truncate(last + 1);
            answers[last] += 1;
        }
        outcomes.into()
    }

    /// A step is computed once, so few notes come here.
    fn remember_notes(&self, mut notes: impl Iterator<Item = &'static str>) {
        let Some(first) = notes.next() else { return };
        let mut known = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(first);
        known.extend(notes);
    }

    /// The choices of a node's start that led to this node.
    pub(super) fn answers_to_start(&self, index: usize, drift_ppm: i32, node: u32) -> Box<[u32]> {
        let before = self.intern_node(Node::new(index, drift_ppm));
        let outcomes = self.outcomes_of(before, Key::Start, &|| Input::Start);
        let outcome = outcomes.iter().find(|outcome| outcome.node == node);
        outcome.expect("a started node is what a start makes").answers.clone()
    }
}

fn bytes_of_node<P: Checked>(node: &Node<P>) -> u64 {
    heap_bytes(&node.process) + heap_bytes(&node.timers) + heap_bytes(&node.disk) + heap_bytes(&node.gate)
}

fn bytes_of_outcome<P: Process>(outcome: &Outcome<P>) -> u64 {
    let lists = size_of_val(&*outcome.answers) + size_of_val(&*outcome.sends);
    (size_of::<Outcome<P>>() + lists) as u64 + heap_bytes(&outcome.events)
}

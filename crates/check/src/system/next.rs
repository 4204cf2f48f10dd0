//! Every step that is possible in a state.

use super::decision::{Decision, Kind};
use super::network::{LinkOrder, age_of, envelope_of, flight};
use super::node::{Input, Node};
use super::outcomes::{Key, Known};
use super::space::{Erased, StateSpace};
use super::state::{Draft, State};
use super::{CRASHES, Checked, DOUBLES, LOSSES, System};
use crate::model::Steps;
use crate::overflow::Overflow;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use volvox_core::Position;
use volvox_core::time::nanos;

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    /// The possible rates of clocks.
    fn drifts_ppm(&self) -> &[i32] {
        self.timed.as_ref().map_or(&[0], |timed| &timed.drifts_ppm)
    }

    /// The state of these nodes in which nothing has happened.
    fn at_first(&self, mut nodes: Vec<u32>) -> State {
        nodes.extend(&self.budgets);
        nodes.push(self.intern_history(self.first_history.clone()));
        self.state_of(nodes)
    }

    fn history_after(&self, history: u32, index: usize, events: &[P::Event]) -> u32 {
        if events.is_empty() {
            return history;
        }
        let mut next = self.histories.get(history).clone();
        events.iter().for_each(|event| (self.observe)(&mut next, self.ids[index], event));
        self.intern_history(next)
    }

    fn known(&self, state: &State, index: usize) -> &Known<P> {
        self.nodes.get(state.words[index])
    }

    fn is_up(&self, state: &State, index: usize) -> bool {
        self.known(state, index).node.process.is_some()
    }

    fn has_budget(&self, state: &State, budget: usize) -> bool {
        state.words[self.ids.len() + budget] > 0
    }

    /// Whether something has to happen before time may pass.
    fn is_urgent(&self, state: &State, delivery_max: u32) -> bool {
        let is_due = |index| {
            let known = self.known(state, index);
            known
                .fires
                .iter()
                .any(|timer| self.timers.get(*timer).budget.is_none_or(|budget| self.has_budget(state, budget)))
        };
        (0..self.ids.len()).any(is_due) || self.network_of(state).iter().any(|one| age_of(*one) >= delivery_max)
    }
}

/// The steps out of one state, being pushed.
struct Pushing<'a, 's, P: Checked, H: Clone + Eq + Hash + Send + Sync> {
    system: &'a System<P, H>,
    state: &'a State,
    steps: &'a mut dyn Steps<Erased<'s>>,
    scratch: Vec<u32>,
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> Pushing<'_, '_, P, H> {
    /// A step of node `index`, with each of its outcomes.
    fn node_step(
        &mut self,
        index: usize,
        key: Key,
        input: &dyn Fn() -> Input<P>,
        used: Option<usize>,
        budget: Option<usize>,
        kind: Kind,
    ) {
        let (system, state) = (self.system, self.state);
        let node = state.words[index];
        let history = state.words[system.layout().history()];
        let step = system.step_of(node, key, input);
        let outcomes = &system.outcomes.get(step).outcomes;
        let ignores = outcomes.len() == 1 && outcomes[0].node == node && outcomes[0].failure.is_none();
        if ignores
            && system.network.keep_ignored
            && matches!(key, Key::Deliver(_))
            && outcomes[0].sends.is_empty()
            && outcomes[0].events.is_empty()
        {
            return;
        }
        for (at, outcome) in outcomes.iter().enumerate() {
            let decision = Decision { kind, outcome: Some((step, at as u32)) };
            if let Some(why) = &outcome.failure {
                self.steps.fail(decision, why.clone());
                continue;
            }
            let history = system.history_after(history, index, &outcome.events);
            let draft =
                Draft { state, node: Some((index, outcome.node)), used, sends: &outcome.sends, history, budget };
            let sum = system.sum_of(&draft, &mut self.scratch);
            self.steps.lazy(sum, &|| decision, &|| system.build(&draft, sum));
        }
    }

    fn deliveries(&mut self) {
        let (system, state) = (self.system, self.state);
        let network = system.network_of(state);
        let keeps = system.network.order == LinkOrder::Duplicating;
        for place in system.arrivals(network) {
            let number = envelope_of(network[place]);
            let envelope = system.envelopes.get(number);
            let is_up = system.is_up(state, envelope.to);
            if is_up {
                let input = || Input::Message(system.ids[envelope.from], envelope.message.clone());
                let kind = |kept| Kind::Deliver { envelope: number, kept };
                let key = Key::Deliver(number);
                let used = if keeps { None } else { Some(place) };
                self.node_step(envelope.to, key, &input, used, None, kind(keeps));
                if !keeps && system.has_budget(state, DOUBLES) {
                    note(&envelope.is_doubled);
                    self.node_step(envelope.to, key, &input, None, Some(DOUBLES), kind(true));
                }
            }
            // A message that arrives at a node that is down is lost, which is not a fault of the network.
            if !is_up || system.has_budget(state, LOSSES) {
                let budget = if is_up { Some(LOSSES) } else { None };
                let history = state.words[system.layout().history()];
                let draft = Draft { state, node: None, used: Some(place), sends: &[], history, budget };
                let sum = system.sum_of(&draft, &mut self.scratch);
                note(if is_up { &envelope.is_lost } else { &envelope.finds_receiver_down });
                let decision = Kind::Lose { envelope: number, is_receiver_down: !is_up }.alone();
                self.steps.lazy(sum, &|| decision, &|| system.build(&draft, sum));
            }
        }
    }

    fn node_steps(&mut self, index: usize) {
        let (system, state) = (self.system, self.state);
        let (known, node) = (system.known(state, index), index as u32);
        if known.node.process.is_none() {
            if system.restarts {
                note(&system.has_restarted);
                self.node_step(index, Key::Start, &|| Input::Start, None, None, Kind::Restart { node });
            }
            return;
        }
        for number in &known.fires {
            let kind = system.timers.get(*number);
            if kind.budget.is_none_or(|budget| system.has_budget(state, budget)) {
                let input = || Input::Timer(kind.timer.clone());
                let fire = Kind::Fire { node, timer: *number };
                self.node_step(index, Key::Fire(*number), &input, None, kind.budget, fire);
            }
        }
        for end in &known.node.disk.ends {
            let kind = Kind::Sync { node, through: *end };
            self.node_step(index, Key::Sync(end.0), &|| Input::Sync(*end), None, None, kind);
        }
        if system.has_budget(state, CRASHES) {
            let durable = known.node.disk.durable;
            for keeps in std::iter::once(&durable).chain(&known.node.disk.ends) {
                self.crash(index, *keeps, false);
                if system.network.order == LinkOrder::Ordered {
                    self.crash(index, *keeps, true);
                }
            }
        }
    }

    /// The process ends. Over ordered links, messages in flight to it are lost with the connection, and those from it
    /// may be.
    fn crash(&mut self, index: usize, keeps: Position, silenced: bool) {
        let (system, state) = (self.system, self.state);
        let layout = system.layout();
        let outcomes = system.outcomes_of(state.words[index], Key::Crash(keeps.0), &|| Input::Crash(keeps));
        let mut words = state.words.to_vec();
        words[index] = outcomes[0].node;
        words[layout.nodes + CRASHES] -= 1;
        if system.network.order == LinkOrder::Ordered {
            let mut network = words.split_off(layout.network());
            let count = network.len();
            network.retain(|flight| !silenced || system.envelopes.get(envelope_of(*flight)).from != index);
            if silenced && network.len() == count {
                return;
            }
            network.retain(|flight| system.envelopes.get(envelope_of(*flight)).to != index);
            words.extend(network);
        }
        let decision = Kind::Crash { node: index as u32, keeps, silenced }.alone();
        let next = system.state_of(words);
        self.steps.lazy(next.sum, &|| decision, &|| next.clone());
    }

    fn commands(&mut self) {
        let (system, state) = (self.system, self.state);
        for (at, (index, command)) in system.alphabet.iter().enumerate() {
            let budget = system.command_budget(at);
            let Some(process) = &system.known(state, *index).node.process else { continue };
            let may_ask = system.may_ask.as_ref().is_none_or(|test| test(process, command));
            if may_ask && system.has_budget(state, budget) {
                let input = || Input::Command(command.clone());
                let kind = Kind::Command { command: at as u32 };
                self.node_step(*index, Key::Command(at as u32), &input, None, Some(budget), kind);
            }
        }
    }

    /// One tick, for all nodes and all messages in flight.
    fn pass(&mut self) {
        let (system, state) = (self.system, self.state);
        let Some(timed) = &system.timed else { return };
        if system.is_urgent(state, timed.delivery_max) {
            return;
        }
        let layout = system.layout();
        let mut words = state.words.to_vec();
        for word in &mut words[..layout.nodes] {
            let span = nanos(timed.tick);
            *word = system.outcomes_of(*word, Key::Pass, &|| Input::Pass(span))[0].node;
        }
        for word in &mut words[layout.network()..] {
            *word = flight(envelope_of(*word), age_of(*word) + 1);
        }
        let next = system.state_of(words);
        self.steps.lazy(next.sum, &|| Kind::Pass.alone(), &|| next.clone());
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> StateSpace for System<P, H> {
    fn initial_states(&self) -> Vec<State> {
        let drifts = self.drifts_ppm();
        let mut words = vec![Vec::new()];
        for index in 0..self.ids.len() {
            let with = |words: &Vec<u32>, drift: &i32| {
                let node = self.intern_node(Node::new(index, *drift));
                words.iter().copied().chain([node]).collect()
            };
            words = words.iter().flat_map(|words| drifts.iter().map(|drift| with(words, drift))).collect();
        }
        let mut states: Vec<State> = words.into_iter().map(|nodes| self.at_first(nodes)).collect();
        for index in 0..self.ids.len() {
            let mut started = Vec::new();
            for state in &states {
                // A failing start has no outcome: see `failed_start`.
                let outcomes = self.outcomes_of(state.words[index], Key::Start, &|| Input::Start);
                for outcome in outcomes.iter().filter(|outcome| outcome.failure.is_none()) {
                    let history = state.words[self.layout().history()];
                    let history = self.history_after(history, index, &outcome.events);
                    let node = Some((index, outcome.node));
                    let draft = Draft { state, node, used: None, sends: &outcome.sends, history, budget: None };
                    let sum = self.sum_of(&draft, &mut Vec::new());
                    started.push(self.build(&draft, sum));
                }
            }
            states = started;
        }
        states
    }

    fn start_that_fails(&self) -> Option<(State, Decision, String)> {
        let drifts = self.drifts_ppm();
        for index in 0..self.ids.len() {
            for drift in drifts {
                let node = self.intern_node(Node::new(index, *drift));
                let step = self.step_of(node, Key::Start, &|| Input::Start);
                let outcomes = self.outcomes.get(step).outcomes.iter().enumerate();
                let failed = outcomes.into_iter().find_map(|(at, outcome)| Some((at, outcome.failure.clone()?)));
                if let Some((outcome, why)) = failed {
                    let other = |at| self.intern_node(Node::new(at, if at == index { *drift } else { drifts[0] }));
                    let state = self.at_first((0..self.ids.len()).map(other).collect());
                    let kind = Kind::Start { node: index as u32 };
                    return Some((state, Decision { kind, outcome: Some((step, outcome as u32)) }, why));
                }
            }
        }
        None
    }

    fn push_steps<'s>(&self, state: &State, steps: &mut dyn Steps<Erased<'s>>) {
        let mut pushing = Pushing { system: self, state, steps, scratch: Vec::new() };
        pushing.deliveries();
        (0..self.ids.len()).for_each(|index| pushing.node_steps(index));
        pushing.commands();
        pushing.pass();
    }

    fn canonical_of(&self, state: &State) -> u128 {
        self.symmetry.as_ref().map_or(state.sum, |symmetry| symmetry.canonical(self, state))
    }

    fn has_symmetry(&self) -> bool {
        self.symmetry.is_some()
    }

    fn is_within(&self, state: &State) -> bool {
        (0..self.ids.len()).all(|index| self.known(state, index).is_within)
            && self.within.as_ref().is_none_or(|test| test(&self.view(state)))
    }

    fn fairness_of(&self, decision: &Decision) -> Option<u64> {
        self.class_of(decision)
    }

    fn text_of(&self, decision: &Decision) -> String {
        self.action(decision).to_string()
    }

    fn full_queues(&self) -> Vec<Overflow> {
        let count = self.ids.len();
        let links = self.dropped.iter().map(|dropped| dropped.load(Ordering::Relaxed)).enumerate();
        let full = links.filter(|(_, dropped)| *dropped > 0);
        full.map(|(link, dropped)| Overflow { from: self.ids[link / count], to: self.ids[link % count], dropped })
            .collect()
    }

    fn interned_bytes(&self) -> u64 {
        self.nodes.bytes()
            + self.envelopes.bytes()
            + self.timers.bytes()
            + self.histories.bytes()
            + self.outcomes.bytes()
    }
}

/// Notes that something happened. It reads before it writes: a cache line that no core writes is shared by all.
fn note(happened: &AtomicBool) {
    if !happened.load(Ordering::Relaxed) {
        happened.store(true, Ordering::Relaxed);
    }
}

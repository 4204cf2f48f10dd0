//! Every step that is possible in a state.

use super::network::{LinkOrder, age_of, envelope_of, flight};
use super::node::{Held, Input, Node};
use super::schedule::{Action, What};
use super::state::{Draft, State};
use super::{CRASHES, Checked, DOUBLES, Envelope, LOSSES, System};
use crate::model::{Model, Steps, share};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use volvox_core::time::nanos;
use volvox_core::{Position, Process, fingerprint_of};

/// The most ways that the choices of one step may turn out.
const BRANCHES_MAX: usize = 4_096;

/// A node state, with what can be said of it once and for all.
pub(super) struct Known<P: Process> {
    pub node: Node<P>,
    /// The timers that may fire now, by their numbers.
    fires: Box<[u32]>,
    is_within: bool,
    /// Where the outcomes of some steps are: looking them up for every message under way is most of the work of an
    /// expansion, and this needs neither a lock nor a hash. A slot is a key and the number of its outcomes plus one.
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

/// A timer, and the budget that it falls under.
pub(super) struct TimerKind<T> {
    timer: T,
    budget: Option<usize>,
}

/// One way in which a step can turn out.
pub(super) struct Outcome<P: Process> {
    answers: Box<[u32]>,
    pub node: u32,
    /// The messages that left, as flights of age 0.
    pub sends: Box<[u32]>,
    events: Box<[P::Event]>,
    failure: Option<String>,
}

/// What a step is remembered by, beside the node state: 3 bits for the kind, the rest for what it is about.
#[derive(Clone, Copy)]
enum Key {
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
        self.envelopes.intern(fingerprint_of(&(from, to, &message)), || Envelope { from, to, message })
    }

    /// All ways in which a step can turn out: computed once for each node state and input.
    fn outcomes_of(&self, node: u32, key: Key, input: &dyn Fn() -> Input<P>) -> &[Outcome<P>] {
        let (known, packed) = (self.nodes.get(node), key.packed());
        if let Some(found) = known.near(packed) {
            return self.outcomes.get(found);
        }
        let fingerprint = share(u64::from(node), u128::from(packed));
        let found = self.outcomes.intern(fingerprint, || self.compute_outcomes(node, input()));
        known.keep_near(packed, found);
        self.outcomes.get(found)
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
                        None => failure = Some(format!("sends to {to}, who does not exist")),
                    },
                }
            }
            // A node that failed half-way is no state.
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

    /// How the choices of a node's start turned out, when it made this node.
    pub(super) fn answers_to_start(&self, index: usize, drift_ppm: i32, node: u32) -> Box<[u32]> {
        let before = self.intern_node(Node::new(index, drift_ppm));
        let outcomes = self.outcomes_of(before, Key::Start, &|| Input::Start);
        let outcome = outcomes.iter().find(|outcome| outcome.node == node);
        outcome.expect("a started node is what a start makes").answers.clone()
    }

    /// How fast clocks may run.
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
struct Pushing<'a, P: Checked, H: Clone + Eq + Hash + Send + Sync> {
    system: &'a System<P, H>,
    state: &'a State,
    steps: &'a mut dyn Steps<System<P, H>>,
    scratch: Vec<u32>,
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> Pushing<'_, P, H> {
    /// A step of node `index`, in every way in which it can turn out.
    fn node_step(
        &mut self,
        index: usize,
        key: Key,
        input: &dyn Fn() -> Input<P>,
        used: Option<usize>,
        budget: Option<usize>,
        what: &dyn Fn() -> What<P>,
    ) {
        let (system, state) = (self.system, self.state);
        let node = state.words[index];
        let history = state.words[system.layout().history()];
        let outcomes = system.outcomes_of(node, key, input);
        let ignores = outcomes.len() == 1 && outcomes[0].node == node && outcomes[0].failure.is_none();
        if ignores
            && system.network.keep_ignored
            && matches!(key, Key::Deliver(_))
            && outcomes[0].sends.is_empty()
            && outcomes[0].events.is_empty()
        {
            return;
        }
        for outcome in outcomes.iter() {
            let action = || Action { what: what(), choices: outcome.answers.clone() };
            if let Some(why) = &outcome.failure {
                self.steps.fail(action(), why.clone());
                continue;
            }
            let history = system.history_after(history, index, &outcome.events);
            let draft =
                Draft { state, node: Some((index, outcome.node)), used, sends: &outcome.sends, history, budget };
            let sum = system.sum_of(&draft, &mut self.scratch);
            self.steps.lazy(sum, &action, &|| system.build(&draft, sum));
        }
    }

    fn deliveries(&mut self) {
        let (system, state) = (self.system, self.state);
        let network = system.network_of(state);
        let keeps = system.network.order == LinkOrder::Duplicating;
        for place in system.arrivals(network) {
            let number = envelope_of(network[place]);
            let envelope = system.envelopes.get(number);
            let (from, to) = (system.ids[envelope.from], system.ids[envelope.to]);
            let is_up = system.is_up(state, envelope.to);
            if is_up {
                let input = || Input::Message(from, envelope.message.clone());
                let what = |kept| move || What::Deliver { from, to, message: envelope.message.clone(), kept };
                let key = Key::Deliver(number);
                let used = if keeps { None } else { Some(place) };
                self.node_step(envelope.to, key, &input, used, None, &what(keeps));
                if !keeps && system.has_budget(state, DOUBLES) {
                    self.node_step(envelope.to, key, &input, None, Some(DOUBLES), &what(true));
                }
            }
            // What arrives where nobody is, is lost, and no fault of the network.
            if !is_up || system.has_budget(state, LOSSES) {
                let budget = if is_up { Some(LOSSES) } else { None };
                let history = state.words[system.layout().history()];
                let draft = Draft { state, node: None, used: Some(place), sends: &[], history, budget };
                let sum = system.sum_of(&draft, &mut self.scratch);
                let what = || What::Lose { from, to, message: envelope.message.clone(), nobody: !is_up };
                let action = || Action { what: what(), choices: Box::default() };
                self.steps.lazy(sum, &action, &|| system.build(&draft, sum));
            }
        }
    }

    fn node_steps(&mut self, index: usize) {
        let (system, state) = (self.system, self.state);
        let (known, id) = (system.known(state, index), system.ids[index]);
        if known.node.process.is_none() {
            if system.restarts {
                self.node_step(index, Key::Start, &|| Input::Start, None, None, &|| What::Restart { node: id });
            }
            return;
        }
        for number in &known.fires {
            let kind = system.timers.get(*number);
            if kind.budget.is_none_or(|budget| system.has_budget(state, budget)) {
                let what = || What::Fire { node: id, timer: kind.timer.clone() };
                let input = || Input::Timer(kind.timer.clone());
                self.node_step(index, Key::Fire(*number), &input, None, kind.budget, &what);
            }
        }
        for end in &known.node.disk.ends {
            let what = || What::Sync { node: id, through: *end };
            self.node_step(index, Key::Sync(end.0), &|| Input::Sync(*end), None, None, &what);
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

    /// The process ends. Over ordered links, what was under way to it is lost with the connection, and what was under way
    /// from it may be.
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
        let what = What::Crash { node: system.ids[index], keeps, silenced };
        let next = system.state_of(words);
        self.steps.lazy(next.sum, &|| Action { what: what.clone(), choices: Box::default() }, &|| next.clone());
    }

    fn commands(&mut self) {
        let (system, state) = (self.system, self.state);
        for (at, (index, command)) in system.alphabet.iter().enumerate() {
            let budget = system.command_budget(at);
            let Some(process) = &system.known(state, *index).node.process else { continue };
            let may_ask = system.may_ask.as_ref().is_none_or(|test| test(process, command));
            if may_ask && system.has_budget(state, budget) {
                let node = system.ids[*index];
                let what = || What::Command { node, command: command.clone() };
                let key = Key::Command(at as u32);
                self.node_step(*index, key, &|| Input::Command(command.clone()), None, Some(budget), &what);
            }
        }
    }

    /// One tick, for everybody and everything under way.
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
        self.steps.lazy(next.sum, &|| Action { what: What::Pass, choices: Box::default() }, &|| next.clone());
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> Model for System<P, H> {
    type State = State;
    type Action = Action<P>;

    /// Every node has started, in every way in which its start can turn out, with every combination of clocks.
    fn initial(&self) -> Vec<State> {
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
                // One that fails begins nothing: see `failed_start`.
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

    /// The start of a node does not depend on that of another, so each is tried alone, before all others.
    fn failed_start(&self) -> Option<(State, Action<P>, String)> {
        let drifts = self.drifts_ppm();
        for index in 0..self.ids.len() {
            for drift in drifts {
                let node = self.intern_node(Node::new(index, *drift));
                let outcomes = self.outcomes_of(node, Key::Start, &|| Input::Start);
                let failed = outcomes.iter().find_map(|outcome| Some((outcome, outcome.failure.clone()?)));
                if let Some((outcome, why)) = failed {
                    let other = |at| self.intern_node(Node::new(at, if at == index { *drift } else { drifts[0] }));
                    let state = self.at_first((0..self.ids.len()).map(other).collect());
                    let what = What::Start { node: self.ids[index] };
                    return Some((state, Action { what, choices: outcome.answers.clone() }, why));
                }
            }
        }
        None
    }

    fn next<S: Steps<Self>>(&self, state: &State, steps: &mut S) {
        let mut pushing = Pushing { system: self, state, steps, scratch: Vec::new() };
        pushing.deliveries();
        (0..self.ids.len()).for_each(|index| pushing.node_steps(index));
        pushing.commands();
        pushing.pass();
    }

    fn fingerprint(&self, state: &State) -> u128 {
        state.sum
    }

    fn canonical(&self, state: &State) -> u128 {
        self.symmetry.as_ref().map_or(state.sum, |symmetry| symmetry.canonical(self, state))
    }

    fn is_symmetric(&self) -> bool {
        self.symmetry.is_some()
    }

    fn within(&self, state: &State) -> bool {
        (0..self.ids.len()).all(|index| self.known(state, index).is_within)
            && self.within.as_ref().is_none_or(|test| test(&self.view(state)))
    }

    /// A link delivers in the end, a timer that stays set fires, a disk writes, a node that may come back does, and time
    /// passes. Losses, doublings, crashes and commands may never come.
    fn fairness(&self, action: &Action<P>) -> Option<u64> {
        let class = match &action.what {
            What::Deliver { kept: true, .. } if self.network.order != LinkOrder::Duplicating => return None,
            What::Deliver { from, to, .. } | What::Lose { from, to, nobody: true, .. } => {
                fingerprint_of(&("deliver", from, to))
            }
            What::Fire { node, timer } => fingerprint_of(&("fire", node, timer)),
            What::Sync { node, .. } => fingerprint_of(&("sync", node)),
            What::Start { node } | What::Restart { node } => fingerprint_of(&("restart", node)),
            What::Pass => fingerprint_of("pass"),
            What::Lose { .. } | What::Command { .. } | What::Crash { .. } => return None,
        };
        Some(class as u64)
    }
}

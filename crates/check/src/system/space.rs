//! A system as a model, with its types erased.
//!
//! States and decisions of all systems are the same numbers. So the explorer, the search for cycles and the
//! construction of counterexamples are compiled once, here, for [`Erased`]; a system adds only its own steps.

use super::decision::Decision;
use super::{Checked, State, System};
use crate::checker;
use crate::model::{Model, QuestionsOf, ReportOf, Steps};
use crate::overflow::Overflow;
use crate::questions::Questions;
use crate::report::Report;
use std::hash::Hash;
use std::marker::PhantomData;

/// A system of which only its states and decisions are known. The methods are those of [`Model`].
pub(super) trait StateSpace: Sync {
    fn initial_states(&self) -> Vec<State>;
    fn start_that_fails(&self) -> Option<(State, Decision, String)>;
    fn push_steps<'s>(&self, state: &State, steps: &mut dyn Steps<Erased<'s>>);
    fn canonical_of(&self, state: &State) -> u128;
    fn has_symmetry(&self) -> bool;
    fn is_within(&self, state: &State) -> bool;
    fn fairness_of(&self, decision: &Decision) -> Option<u64>;
    fn text_of(&self, decision: &Decision) -> String;
    fn full_queues(&self) -> Vec<Overflow>;
    fn interned_bytes(&self) -> u64;
}

/// The one model that the explorer is compiled for.
pub(super) struct Erased<'s>(&'s dyn StateSpace);

impl Model for Erased<'_> {
    type State = State;
    type Action = Decision;

    fn initial(&self) -> Vec<State> {
        self.0.initial_states()
    }

    fn failed_start(&self) -> Option<(State, Decision, String)> {
        self.0.start_that_fails()
    }

    fn next<S: Steps<Self>>(&self, state: &State, steps: &mut S) {
        self.0.push_steps(state, steps);
    }

    fn fingerprint(&self, state: &State) -> u128 {
        state.sum
    }

    fn canonical(&self, state: &State) -> u128 {
        self.0.canonical_of(state)
    }

    fn is_symmetric(&self) -> bool {
        self.0.has_symmetry()
    }

    fn within(&self, state: &State) -> bool {
        self.0.is_within(state)
    }

    fn fairness(&self, decision: &Decision) -> Option<u64> {
        self.0.fairness_of(decision)
    }

    fn describe_action(&self, decision: &Decision) -> String {
        self.0.text_of(decision)
    }

    fn overflowed(&self) -> Vec<Overflow> {
        self.0.full_queues()
    }

    fn bytes(&self) -> u64 {
        self.0.interned_bytes()
    }

    fn state_bytes(&self, state: &State) -> u64 {
        state.bytes()
    }
}

/// Explores any system: the one place where the explorer is compiled for systems.
fn explore(system: &dyn StateSpace, questions: &Questions<'_, State, Decision>) -> Report<State, Decision> {
    checker::explore(&Erased(system), questions)
}

/// Passes the steps of a system to a sink for its own type.
struct Typed<'s, M, S> {
    steps: &'s mut S,
    model: PhantomData<fn(M)>,
}

impl<M: Model<State = State, Action = Decision>, S: Steps<M>> Steps<Erased<'_>> for Typed<'_, M, S> {
    fn step(&mut self, decision: Decision, next: State) {
        self.steps.step(decision, next);
    }

    fn lazy(&mut self, fingerprint: u128, decision: &dyn Fn() -> Decision, next: &dyn Fn() -> State) {
        self.steps.lazy(fingerprint, decision, next);
    }

    fn fail(&mut self, decision: Decision, why: String) {
        self.steps.fail(decision, why);
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> Model for System<P, H> {
    type State = State;
    type Action = Decision;

    /// Every node has started, with every outcome of its start, and with every combination of clocks.
    fn initial(&self) -> Vec<State> {
        self.initial_states()
    }

    /// The start of a node does not depend on that of another, so each is tried alone, before all others.
    fn failed_start(&self) -> Option<(State, Decision, String)> {
        self.start_that_fails()
    }

    fn next<S: Steps<Self>>(&self, state: &State, steps: &mut S) {
        self.push_steps(state, &mut Typed { steps, model: PhantomData });
    }

    fn fingerprint(&self, state: &State) -> u128 {
        state.sum
    }

    fn canonical(&self, state: &State) -> u128 {
        self.canonical_of(state)
    }

    fn is_symmetric(&self) -> bool {
        self.has_symmetry()
    }

    fn within(&self, state: &State) -> bool {
        self.is_within(state)
    }

    /// A link eventually delivers, a timer that stays set fires, a disk writes, a node that may restart does, and time
    /// passes. Losses, duplications, crashes and commands may never happen.
    fn fairness(&self, decision: &Decision) -> Option<u64> {
        self.fairness_of(decision)
    }

    fn describe_action(&self, decision: &Decision) -> String {
        self.text_of(decision)
    }

    fn overflowed(&self) -> Vec<Overflow> {
        self.full_queues()
    }

    fn bytes(&self) -> u64 {
        self.interned_bytes()
    }

    fn state_bytes(&self, state: &State) -> u64 {
        state.bytes()
    }

    fn explore<'m>(&self, questions: Box<QuestionsOf<'m, Self>>) -> Result<ReportOf<Self>, Box<QuestionsOf<'m, Self>>> {
        Ok(explore(self, &questions))
    }
}

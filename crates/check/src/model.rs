//! The model to explore: a set of initial states, and the successors of a state.

use crate::overflow::Overflow;
use crate::questions::Questions;
use crate::report::Report;
use std::hash::Hash;
use volvox_core::fingerprint_of;

/// A transition system. A world of [`Process`](volvox_core::Process)es is one (see [`System`](crate::System)); a TLA+
/// specification written in Rust is another.
///
/// Every method is a function: called twice, it returns the same.
pub trait Model: Sync + Sized {
    /// A state.
    type State: Clone + Send + Sync;
    /// A transition from one state to the next.
    type Action: Clone + Send + Sync;

    /// The initial states.
    fn initial(&self) -> Vec<Self::State>;

    /// A failing initialisation, if any: the state before it, the action that fails, and why. Then nothing is explored.
    fn failed_start(&self) -> Option<(Self::State, Self::Action, String)> {
        None
    }

    /// Pushes every step that is possible in `state`.
    fn next<S: Steps<Self>>(&self, state: &Self::State, steps: &mut S);

    /// The fingerprint of a state: equal states, and no others, have equal ones.
    fn fingerprint(&self, state: &Self::State) -> u128;

    /// The fingerprint of the orbit of a state: of the one state that represents all that differ from it only by the
    /// names of equal nodes.
    fn canonical(&self, state: &Self::State) -> u128 {
        self.fingerprint(state)
    }

    /// Whether [`Model::canonical`] joins states.
    fn is_symmetric(&self) -> bool {
        false
    }

    /// Whether the successors of `state` are explored. A state outside the bounds is still checked.
    fn within(&self, state: &Self::State) -> bool {
        let _ = state;
        true
    }

    /// The weak fairness that an action is subject to: among the actions of one class, one is eventually taken if from
    /// some moment on there always is one to take. `None` is for actions that may be postponed forever, such as a
    /// crash.
    fn fairness(&self, action: &Self::Action) -> Option<u64> {
        let _ = action;
        None
    }

    /// A state in words, for the end of a counterexample.
    fn describe(&self, state: &Self::State) -> String {
        let _ = state;
        String::new()
    }

    /// An action in words: a line of a counterexample. Of several steps that lead to the same state, a counterexample
    /// takes the one whose text comes first.
    fn describe_action(&self, action: &Self::Action) -> String;

    /// The actions of a run in words, one for each step. A model that renumbers in every state, so that an infinite run
    /// becomes a cycle, adds up the offsets here, and prints the real numbers of the run.
    fn describe_run(&self, initial: &Self::State, steps: &[(Self::Action, Self::State)]) -> Vec<String> {
        let _ = initial;
        steps.iter().map(|(action, _)| self.describe_action(action)).collect()
    }

    /// The difference between one pass of a cycle and the next although its states are the same: `with ballots higher
    /// by 2`. Empty if nothing differs.
    fn describe_cycle(&self, cycle: &[(Self::Action, Self::State)]) -> String {
        let _ = cycle;
        String::new()
    }

    /// The queues that were full so far and dropped a message: after such a step the model shows less than the real
    /// system.
    fn overflowed(&self) -> Vec<Overflow> {
        Vec::new()
    }

    /// The memory of the model itself so far, in bytes, as an estimate.
    fn bytes(&self) -> u64 {
        0
    }

    /// How many bytes a state takes, as an estimate.
    fn state_bytes(&self, state: &Self::State) -> u64 {
        size_of_val(state) as u64
    }

    /// Explores by precompiled code, for another model with the same states and actions. A model that knows of none gives
    /// the questions back.
    ///
    /// # Errors
    /// The questions, unanswered.
    #[doc(hidden)]
    fn explore<'m>(&self, questions: Box<QuestionsOf<'m, Self>>) -> Result<ReportOf<Self>, Box<QuestionsOf<'m, Self>>> {
        Err(questions)
    }
}

/// The report of a search of a model.
pub type ReportOf<M> = Report<<M as Model>::State, <M as Model>::Action>;

/// The questions about a model.
pub type QuestionsOf<'m, M> = Questions<'m, <M as Model>::State, <M as Model>::Action>;

/// The sink for the possible steps of a model.
pub trait Steps<M: Model> {
    /// A step that has already been computed.
    fn step(&mut self, action: M::Action, next: M::State);

    /// A step whose result is known by its fingerprint: a state that was seen before is never built.
    fn lazy(&mut self, fingerprint: u128, action: &dyn Fn() -> M::Action, next: &dyn Fn() -> M::State);

    /// A step that must not be possible: the protocol panicked in it, or did what the model forbids.
    fn fail(&mut self, action: M::Action, why: String);
}

/// The fingerprint of any value, for models whose states are plain values.
pub fn hash_of<T: Hash + ?Sized>(value: &T) -> u128 {
    fingerprint_of(value)
}

/// The share of one part, at one place, in the fingerprint of a whole.
///
/// The whole is the wrapping sum of the shares of its parts (Zobrist hashing with addition), so a step costs what it
/// changes: subtract the shares of the old parts, add those of the new ones. A multiset needs no order this way.
pub fn share(place: u64, part: u128) -> u128 {
    // Three rounds of a Feistel network: a bijection for each place, in which each half of the part reaches both halves
    // of the share. A part may be a small number.
    let low = fold(part as u64 ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2d35_8dcc_aa6c_78a5);
    let high = fold((part >> 64) as u64 ^ low ^ place.wrapping_mul(0xd1b5_4a32_d192_ed03));
    let low = fold(low.wrapping_add(high));
    (u128::from(high) << 64) | u128::from(low)
}

/// A bijection of 64 bits that spreads every bit (the finaliser of SplitMix64): nothing collides that did not before.
fn fold(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Collects steps as they are: for paths and for graphs, where every edge counts.
pub(crate) struct Collected<'m, M: Model> {
    pub model: &'m M,
    pub steps: Vec<(M::Action, M::State)>,
    pub failures: Vec<(M::Action, String)>,
}

impl<'m, M: Model> Collected<'m, M> {
    pub fn of(model: &'m M, state: &M::State) -> Collected<'m, M> {
        let mut collected = Collected { model, steps: Vec::new(), failures: Vec::new() };
        model.next(state, &mut collected);
        collected
    }
}

impl<M: Model> Steps<M> for Collected<'_, M> {
    fn step(&mut self, action: M::Action, next: M::State) {
        self.steps.push((action, next));
    }

    fn lazy(&mut self, fingerprint: u128, action: &dyn Fn() -> M::Action, next: &dyn Fn() -> M::State) {
        let state = next();
        debug_assert!(
            self.model.fingerprint(&state) == fingerprint,
            "the fingerprint of a step is not that of its state"
        );
        self.steps.push((action(), state));
    }

    fn fail(&mut self, action: M::Action, why: String) {
        self.failures.push((action, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn shares_of_small_parts_at_small_places_differ_in_both_halves() {
        let mut low = BTreeSet::new();
        let mut high = BTreeSet::new();
        for place in 0..64 {
            for part in 0..64u128 {
                let share = share(place, part);
                low.insert(share as u64);
                high.insert((share >> 64) as u64);
            }
        }
        assert_eq!((low.len(), high.len()), (64 * 64, 64 * 64));
    }
}

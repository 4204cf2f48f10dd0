//! How a state was reached: the table keeps hints, and the model recomputes the steps between.

use crate::model::{Collected, Model};
use crate::report::{Broken, Counterexample, NO_STEP_FAILS};
use crate::seen::{Hint, Seen};

/// An action, and the state after it.
pub(crate) type Step<M> = (<M as Model>::Action, <M as Model>::State);

/// A run from an initial state to the state with this hint.
///
/// With symmetry the run is still a real one: each state is a successor of the one before it, and not merely of a
/// renamed one.
pub(crate) fn to<M: Model>(model: &M, seen: &Seen, hint: Hint) -> (M::State, Vec<Step<M>>) {
    let mut hints = vec![hint];
    let mut at = hint;
    while let Some((depth, parent)) = seen.link_of(at)
        && depth > 0
    {
        hints.push(parent);
        at = parent;
    }
    hints.reverse();
    let hint_of = |state: &M::State| Hint::of(model.canonical(state));
    let initial = model
        .initial()
        .into_iter()
        .find(|state| hint_of(state) == hints[0])
        .expect("a model has the same initial states every time it is asked");
    let mut steps: Vec<Step<M>> = Vec::new();
    for wanted in &hints[1..] {
        let before = steps.last().map_or(&initial, |(_, state)| state);
        steps.push(step_where(model, before, |_, _, after| hint_of(after) == *wanted));
    }
    (initial, steps)
}

/// The step out of `state` for which `test` holds; of several, the one whose text comes first.
pub(crate) fn step_where<M: Model>(
    model: &M,
    state: &M::State,
    test: impl Fn(&M::State, &M::Action, &M::State) -> bool,
) -> (M::Action, M::State) {
    Collected::of(model, state)
        .steps
        .into_iter()
        .filter(|(action, next)| test(state, action, next))
        .min_by_key(|(action, _)| model.describe_action(action))
        .expect("a model has the same steps every time it is asked")
}

/// The step out of `state` that fails; of several, the one whose text comes first.
pub(crate) fn failure_in<M: Model>(model: &M, state: &M::State) -> (M::Action, String) {
    Collected::of(model, state)
        .failures
        .into_iter()
        .min_by_key(|(action, _)| model.describe_action(action))
        .expect("a model has the same steps every time it is asked")
}

/// A run before it is put into words, with the fields of [`Counterexample`].
pub(crate) struct Run<M: Model> {
    pub initial: M::State,
    pub steps: Vec<Step<M>>,
    pub failed: Option<(M::Action, String)>,
    pub cycle_from: Option<usize>,
}

/// A counterexample of a model.
pub(crate) type CounterexampleOf<M> = Counterexample<<M as Model>::State, <M as Model>::Action>;

impl<M: Model> Run<M> {
    /// The run in the words of its model, as a counterexample to `property`.
    pub fn told(self, model: &M, property: String, broken: Broken) -> CounterexampleOf<M> {
        let Run { initial, steps, failed, cycle_from } = self;
        let mut lines = model.describe_run(&initial, &steps);
        assert!(lines.len() == steps.len(), "a line for each step");
        lines.extend(failed.iter().map(|(action, _)| model.describe_action(action)));
        let end = model.describe(steps.last().map_or(&initial, |(_, state)| state));
        let each_time = cycle_from.map_or(String::new(), |from| model.describe_cycle(&steps[from..]));
        Counterexample { property, broken, initial, steps, failed, cycle_from, end, lines, each_time }
    }
}

/// A run whose initialisation fails.
pub(crate) fn failed_start<M: Model>(
    (initial, action, why): (M::State, M::Action, String),
    model: &M,
) -> CounterexampleOf<M> {
    let run: Run<M> = Run { initial, steps: Vec::new(), failed: Some((action, why)), cycle_from: None };
    run.told(model, NO_STEP_FAILS.to_string(), Broken::Failure)
}

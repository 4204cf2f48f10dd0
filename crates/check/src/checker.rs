//! The properties and limits of an exploration.

use crate::explore;
use crate::liveness;
use crate::model::{Model, ReportOf};
use crate::path;
use crate::progress::{Ended, Progress};
use crate::questions::{Asked, Eventuality, Limits, Named, OnState, OnStep, Order, Questions};
use crate::report::Report;
use crate::search::Search;
use crate::seen::DEPTH_MAX;
use std::sync::atomic::AtomicBool;

/// An exploration: a model, what must hold, and limits.
///
/// ```text
/// let report = Checker::new(&model)
///     .invariant("mutual exclusion", |model, state| ...)
///     .leads_to("no starvation", |_, state| ..., |_, state| ...)
///     .states_max(10_000_000)
///     .run();
/// ```
pub struct Checker<'m, M: Model> {
    model: &'m M,
    asked: Asked<'m, M::State, M::Action>,
    limits: Limits<'m>,
}

impl<'m, M: Model> Checker<'m, M> {
    /// Creates a checker that explores `model` on all cores, breadth first, up to a hundred million states.
    pub fn new(model: &'m M) -> Checker<'m, M> {
        let asked = Asked {
            invariants: Vec::new(),
            step_properties: Vec::new(),
            reachable: Vec::new(),
            eventualities: Vec::new(),
        };
        let limits = Limits {
            progress: None,
            cancel: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            states_max: 100_000_000,
            bytes_max: u64::MAX,
            depth_max: DEPTH_MAX,
            order: Order::Breadth,
            budgets: None,
        };
        Checker { model, asked, limits }
    }

    /// Adds an invariant: it must hold in every state.
    pub fn invariant(mut self, name: &str, holds: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        let property = self.on_state(name, holds);
        self.asked.invariants.push(property);
        self
    }

    /// Adds a step property: it must hold between the states before and after every step.
    pub fn step_property(
        mut self,
        name: &str,
        holds: impl Fn(&M, &M::State, &M::Action, &M::State) -> bool + Send + Sync + 'm,
    ) -> Self {
        let model = self.model;
        let holds: OnStep<'m, M::State, M::Action> =
            Box::new(move |before, action, after| holds(model, before, action, after));
        self.asked.step_properties.push(Named { name: name.into(), holds });
        self
    }

    /// Adds a condition that must hold in some state, so that a model is not safe merely because nothing happens in it.
    pub fn reachable(mut self, name: &str, holds: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        let property = self.on_state(name, holds);
        self.asked.reachable.push(property);
        self
    }

    /// Adds a liveness property: it must hold at some moment of every fair run.
    pub fn eventually(self, name: &str, goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        let goal = self.on_state(name, goal);
        self.live(None, goal)
    }

    /// Adds a liveness property: it must follow, in every fair run, whenever `trigger` holds.
    pub fn leads_to(
        self,
        name: &str,
        trigger: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm,
        goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm,
    ) -> Self {
        let (trigger, goal) = (self.on_state(name, trigger), self.on_state(name, goal));
        self.live(Some(trigger.holds), goal)
    }

    /// Adds a liveness property: it must hold infinitely often in every fair run.
    pub fn again_and_again(self, name: &str, goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        let goal = self.on_state(name, goal);
        self.live(Some(Box::new(|_| true)), goal)
    }

    fn on_state(
        &self,
        name: &str,
        holds: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm,
    ) -> Named<OnState<'m, M::State>> {
        let model = self.model;
        Named { name: name.into(), holds: Box::new(move |state| holds(model, state)) }
    }

    fn live(mut self, trigger: Option<OnState<'m, M::State>>, goal: Named<OnState<'m, M::State>>) -> Self {
        let (name, goal) = (goal.name, goal.holds);
        self.asked.eventualities.push(Eventuality { name, trigger, goal, is_symmetric: false });
        self
    }

    /// The names of the properties that are asked, each once: of states, of steps, and of runs without an end.
    pub fn properties(&self) -> Vec<String> {
        let Asked { invariants, step_properties, eventualities, .. } = &self.asked;
        let states = invariants.iter().map(|property| &property.name);
        let steps = step_properties.iter().map(|property| &property.name);
        let runs = eventualities.iter().map(|property| &property.name);
        let mut names: Vec<String> = Vec::new();
        for name in states.chain(steps).chain(runs) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Declares that the liveness property given last treats equal nodes alike: without this it is refused on a model
    /// with symmetry.
    ///
    /// # Panics
    /// When there is no liveness property.
    pub fn symmetric(mut self) -> Self {
        let last = self.asked.eventualities.last_mut();
        last.expect("a liveness property to declare symmetric").is_symmetric = true;
        self
    }

    /// Declares that the bounds of the model ([`System::within`](crate::System::within),
    /// [`System::nodes_within`](crate::System::nodes_within), full queues) are budgets, and why: liveness properties
    /// refer to the runs that stay inside. Without this, liveness in a space that was cut at its bounds is
    /// [`Undecided`](Ended::Undecided), since a run without the goal could continue outside.
    ///
    /// Budgets on commands, timers, losses and crashes need no declaration: they cut no state off.
    pub fn bounds_are_budgets(mut self, why: &str) -> Self {
        self.limits.budgets = Some(why.into());
        self
    }

    /// Sets the number of threads, at least 1.
    pub fn threads(mut self, threads: usize) -> Self {
        self.limits.threads = threads.max(1);
        self
    }

    /// Stops once this many states were found. The current level is completed first.
    pub fn states_max(mut self, states: u64) -> Self {
        self.limits.states_max = states;
        self
    }

    /// Stops once the exploration takes this many bytes of memory by its own estimate: the table, the states that wait,
    /// and what the model remembers ([`Report::bytes`]). The report says what was explored until then.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.limits.bytes_max = bytes;
        self
    }

    /// Stops soon after this flag is set, by another thread or at a signal. The report covers what was explored until
    /// then.
    pub fn cancel(mut self, flag: &'m AtomicBool) -> Self {
        self.limits.cancel = Some(flag);
        self
    }

    /// Does not explore beyond this depth.
    pub fn depth_max(mut self, depth: u32) -> Self {
        self.limits.depth_max = depth.min(DEPTH_MAX);
        self
    }

    /// Visits the newest state first, on one thread.
    pub fn depth_first(mut self) -> Self {
        self.limits.order = Order::Depth;
        self
    }

    /// Calls `tell` at the end of each level, and whenever [`Progress::EVERY`] more states were expanded, on the thread
    /// that did it. The caller supplies the clock and decides how often to print a line: see [`Progress::line`].
    pub fn progress(mut self, tell: impl Fn(&Progress) + Send + Sync + 'm) -> Self {
        self.limits.progress = Some(Box::new(tell));
        self
    }

    /// Explores.
    ///
    /// # Panics
    /// When a liveness property that is not declared symmetric meets a model with symmetry: renaming nodes would hide
    /// whether a cycle closes.
    pub fn run(self) -> ReportOf<M> {
        let Checker { model, asked, limits } = self;
        model.explore(Box::new(Questions { asked, limits })).unwrap_or_else(|questions| explore(model, &questions))
    }
}

/// Explores, compiled for this model.
pub(crate) fn explore<M: Model>(model: &M, questions: &Questions<'_, M::State, M::Action>) -> ReportOf<M> {
    let (asked, limits) = (&questions.asked, &questions.limits);
    for live in &asked.eventualities {
        assert!(
            live.is_symmetric || !model.is_symmetric(),
            "liveness and symmetry: declare {:?} symmetric, or remove the symmetry",
            live.name
        );
    }
    if let Some(failed) = model.failed_start() {
        let unreached = asked.reachable.iter().map(|property| property.name.clone()).collect();
        return Report::of_start(path::failed_start(failed, model), unreached);
    }
    let search = Search { model, asked, limits };
    let mut report = match limits.order {
        Order::Breadth => explore::breadth_first(&search),
        Order::Depth => explore::depth_first(&search),
    };
    if report.ended == Ended::Exhausted && !asked.eventualities.is_empty() {
        liveness::check(&search, &mut report);
    }
    report
}

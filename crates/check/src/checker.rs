//! What is asked of a model, and how far to go.

use crate::explore;
use crate::liveness::{self, Eventuality};
use crate::model::Model;
use crate::report::{Counterexample, Ended, Progress, Report};
use crate::seen::DEPTH_MAX;

/// A question about a state.
pub type OnState<'m, M> = Box<dyn Fn(&M, &<M as Model>::State) -> bool + Send + Sync + 'm>;

/// A question about a step: before, action, after.
pub type OnStep<'m, M> =
    Box<dyn Fn(&M, &<M as Model>::State, &<M as Model>::Action, &<M as Model>::State) -> bool + Send + Sync + 'm>;

type Tell<'m> = Box<dyn Fn(&Progress) + Send + Sync + 'm>;

/// A property with its name.
pub(crate) struct Named<T> {
    pub name: String,
    pub holds: T,
}

/// In which order states are visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Level by level, on all threads: counterexamples are as short as can be.
    Breadth,
    /// The newest first, on one thread: little memory beside the table, long counterexamples.
    Depth,
}

/// An exploration: a model, what must hold, and limits.
///
/// ```text
/// let report = Checker::new(&model)
///     .invariant("one at a time", |model, state| ...)
///     .leads_to("who asks enters", |_, state| ..., |_, state| ...)
///     .states_max(10_000_000)
///     .run();
/// ```
pub struct Checker<'m, M: Model> {
    pub(crate) model: &'m M,
    pub(crate) invariants: Vec<Named<OnState<'m, M>>>,
    pub(crate) step_properties: Vec<Named<OnStep<'m, M>>>,
    pub(crate) reachable: Vec<Named<OnState<'m, M>>>,
    pub(crate) eventualities: Vec<Eventuality<'m, M>>,
    pub(crate) progress: Option<Tell<'m>>,
    pub(crate) threads: usize,
    pub(crate) states_max: u64,
    pub(crate) depth_max: u32,
    pub(crate) order: Order,
}

impl<'m, M: Model> Checker<'m, M> {
    /// Explores `model` on all cores, breadth first, up to a hundred million states.
    pub fn new(model: &'m M) -> Checker<'m, M> {
        Checker {
            model,
            invariants: Vec::new(),
            step_properties: Vec::new(),
            reachable: Vec::new(),
            eventualities: Vec::new(),
            progress: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            states_max: 100_000_000,
            depth_max: DEPTH_MAX,
            order: Order::Breadth,
        }
    }

    /// What must hold in every state.
    pub fn invariant(mut self, name: &str, holds: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        self.invariants.push(Named { name: name.into(), holds: Box::new(holds) });
        self
    }

    /// What must hold between the states before and after every step.
    pub fn step_property(
        mut self,
        name: &str,
        holds: impl Fn(&M, &M::State, &M::Action, &M::State) -> bool + Send + Sync + 'm,
    ) -> Self {
        self.step_properties.push(Named { name: name.into(), holds: Box::new(holds) });
        self
    }

    /// What some state must show: that a model is not safe because nothing happens in it.
    pub fn reachable(mut self, name: &str, holds: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        self.reachable.push(Named { name: name.into(), holds: Box::new(holds) });
        self
    }

    /// What must hold at some moment of every fair run.
    pub fn eventually(self, name: &str, goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        self.live(name, None, Box::new(goal))
    }

    /// What must follow, in every fair run, whenever `trigger` holds.
    pub fn leads_to(
        self,
        name: &str,
        trigger: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm,
        goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm,
    ) -> Self {
        self.live(name, Some(Box::new(trigger)), Box::new(goal))
    }

    /// What must hold again and again in every fair run.
    pub fn again_and_again(self, name: &str, goal: impl Fn(&M, &M::State) -> bool + Send + Sync + 'm) -> Self {
        self.live(name, Some(Box::new(|_, _| true)), Box::new(goal))
    }

    fn live(mut self, name: &str, trigger: Option<OnState<'m, M>>, goal: OnState<'m, M>) -> Self {
        self.eventualities.push(Eventuality { name: name.into(), trigger, goal, is_symmetric: false });
        self
    }

    /// Declares that the liveness property given last treats equal nodes alike: without this it is refused on a model
    /// with symmetry.
    ///
    /// # Panics
    /// When there is none.
    pub fn symmetric(mut self) -> Self {
        self.eventualities.last_mut().expect("a liveness property to declare symmetric").is_symmetric = true;
        self
    }

    /// On how many threads; 1 at least.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Stops once this many states were found. The level under way is ended first.
    pub fn states_max(mut self, states: u64) -> Self {
        self.states_max = states;
        self
    }

    /// Does not look behind states at this depth.
    pub fn depth_max(mut self, depth: u32) -> Self {
        self.depth_max = depth.min(DEPTH_MAX);
        self
    }

    /// Visits the newest state first, on one thread.
    pub fn depth_first(mut self) -> Self {
        self.order = Order::Depth;
        self
    }

    /// Whom to tell how far it has come: after each level, or every 65,536 states depth first. The clock is the
    /// caller's: see [`Progress::line`].
    pub fn progress(mut self, tell: impl Fn(&Progress) + Send + Sync + 'm) -> Self {
        self.progress = Some(Box::new(tell));
        self
    }

    /// Explores.
    ///
    /// # Panics
    /// When a liveness property that is not declared symmetric meets a model with symmetry: renaming nodes would hide
    /// whether a cycle closes.
    pub fn run(self) -> Report<M> {
        for live in &self.eventualities {
            assert!(
                live.is_symmetric || !self.model.is_symmetric(),
                "liveness and symmetry: declare {:?} symmetric, or take the symmetry out",
                live.name
            );
        }
        if let Some(failed) = self.model.failed_start() {
            let unreached = self.reachable.iter().map(|property| property.name.clone()).collect();
            return Report::of_start(Counterexample::of_start(failed, self.model), unreached);
        }
        let mut report = match self.order {
            Order::Breadth => explore::breadth_first(&self),
            Order::Depth => explore::depth_first(&self),
        };
        if report.ended == Ended::Exhausted && !self.eventualities.is_empty() {
            liveness::check(&self, &mut report);
        }
        report
    }
}

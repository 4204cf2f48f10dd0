//! The questions about a model, and how far to go, as data: the checker gathers them, and every search reads them.

use crate::progress::Progress;
use std::sync::atomic::AtomicBool;

/// A predicate on a state.
pub(crate) type OnState<'m, S> = Box<dyn Fn(&S) -> bool + Send + Sync + 'm>;

/// A predicate on a step: before, action, after.
pub(crate) type OnStep<'m, S, A> = Box<dyn Fn(&S, &A, &S) -> bool + Send + Sync + 'm>;

type Tell<'m> = Box<dyn Fn(&Progress) + Send + Sync + 'm>;

/// A property with its name.
pub(crate) struct Named<T> {
    pub name: String,
    pub holds: T,
}

/// The properties. They depend on states and actions, but not on the model: all systems have the same types, and the
/// same code explores them.
pub(crate) struct Asked<'m, S, A> {
    pub invariants: Vec<Named<OnState<'m, S>>>,
    pub step_properties: Vec<Named<OnStep<'m, S, A>>>,
    pub reachable: Vec<Named<OnState<'m, S>>>,
    pub eventualities: Vec<Eventuality<'m, S>>,
}

/// The limits.
pub(crate) struct Limits<'m> {
    pub progress: Option<Tell<'m>>,
    pub cancel: Option<&'m AtomicBool>,
    pub threads: usize,
    pub states_max: u64,
    pub bytes_max: u64,
    pub depth_max: u32,
    pub order: Order,
    /// Why the bounds of the model are budgets, if they are.
    pub budgets: Option<String>,
}

/// The order in which states are visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Level by level, on all threads: counterexamples are shortest.
    Breadth,
    /// The newest first, on one thread: little memory beside the table, long counterexamples.
    Depth,
}

/// A liveness property: whenever `trigger` holds (or at the beginning), `goal` follows.
pub(crate) struct Eventuality<'m, S> {
    pub name: String,
    pub trigger: Option<OnState<'m, S>>,
    pub goal: OnState<'m, S>,
    pub is_symmetric: bool,
}

/// Everything that is asked of a model, with the limits.
pub struct Questions<'m, S, A> {
    pub(crate) asked: Asked<'m, S, A>,
    pub(crate) limits: Limits<'m>,
}

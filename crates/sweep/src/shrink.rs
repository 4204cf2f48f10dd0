//! Shrinks a failing seed of the store's sweep.
//!
//! Its course is followed by hand (`follow`). First whole stretches are left out (`prune`), until the list is short enough
//! to look at each action ([`reduce`]).
//!
//! If the bug is a planted one, the rest must break nothing without it: otherwise the run shows what was never
//! promised, such as the loss of a majority of the disks.

use crate::follow::{Became, Moment};
pub use crate::prune::Planting;
use crate::prune::Pruner;
use crate::run::run_shape;
use crate::shape::Shape;
use crate::wander::walk;
use std::panic::{AssertUnwindSafe, catch_unwind};
use volvox_replica::Replica;
use volvox_sim::script::{Action, Breach, Course, Journal, What, events, reduce};

/// More actions than that are not written down.
const ACTIONS_MAX: usize = 4_000_000;

/// A longer list is not looked at action by action.
const REDUCED_MAX: usize = 1_500;

/// A seed of the sweep that failed, with its course.
pub struct Failing {
    /// The seed.
    pub seed: u64,
    /// The message of the sweep.
    pub reason: String,
    nodes: u64,
    course: Course<Replica>,
}

/// The rest of a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The violation.
    pub breach: Breach,
    /// The actions, one a line.
    pub lines: Vec<String>,
    /// External events and deliveries among them.
    pub events: usize,
}

/// Runs a lean seed of the sweep: its disks keep whole records, faults come at most of the moments at which they hurt,
/// and there are this many clients per node, if given. Returns its course when it fails.
pub fn failing(seed: u64, nodes: u64, clients: Option<usize>) -> Option<Failing> {
    let journal = Journal::new(ACTIONS_MAX);
    let shape = Shape::draw(seed, nodes).lean(clients);
    let ran = catch_unwind(AssertUnwindSafe(|| run_shape(seed, shape, None, Some(&journal)).err()));
    let reason = match ran {
        Ok(reason) => reason?,
        Err(panic) => Breach::of_panic(panic.as_ref()).text,
    };
    Some(Failing { seed, reason, nodes, course: journal.course() })
}

/// Walks instead of sweeping (`wander`); gives back the course when something breaks.
pub fn wandering(seed: u64, nodes: u64) -> Option<Failing> {
    let (course, breach) = walk(seed, nodes)?;
    Some(Failing { seed, reason: breach.text, nodes, course })
}

impl Failing {
    /// How many actions the run took.
    pub fn actions(&self) -> usize {
        self.course.actions.len()
    }

    /// Shrinks it, replaying at most this many actions; `None` when it cannot be followed by hand, does not break
    /// there, or is still long.
    pub fn shrink(&self, followed_max: usize, plant: Option<Planting<'_>>) -> Option<ByHand> {
        if self.course.is_cut {
            return None;
        }
        let shape = Shape::draw(self.course.seed, self.nodes);
        let first = Moment::first(&self.course, &shape);
        let mut pruner = Pruner::new(&self.course.actions, &first, plant, followed_max)?;
        pruner.prune();
        let (wanted, pruned) = (pruner.wanted().to_string(), pruner.actions());
        if pruned.len() > REDUCED_MAX {
            return None;
        }
        let mut followed = pruner.followed();
        let is_harmless = |actions: &[Action<Replica>]| {
            let Some(plant) = plant else { return true };
            plant(false);
            let found = follow(&first, actions);
            plant(true);
            found.is_none()
        };
        let short = reduce(pruned, &mut |actions| {
            if followed > followed_max {
                return None;
            }
            followed += actions.len();
            let found = follow(&first, actions)?;
            (found.breach.property == wanted && is_harmless(&found.actions)).then_some(found.actions)
        });
        let breach = follow(&first, &short)?.breach;
        // Every node must start, and a first start is not an event.
        let starts = |action: &&Action<Replica>| matches!(action.what, What::Start { .. });
        let first_starts = short.iter().take_while(starts).count().min(self.nodes as usize);
        let lines = short.iter().map(ToString::to_string).collect();
        Some(ByHand { breach, lines, events: events(&short) - first_starts })
    }
}

struct Found {
    breach: Breach,
    /// The possible actions.
    actions: Vec<Action<Replica>>,
}

/// Follows a short list; what breaks, if something does.
fn follow(first: &Moment, actions: &[Action<Replica>]) -> Option<Found> {
    let (mut moment, mut possible) = (first.clone(), Vec::new());
    for action in actions {
        match moment.act(action.at, action) {
            Became::Impossible => {}
            Became::Done(made) => {
                let mut done = action.clone();
                done.choices.truncate(made);
                possible.push(done);
            }
            Became::Broke(breach) => {
                possible.push(action.clone());
                return Some(Found { breach, actions: possible });
            }
        }
    }
    None
}

//! A small instance of a protocol that is explored in every schedule.

use crate::check::{AnySystem, Checker, Memory, System};
use crate::shrink::schedule;
use std::time::Duration;
use volvox_check::{self as erased, Ended, Model, Report};
use volvox_core::erased::Erasable;
use volvox_core::{Picture, Property, When};

/// What an exploration must come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expects {
    /// Every state is visited, so many, and everything holds.
    Holds {
        /// How many states: a count that changes means that the protocol or the model did.
        states: u64,
    },
    /// The property of this name is found to break: the rule that was taken out is needed.
    Counterexample {
        /// The property.
        property: &'static str,
        /// How many decisions the shortest run takes that breaks it.
        steps: usize,
    },
}

/// A small instance of a protocol.
#[derive(Clone, Copy)]
pub struct CheckedModel {
    /// Its name within the chapter: `three nodes, one crash`, `without the epoch`.
    pub name: &'static str,
    /// What is explored: nodes, links, time, faults, budgets; and why not more.
    pub text: &'static str,
    /// What must come out.
    pub expects: Expects,
    /// Explores it: builds a [`System`], a [`Checker`], and hands both to [`explore`].
    pub explore: fn() -> Explored,
}

impl CheckedModel {
    /// An instance in which everything holds, in so many states.
    pub const fn holds(name: &'static str, text: &'static str, states: u64, explore: fn() -> Explored) -> CheckedModel {
        CheckedModel { name, text, expects: Expects::Holds { states }, explore }
    }

    /// An instance in which this property breaks in so many decisions: a rule was taken out, or a promise of the world.
    pub const fn breaks(
        name: &'static str,
        text: &'static str,
        (property, steps): (&'static str, usize),
        explore: fn() -> Explored,
    ) -> CheckedModel {
        CheckedModel { name, text, expects: Expects::Counterexample { property, steps }, explore }
    }
}

/// What an exploration found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explored {
    /// How it ended.
    pub ended: Ended,
    /// How many states were found.
    pub states: u64,
    /// How deep it went.
    pub depth: u32,
    /// A shortest run that breaks a property.
    pub found: Option<Found>,
    /// What was asked to be reachable and was not seen.
    pub unreached: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// A counterexample, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The property that breaks.
    pub property: String,
    /// The decisions of the world, in order.
    pub actions: Vec<String>,
    /// From which decision on they are repeated for ever, when something good never happens.
    pub cycle_from: Option<usize>,
    /// The run with fresh processes, one line an effect.
    pub trace: String,
    /// Whether the run with fresh processes, by the checker and by the world that is driven by hand, ended in the state that
    /// the exploration had found.
    pub replayed: bool,
}

impl Explored {
    /// Whether it came to what was expected; otherwise what is wrong.
    ///
    /// # Errors
    /// When it did not.
    pub fn verdict(&self, expects: Expects) -> Result<(), String> {
        match (expects, &self.found) {
            (Expects::Holds { states }, None) => {
                if self.ended != Ended::Exhausted {
                    return Err(format!(
                        "{:?} after {} states; never seen: {:?}",
                        self.ended, self.states, self.unreached
                    ));
                }
                if self.states != states {
                    return Err(format!("{} states, where {states} were pinned", self.states));
                }
                Ok(())
            }
            (Expects::Holds { .. }, Some(found)) => {
                Err(format!("{} is broken in {} decisions", found.property, found.actions.len()))
            }
            (Expects::Counterexample { property, .. }, None) => {
                Err(format!("no run breaks {property}: {:?} after {} states", self.ended, self.states))
            }
            (Expects::Counterexample { property, steps }, Some(found)) => {
                if found.property != property {
                    return Err(format!("{} is broken, where {property} was expected", found.property));
                }
                if found.actions.len() != steps {
                    return Err(format!("{} decisions break it, where {steps} were pinned", found.actions.len()));
                }
                if !found.replayed {
                    return Err("fresh processes that are told the same do not end in the same state".to_string());
                }
                Ok(())
            }
        }
    }
}

/// Adds the properties of a protocol that must hold in every state.
pub fn hold<'m, P, H>(checker: Checker<'m, System<P, H>>, properties: &[Property<P, H>]) -> Checker<'m, System<P, H>>
where
    P: Erasable,
    H: Memory,
{
    let always = properties.iter().filter(|property| property.when == When::Always);
    always.fold(checker, |checker, property| {
        let holds = property.holds;
        checker.invariant(property.name, move |world, state| {
            let view = world.view(state);
            let nodes: Vec<_> = view.nodes().collect();
            holds(&Picture { nodes: &nodes, history: view.history() }).is_ok()
        })
    })
}

/// Explores, and tells a counterexample with a trace that fresh processes made.
pub fn explore<P: Erasable, H: Memory>(world: &System<P, H>, checker: Checker<'_, System<P, H>>) -> Explored {
    explore_erased(&world.erased, checker.erased)
}

fn explore_erased(world: &AnySystem, checker: erased::Checker<'_, AnySystem>) -> Explored {
    #[allow(clippy::disallowed_methods, reason = "how long an exploration took is told to people, and decides nothing")]
    let begun = std::time::Instant::now();
    let report: Report<AnySystem> = checker.run();
    let found = report.violation.as_ref().map(|violation| {
        let schedule = world.schedule(violation);
        Found {
            property: violation.property.clone(),
            actions: violation.actions(),
            cycle_from: violation.cycle_from,
            trace: world.trace(&schedule),
            // A last action that failed has no state after it.
            replayed: violation.failed.is_some()
                || (world.ends_in(&schedule, violation.last())
                    && schedule::ends_in(world, &schedule, violation.last())),
        }
    });
    Explored {
        ended: report.ended,
        states: report.states,
        depth: report.depth,
        found,
        unreached: report.unreached,
        took: begun.elapsed(),
    }
}

/// Explores a model whose states are plain values.
pub fn explore_plain<M: Model>(checker: erased::Checker<'_, M>) -> Explored {
    #[allow(clippy::disallowed_methods, reason = "how long an exploration took is told to people, and decides nothing")]
    let begun = std::time::Instant::now();
    let report = checker.run();
    let found = report.violation.as_ref().map(|violation| Found {
        property: violation.property.clone(),
        actions: violation.actions(),
        cycle_from: violation.cycle_from,
        trace: violation.to_string(),
        replayed: true,
    });
    Explored {
        ended: report.ended,
        states: report.states,
        depth: report.depth,
        found,
        unreached: report.unreached,
        took: begun.elapsed(),
    }
}

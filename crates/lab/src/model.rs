//! A small instance of a protocol that is explored in every schedule.

use crate::check::{AnySystem, Checker, Memory, System};
use crate::exploring;
use crate::shrink::schedule;
use std::time::Duration;
use volvox_check::{self as erased, Ended, Model, Report, Universe};
use volvox_core::erased::Erasable;
use volvox_core::{Picture, Property, When};
use volvox_sim::Recording;

/// The expected result of an exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expects {
    /// Every state is visited, this many, and everything holds.
    Holds {
        /// How many states: a count that changes means that the protocol or the model did.
        states: u64,
    },
    /// The property of this name is found to break: the removed rule is needed.
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
    /// The explored instance: nodes, links, time, faults, budgets; and why not more.
    pub text: &'static str,
    /// The expected result.
    pub expects: Expects,
    /// Explores it: builds a [`System`], a [`Checker`], and hands both to [`explore`].
    pub explore: fn() -> Explored,
}

impl CheckedModel {
    /// An instance in which everything holds, in this many states.
    pub const fn holds(name: &'static str, text: &'static str, states: u64, explore: fn() -> Explored) -> CheckedModel {
        CheckedModel { name, text, expects: Expects::Holds { states }, explore }
    }

    /// An instance in which this property breaks in this many decisions: a rule was removed, or an assumption about the
    /// world.
    pub const fn breaks(
        name: &'static str,
        text: &'static str,
        (property, steps): (&'static str, usize),
        explore: fn() -> Explored,
    ) -> CheckedModel {
        CheckedModel { name, text, expects: Expects::Counterexample { property, steps }, explore }
    }
}

/// The result of an exploration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explored {
    /// The end of the exploration.
    pub ended: Ended,
    /// How many states were found.
    pub states: u64,
    /// How deep it went.
    pub depth: u32,
    /// A shortest run that breaks a property.
    pub found: Option<Found>,
    /// The states that should be reachable and were not seen.
    pub unreached: Vec<String>,
    /// States at the bounds of the model, which were checked and not looked behind.
    pub outside: u64,
    /// Links whose queue was full, and how many messages each dropped.
    pub overflowed: Vec<String>,
    /// Why liveness holds although the space was cut at its bounds, where the model declares it.
    pub budgets: Option<String>,
    /// The chance that two states were confused is below two to the power of minus this.
    pub collision_bits: u32,
    /// The actions that the model allows and no explored state showed: commands, deliveries, faults.
    pub never: Vec<String>,
    /// The most memory that it took, in bytes, by the checker's own estimate.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// A counterexample, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// How many nodes there are; none where states are plain values.
    pub nodes: usize,
    /// The property that breaks.
    pub property: String,
    /// The decisions of the world, in order.
    pub actions: Vec<String>,
    /// The decision from which on they repeat forever, for a violated liveness property.
    pub cycle_from: Option<usize>,
    /// The run with fresh processes, one line an effect.
    pub trace: String,
    /// The run as a script with what followed from each line, as far as the world that is driven by hand could follow it.
    pub script: String,
    /// The run as data, for a diagram; empty unless [`Exploring::shown`](crate::exploring::Exploring::shown) says how.
    pub recording: Recording,
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
                    return Err(self.why_not());
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
                Err(format!("no run breaks {property} in {} states: {}", self.states, self.why_not()))
            }
            (Expects::Counterexample { property, steps }, Some(found)) => {
                if found.property != property {
                    return Err(format!("{} is broken, where {property} was expected", found.property));
                }
                if found.actions.len() != steps {
                    return Err(format!("{} decisions break it, where {steps} were pinned", found.actions.len()));
                }
                if !found.replayed {
                    return Err("fresh processes with the same inputs do not end in the same state".to_string());
                }
                Ok(())
            }
        }
    }

    /// The limits of a verdict: where the exploration was cut, and the actions that never happened in it, one per line.
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if self.outside > 0 {
            caveats.push(format!("{} states at the bounds were not looked behind", self.outside));
        }
        caveats.extend(self.overflowed.iter().map(|link| format!("a full queue dropped messages: {link}")));
        caveats.extend(self.budgets.iter().map(|why| format!("liveness is that of runs within the bounds: {why}")));
        if !self.never.is_empty() {
            caveats.push(format!("never happened: {}", self.never.join(", ")));
        }
        caveats
    }

    /// Why an exploration without a counterexample shows nothing.
    fn why_not(&self) -> String {
        match self.ended {
            Ended::Exhausted => "every state was visited".to_string(),
            Ended::Violated => "a property is broken".to_string(),
            Ended::Undecided => "no violation was found, but runs leave the bounds: liveness is undecided".to_string(),
            Ended::Unreached => format!("exhausted, and never seen: {}", self.unreached.join(", ")),
            Ended::StatesMax => format!("not exhausted: stopped at {} states", self.states),
            Ended::BytesMax => format!("not exhausted: stopped at {} MiB, {} states", self.bytes >> 20, self.states),
            Ended::DepthMax => format!("not exhausted: stopped at depth {}, {} states", self.depth, self.states),
            Ended::Cancelled => format!("not exhausted: interrupted at {} states", self.states),
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
    #[allow(clippy::disallowed_methods, reason = "the duration of an exploration is only shown to people")]
    let begun = std::time::Instant::now();
    let report = limited(checker).run();
    let found = report.violation.as_ref().map(|violation| {
        let schedule = world.schedule(violation);
        // A last action that failed would fail by hand, too, and has no state after it.
        let followed =
            violation.failed.is_none().then(|| schedule::follow(world, &schedule, exploring::current().shown));
        Found {
            nodes: world.ids().len(),
            property: violation.property.clone(),
            actions: violation.actions(),
            cycle_from: violation.cycle_from,
            trace: world.trace(&schedule),
            replayed: followed.as_ref().is_none_or(|followed| {
                world.ends_in(&schedule, violation.last())
                    && followed.is_whole
                    && schedule::is_same(world, &followed.world, violation.last())
            }),
            script: followed.as_ref().map(|followed| followed.script.clone()).unwrap_or_default(),
            recording: followed.map(|followed| followed.world.recording()).unwrap_or_default(),
        }
    });
    let never = world.exercised().missing(&Universe::default());
    told(&report, found, never, begun.elapsed())
}

/// Explores a model whose states are plain values.
pub fn explore_plain<M: Model>(checker: erased::Checker<'_, M>) -> Explored {
    #[allow(clippy::disallowed_methods, reason = "the duration of an exploration is only shown to people")]
    let begun = std::time::Instant::now();
    let report = limited(checker).run();
    let found = report.violation.as_ref().map(|violation| Found {
        nodes: 0,
        property: violation.property.clone(),
        actions: violation.actions(),
        cycle_from: violation.cycle_from,
        trace: violation.to_string(),
        script: String::new(),
        recording: Recording::default(),
        replayed: true,
    });
    told(&report, found, Vec::new(), begun.elapsed())
}

/// With the limits of the caller.
fn limited<M: Model>(mut checker: erased::Checker<'_, M>) -> erased::Checker<'_, M> {
    let asked = exploring::current();
    if let Some(states) = asked.states_max {
        checker = checker.states_max(states);
    }
    if let Some(bytes) = asked.bytes_max {
        checker = checker.bytes_max(bytes);
    }
    if let Some(tell) = asked.progress {
        checker = checker.progress(move |progress| tell(progress));
    }
    match asked.cancel {
        Some(flag) => checker.cancel(flag),
        None => checker,
    }
}

fn told<S, A>(report: &Report<S, A>, found: Option<Found>, never: Vec<String>, took: Duration) -> Explored {
    let overflowed = report.overflowed.iter();
    Explored {
        ended: report.ended,
        states: report.states,
        depth: report.depth,
        found,
        unreached: report.unreached.clone(),
        outside: report.outside,
        overflowed: overflowed.map(|link| format!("{} -> {}, {} of them", link.from, link.to, link.dropped)).collect(),
        budgets: report.budgets.clone(),
        collision_bits: report.collision_bound_bits(),
        never,
        bytes: report.bytes,
        took,
    }
}

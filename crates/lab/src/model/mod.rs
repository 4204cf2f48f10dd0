//! A small instance of a protocol that is explored in every schedule.

mod explored;

use explored::told;
pub use explored::{Explored, Found, together};

use crate::check::{AnySystem, Checker, Memory, System};
use crate::exploring::{self, Judged};
use crate::shrink::schedule::{self, Followed};
use volvox_check::{self as erased, Counterexample, Model, Universe};
use volvox_core::erased::{AnyCommand, AnyConfig, Erasable};
use volvox_core::{NodeId, Picture, Property, When};
use volvox_sim::Recording;

/// The expected result of an exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expects {
    /// Every state is visited, this many, and everything holds.
    Holds {
        /// How many states: a count that changes means that the protocol or the model did.
        states: u64,
    },
    /// The property of this name is found to break: a promise of the world is needed.
    Counterexample {
        /// The property.
        property: &'static str,
        /// How many decisions the shortest run takes that breaks it.
        steps: usize,
    },
    /// Without this rule of the chapter the property is found to break: the rule is needed.
    Without {
        /// The rule.
        rule: &'static str,
        /// The property.
        property: &'static str,
        /// How many decisions the shortest run takes that breaks it.
        steps: usize,
    },
}

impl Expects {
    /// The property that must break, and in how many decisions.
    pub fn counterexample(self) -> Option<(&'static str, usize)> {
        match self {
            Expects::Holds { .. } => None,
            Expects::Counterexample { property, steps } | Expects::Without { property, steps, .. } => {
                Some((property, steps))
            }
        }
    }

    /// The removed rule.
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Expects::Without { rule, .. } => Some(rule),
            Expects::Holds { .. } | Expects::Counterexample { .. } => None,
        }
    }

    /// The same, of another number of decisions.
    pub(crate) fn in_steps(self, steps: usize) -> Expects {
        match self {
            Expects::Holds { .. } => self,
            Expects::Counterexample { property, .. } => Expects::Counterexample { property, steps },
            Expects::Without { rule, property, .. } => Expects::Without { rule, property, steps },
        }
    }
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

    /// The same instance as one without this rule of the chapter: it shows what the rule is for.
    ///
    /// # Panics
    /// When nothing breaks in it.
    #[must_use]
    pub const fn without(self, rule: &'static str) -> CheckedModel {
        match self.expects {
            Expects::Counterexample { property, steps } | Expects::Without { property, steps, .. } => {
                CheckedModel { expects: Expects::Without { rule, property, steps }, ..self }
            }
            Expects::Holds { .. } => panic!("a model in which everything holds shows no rule"),
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
    let asked = checker.properties();
    let interpreter = exploring::current().interpreter;
    let report = limited(checker).run();
    let found = report.violation.as_ref().map(|violation| {
        let schedule = world.schedule(violation);
        let shown = interpreter.clone().filter(|_| exploring::current().is_recorded);
        let is_recorded = shown.is_some();
        // A last action that failed would fail by hand, too, and has no state after it.
        let followed =
            violation.failed.is_none().then(|| schedule::follow(world, &schedule, violation.cycle_from, shown));
        let mut found = Found {
            nodes: world.ids().len(),
            property: violation.property.clone(),
            actions: violation.actions(),
            cycle_from: violation.cycle_from,
            trace: world.trace(&schedule),
            replayed: true,
            script: String::new(),
            recording: Recording::default(),
            judged: Judged::default(),
        };
        if let Some(followed) = followed {
            found.replayed = world.ends_in(&schedule, violation.last())
                && followed.is_whole
                && schedule::is_same(world, &followed.world, violation.last());
            found.follow(followed, is_recorded);
        }
        found
    });
    let (happened, universe) = match &interpreter {
        Some(interpreter) => (world.exercised_as(&**interpreter), interpreter.universe()),
        None => (world.exercised(), Universe::default()),
    };
    let never = happened.missing(&universe);
    Explored { asked, happened, never, ..told(&report, found, begun.elapsed()) }
}

/// Explores a model whose states are plain values.
pub fn explore_plain<M: Model>(checker: erased::Checker<'_, M>) -> Explored {
    explore_values(checker, |_| None)
}

/// Explores a model whose states are plain values, but whose steps are deliveries to processes that can run: `by_hand` follows
/// its counterexample.
pub fn explore_deliveries<M: Model>(checker: erased::Checker<'_, M>, by_hand: &ByHand<'_, M::Action>) -> Explored {
    explore_values(checker, |violation| {
        let links: Vec<_> = violation.steps.iter().map(|(action, _)| (by_hand.link)(action)).collect();
        let shown = exploring::current().interpreter.filter(|_| exploring::current().is_recorded);
        let (is_recorded, cycle_from) = (shown.is_some(), violation.cycle_from);
        let followed = schedule::deliver(by_hand.nodes, &by_hand.config, &by_hand.commands, &links, shown, cycle_from);
        Some((followed, is_recorded))
    })
}

/// How the world that is driven by hand comes to where a model of deliveries begins, and what its steps are there.
pub struct ByHand<'a, A> {
    nodes: u64,
    config: AnyConfig,
    commands: Vec<(NodeId, AnyCommand)>,
    link: &'a dyn Fn(&A) -> (NodeId, NodeId),
}

impl<'a, A> ByHand<'a, A> {
    /// Nodes that start, and are asked this; then each step delivers the oldest message of a link.
    pub fn new<P: Erasable>(
        nodes: u64,
        config: P::Config,
        commands: impl IntoIterator<Item = (NodeId, P::Command)>,
        link: &'a dyn Fn(&A) -> (NodeId, NodeId),
    ) -> ByHand<'a, A> {
        let commands = commands.into_iter().map(|(node, command)| (node, AnyCommand::of(command))).collect();
        ByHand { nodes, config: AnyConfig::of::<P>(config), commands, link }
    }
}

fn explore_values<M: Model>(
    checker: erased::Checker<'_, M>,
    follow: impl Fn(&Counterexample<M::State, M::Action>) -> Option<(Followed, bool)>,
) -> Explored {
    #[allow(clippy::disallowed_methods, reason = "the duration of an exploration is only shown to people")]
    let begun = std::time::Instant::now();
    let asked = checker.properties();
    let report = limited(checker).run();
    let found = report.violation.as_ref().map(|violation| {
        let mut found = Found {
            nodes: 0,
            property: violation.property.clone(),
            actions: violation.actions(),
            cycle_from: violation.cycle_from,
            trace: violation.to_string(),
            script: String::new(),
            recording: Recording::default(),
            judged: Judged::default(),
            replayed: true,
        };
        if let Some((mut followed, is_recorded)) = follow(violation) {
            found.nodes = followed.world.ids().count();
            found.replayed = followed.is_whole;
            found.trace = std::mem::take(&mut followed.trace);
            found.follow(followed, is_recorded);
        }
        found
    });
    Explored { asked, ..told(&report, found, begun.elapsed()) }
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

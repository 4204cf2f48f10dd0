//! Sweeps of chapters, and the shrinking of their findings to a readable length.
//!
//! # Two stages
//! A sweep runs a chapter with commands and faults drawn from a seed, and evaluates its properties. A failure is shrunk
//! in two stages, and in each only a violation of **the same property** counts.
//!
//! 1. *The decisions.* All random draws are one list of numbers ([`stream`]); the list is made shorter and smaller, and
//!    the simulator runs each time. The relevant commands and faults remain.
//! 2. *The course.* That run is recorded as actions ([`volvox_sim::script::Journal`]): this message arrived, that timer
//!    fired, here a process crashed. Delta debugging removes actions; the rest is replayed by hand, and impossible
//!    actions are skipped. Time stays consistent: a timer never fires before it is due, and times in the list never
//!    decrease. Links keep the order on which the chapter relies.
//!
//! If a rule was removed, the remaining actions must do no harm to the protocol with all its rules: so the shrunk run
//! shows what the rule is for, and not what the protocol never promised.
//!
//! A final property ("no starvation") is evaluated when the run has come to rest: crashed nodes restart if the chapter
//! claims to survive that, all messages arrive, timers fire, and then it is evaluated.
//!
//! # What comes out
//! A script of a few lines with the trace below each ([`mod@file`]), which `volvox lab replay FILE` runs. Its length is counted
//! in events: external events (commands, crashes, starts, clocks) and deliveries.
//!
//! Counterexamples of the checker are followed by the same world: [`schedule`].

mod case;
pub mod file;
mod follow;
pub mod schedule;
pub mod stream;

pub use file::{ReplayError, Replayed, protocol_of, replay};

use crate::shell::Shell;
use crate::study::RequestError;
use case::{Asked, GRACE, Outcome, Terms};
use follow::{Field, property_of};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stream::Stream;
use volvox_core::erased::AnyProcess;
use volvox_core::{Instant, When};
use volvox_sim::script::{self, Action, What};
pub use volvox_sim::script::{Breach, PANIC};

/// How many cases the first stage may run.
const CASES_MAX: usize = 400;
/// How many actions the second stage may follow.
const FOLLOWED_MAX: usize = 30_000_000;

/// The parameters of a sweep.
#[derive(Clone, Debug)]
pub struct SweepRequest {
    /// The first seed.
    pub first_seed: u64,
    /// The number of seeds.
    pub seeds: u64,
    /// How many nodes; what the scenario says, or the chapter, when not given.
    pub nodes: Option<u64>,
    /// A rule to remove.
    pub without: Option<String>,
    /// Only failures of this property count.
    pub property: Option<String>,
    /// The number of seeds that run in parallel.
    pub jobs: usize,
    /// How many failures to shrink and report; the sweep ends with the last of them.
    pub failures_max: usize,
}

impl Default for SweepRequest {
    fn default() -> SweepRequest {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        SweepRequest { first_seed: 1, seeds: 1_000, nodes: None, without: None, property: None, jobs, failures_max: 1 }
    }
}

/// The findings of a sweep.
#[derive(Clone, Debug, Default)]
pub struct SweepReport {
    /// The chapter.
    pub chapter: &'static str,
    /// Seeds that were run.
    pub seeds: u64,
    /// Steps of all nodes in them.
    pub steps: u64,
    /// The findings, by seed.
    pub found: Vec<Shrunk>,
}

/// A shrunk failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The seed of the sweep.
    pub seed: u64,
    /// The violation.
    pub breach: Breach,
    /// How many decisions the case was drawn from, and how many are left of them.
    pub decisions: (usize, usize),
    /// How many actions the first run took that was written down, and how many are left of them.
    pub actions: (usize, usize),
    /// External events and deliveries among those that are left.
    pub events: usize,
    /// The counterexample, as `volvox lab replay` reads it; nothing when the course could not be followed by hand.
    pub text: Option<String>,
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for shrunk in &self.found {
            writeln!(f, "{shrunk}\n")?;
        }
        writeln!(f, "seeds: {}, steps: {}", self.seeds, self.steps)?;
        write!(f, "seed failures: {}", self.found.len())
    }
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { property, text } = &self.breach;
        writeln!(f, "seed {}: {property} is broken: {text}", self.seed)?;
        let ((decisions, left), (actions, few)) = (self.decisions, self.actions);
        let events = if self.events == 1 { "event" } else { "events" };
        writeln!(f, "{decisions} decisions became {left}, {actions} actions became {few}: {} {events}", self.events)?;
        match &self.text {
            Some(text) => write!(f, "\n{}", text.trim_end()),
            None => write!(f, "the course could not be followed by hand"),
        }
    }
}

/// Runs a chapter under commands and faults drawn from seeds; shrinks failures. Calls `progress` with the number of
/// seeds done and failed.
///
/// # Errors
/// When the request does not fit the chapter.
pub fn sweep(
    shell: &'static dyn Shell,
    request: &SweepRequest,
    progress: &(dyn Fn(u64, usize) + Sync),
) -> Result<SweepReport, RequestError> {
    let terms = || Terms::new(shell, request.nodes, request.without.clone());
    terms()?;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let report = Mutex::new(SweepReport { chapter: shell.card().id, ..SweepReport::default() });
    on_threads(request.jobs, &|| {
        let Ok(terms) = terms() else { return };
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= request.seeds {
                return;
            }
            let (steps, shrunk) = one_seed(&terms, request.first_seed + number, request.property.as_deref());
            let mut report = report.lock().expect("no panic holds this lock");
            report.seeds += 1;
            report.steps += steps;
            report.found.extend(shrunk);
            if report.found.len() >= request.failures_max.max(1) {
                stop.store(true, Ordering::Relaxed);
            }
            progress(report.seeds, report.found.len());
        }
    });
    let mut report = report.into_inner().expect("no panic holds this lock");
    report.sort();
    Ok(report)
}

/// Does the same on this many threads. The code that does not depend on the chapter is compiled once.
fn on_threads(count: usize, work: &(dyn Fn() + Sync)) {
    std::thread::scope(|scope| {
        for _ in 0..count.max(1) {
            scope.spawn(work);
        }
    });
}

impl SweepReport {
    fn sort(&mut self) {
        self.found.sort_by_key(|shrunk| shrunk.seed);
    }
}

/// Runs one seed; makes it shorter when it fails.
fn one_seed(terms: &Terms, seed: u64, wanted: Option<&str>) -> (u64, Option<Shrunk>) {
    let asked = Asked::of(terms.shell);
    let counts = |breach: &Breach| wanted.is_none_or(|wanted| wanted == breach.property);
    let mut stream = Stream::of_seed(seed);
    let case = terms.draw(&mut stream);
    let outcome = terms.run(&case, &asked, false);
    let Some(breach) = outcome.breach.filter(counts) else { return (outcome.steps, None) };
    let drawn = stream.made();
    let actions_before = course_length(&terms.run(&case, &asked, true));
    let decisions = stream::reduce(drawn.clone(), CASES_MAX, &mut |decisions| {
        let mut stream = Stream::of(decisions);
        let case = terms.draw(&mut stream);
        let again = terms.run(&case, &asked, false).breach?;
        (again.property == breach.property).then(|| stream.made())
    });
    let case = terms.draw(&mut Stream::of(&decisions));
    let outcome = terms.run(&case, &asked, true);
    let breach = outcome.breach.clone().unwrap_or(breach);
    let mut shrunk = Shrunk {
        seed,
        breach,
        decisions: (drawn.len(), decisions.len()),
        actions: (actions_before, course_length(&outcome)),
        events: 0,
        text: None,
    };
    if let Some((course, healed_at)) = outcome.course {
        // A final property is evaluated in a world at rest; a property that broke earlier breaks without that.
        let is_always = asked.cards.iter().any(|one| one.name == shrunk.breach.property && one.when == When::Always);
        let kept = if is_always { &course.actions[..] } else { &course.actions[..healed_at] };
        shrunk.events = script::events(without_starts(kept, terms.settings.nodes));
        by_hand(terms, case.seed, &course.nodes, kept, &mut shrunk);
    }
    (outcome.steps, Some(shrunk))
}

fn course_length(outcome: &Outcome) -> usize {
    outcome.course.as_ref().map_or(0, |(_, before_healing)| *before_healing)
}

/// In every run the nodes start first.
fn without_starts(actions: &[Action<AnyProcess>], nodes: u64) -> &[Action<AnyProcess>] {
    let starts = actions.iter().take(nodes as usize).take_while(|action| matches!(action.what, What::Start { .. }));
    &actions[starts.count()..]
}

/// The second stage.
fn by_hand(
    terms: &Terms,
    seed: u64,
    nodes: &[volvox_sim::script::Setup],
    actions: &[Action<AnyProcess>],
    shrunk: &mut Shrunk,
) {
    let properties = terms.shell.properties();
    let Some(property) = property_of(properties.as_ref(), &shrunk.breach.property) else { return };
    let at_end = property.as_ref().is_some_and(|(_, property)| property.when == When::AtEnd);
    let mut field = Field {
        shell: terms.shell,
        properties,
        settings: terms.settings,
        seed,
        order: terms.order(),
        property,
        rest: at_end.then_some(GRACE),
        starts_again: terms.starts_again(),
        is_controlled: terms.settings.without.is_some(),
    };
    let mut first = clocks_of(nodes);
    first.extend_from_slice(without_starts(actions, terms.settings.nodes));
    let mut followed = 0;
    if field.breaks(&first, &mut followed).is_none() {
        // The cause may be beyond the guarantees of the protocol with all of its rules.
        field.is_controlled = false;
        if field.breaks(&first, &mut followed).is_none() {
            return;
        }
    }
    let short = script::reduce(first, &mut |actions| {
        if followed > FOLLOWED_MAX { None } else { field.breaks(actions, &mut followed) }
    });
    let Some(breach) = field.follow(&short, &field.settings).breach else { return };
    shrunk.actions.1 = short.len();
    shrunk.events = script::events(&short);
    let text = field.text(&short, &breach);
    shrunk.breach = breach;
    // The output is what was parsed again: a line that could not be parsed would show here.
    shrunk.text = match replay(terms.shell, &text) {
        Ok(Replayed { text, breach: Some(_), .. }) => Some(text),
        _ if shrunk.breach.property == PANIC => Some(text),
        _ => None,
    };
}

/// Clocks that are wrong from the beginning, as actions.
fn clocks_of(nodes: &[volvox_sim::script::Setup]) -> Vec<Action<AnyProcess>> {
    let truth = volvox_sim::Clocks::default().wall_start;
    let wrong = nodes.iter().filter(|node| node.wall != truth || node.drift_ppm != 0);
    let what = wrong.map(|node| What::Clock {
        node: node.id,
        jump: node.wall - truth,
        drift_ppm: (node.drift_ppm != 0).then_some(node.drift_ppm),
    });
    what.map(|what| Action { at: Instant::ZERO, what, choices: Vec::new() }).collect()
}

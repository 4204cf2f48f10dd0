//! Visits every state: level by level on all threads, or the newest first on one.
//!
//! A level is a list of batches. Threads take batches until none is left, and each keeps what it finds to itself; the
//! table of fingerprints decides which states are new. What a level found is the next level. Counts depend on which
//! states there are and not on who finds them, so they are the same on any number of threads; so is the counterexample:
//! of all that a level shows, the one with the first property and the least fingerprint is told.

use crate::checker::Checker;
use crate::model::{Model, Steps};
use crate::path;
use crate::report::{Broken, Counterexample, Ended, NO_STEP_FAILS, Progress, Report};
use crate::seen::{Hint, Seen};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A state that is yet to be looked behind.
struct Waiting<S> {
    state: S,
    hint: Hint,
    depth: u32,
}

type Batch<S> = Vec<Waiting<S>>;

/// So many states make it worth to wake other threads.
const BATCH: usize = 256;

/// A broken property, as far as it is known before its path is.
///
/// The order is that of telling: a failure before an invariant before a step, then the first property, then the least
/// state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    broken: Broken,
    /// Which property of its kind, in the order in which they were given.
    property: usize,
    /// The state that breaks the invariant, or the one before the step that is wrong.
    hint: Hint,
}

pub(crate) fn breadth_first<M: Model>(checker: &Checker<'_, M>) -> Report<M> {
    let seen = Seen::new();
    let mut total = Totals::new(checker);
    let mut first = Worker::new(checker, &seen);
    first.start();
    let mut level = total.absorb(first);
    let mut depth = 0;
    while !level.is_empty() && total.finding.is_none() && total.states < checker.states_max {
        if depth == checker.depth_max {
            total.is_cut_at_depth = true;
            break;
        }
        total.tell(checker, depth, &level);
        let next = Mutex::new(&mut total);
        let cursor = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        // One type for all models: threads are not made anew for each.
        let work: &(dyn Fn() + Sync) = &|| {
            let mut worker = Worker::new(checker, &seen);
            while let Some(batch) = level.get(cursor.fetch_add(1, Ordering::Relaxed)) {
                batch.iter().for_each(|waiting| worker.expand(waiting));
            }
            let batches = lock(&next).absorb(worker);
            lock(&found).extend(batches);
        };
        std::thread::scope(|scope| {
            // This thread works too.
            for _ in 1..checker.threads.min(level.len()) {
                scope.spawn(work);
            }
            work();
        });
        level = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        depth += 1;
    }
    let is_done = level.is_empty();
    total.finish(checker, &seen, is_done)
}

pub(crate) fn depth_first<M: Model>(checker: &Checker<'_, M>) -> Report<M> {
    let seen = Seen::new();
    let mut total = Totals::new(checker);
    let mut worker = Worker::new(checker, &seen);
    worker.start();
    let mut steps = 0u64;
    while let Some(mut batch) = worker.fresh.pop() {
        let Some(waiting) = batch.pop() else { continue };
        worker.fresh.push(batch);
        if worker.finding.is_some() || worker.states >= checker.states_max {
            worker.fresh.push(vec![waiting]);
            break;
        }
        if waiting.depth == checker.depth_max {
            total.is_cut_at_depth = true;
            continue;
        }
        if steps.is_multiple_of(65_536)
            && let Some(tell) = &checker.progress
        {
            let count = worker.fresh.iter().map(|batch| batch.len() as u64).sum();
            let (states, transitions) = (worker.states, worker.transitions);
            tell(&Progress { states, transitions, depth: waiting.depth, waiting: count });
        }
        steps += 1;
        worker.expand(&waiting);
    }
    let left = total.absorb(worker);
    let is_done = left.iter().all(|batch| batch.is_empty());
    total.finish(checker, &seen, is_done)
}

/// What all threads found so far.
struct Totals {
    states: u64,
    outside: u64,
    transitions: u64,
    depth: u32,
    finding: Option<Finding>,
    reached: Vec<bool>,
    is_cut_at_depth: bool,
}

impl Totals {
    fn new<M: Model>(checker: &Checker<'_, M>) -> Totals {
        Totals {
            states: 0,
            outside: 0,
            transitions: 0,
            depth: 0,
            finding: None,
            reached: vec![false; checker.reachable.len()],
            is_cut_at_depth: false,
        }
    }

    fn absorb<M: Model>(&mut self, worker: Worker<'_, '_, M>) -> Vec<Batch<M::State>> {
        self.states += worker.states;
        self.outside += worker.outside;
        self.transitions += worker.transitions;
        self.depth = self.depth.max(worker.depth);
        for (all, one) in self.reached.iter_mut().zip(&worker.reached) {
            *all |= one;
        }
        self.finding = least(self.finding.take(), worker.finding);
        let mut batches = worker.fresh;
        batches.retain(|batch| !batch.is_empty());
        batches
    }

    fn tell<M: Model>(&self, checker: &Checker<'_, M>, depth: u32, level: &[Batch<M::State>]) {
        if let Some(tell) = &checker.progress {
            let waiting = level.iter().map(|batch| batch.len() as u64).sum();
            tell(&Progress { states: self.states, transitions: self.transitions, depth, waiting });
        }
    }

    fn finish<M: Model>(self, checker: &Checker<'_, M>, seen: &Seen, is_done: bool) -> Report<M> {
        let unreached: Vec<String> = checker
            .reachable
            .iter()
            .zip(&self.reached)
            .filter(|(_, is_reached)| !**is_reached)
            .map(|(property, _)| property.name.clone())
            .collect();
        let ended = match &self.finding {
            Some(_) => Ended::Violated,
            None if self.is_cut_at_depth => Ended::DepthMax,
            None if !is_done => Ended::StatesMax,
            None if !unreached.is_empty() => Ended::Unreached,
            None => Ended::Exhausted,
        };
        let violation = self.finding.map(|finding| tell_finding(checker, seen, finding));
        let (states, outside, transitions, depth) = (self.states, self.outside, self.transitions, self.depth);
        Report { ended, states, outside, transitions, depth, violation, unreached, table_bytes: seen.bytes() }
    }
}

fn tell_finding<M: Model>(checker: &Checker<'_, M>, seen: &Seen, finding: Finding) -> Counterexample<M> {
    let (initial, mut steps) = path::to(checker.model, seen, finding.hint);
    let last = steps.last().map_or(&initial, |(_, state): &(M::Action, M::State)| state);
    let mut failed = None;
    let property = match finding.broken {
        Broken::Invariant => checker.invariants[finding.property].name.clone(),
        Broken::Step => {
            let property = &checker.step_properties[finding.property];
            let step = path::step_where(checker.model, last, |before, action, after| {
                !(property.holds)(checker.model, before, action, after)
            });
            steps.push(step);
            property.name.clone()
        }
        Broken::Failure | Broken::Liveness => {
            let (action, why) = path::failure_in(checker.model, last);
            failed = Some((action, why));
            NO_STEP_FAILS.to_string()
        }
    };
    let end = checker.model.describe(steps.last().map_or(&initial, |(_, state)| state));
    Counterexample { property, broken: finding.broken, initial, steps, failed, cycle_from: None, end }
}

/// What one thread finds.
struct Worker<'w, 'm, M: Model> {
    checker: &'w Checker<'m, M>,
    seen: &'w Seen,
    fresh: Vec<Batch<M::State>>,
    states: u64,
    outside: u64,
    transitions: u64,
    depth: u32,
    finding: Option<Finding>,
    reached: Vec<bool>,
}

impl<'w, 'm, M: Model> Worker<'w, 'm, M> {
    fn new(checker: &'w Checker<'m, M>, seen: &'w Seen) -> Self {
        Worker {
            checker,
            seen,
            fresh: Vec::new(),
            states: 0,
            outside: 0,
            transitions: 0,
            depth: 0,
            finding: None,
            reached: vec![false; checker.reachable.len()],
        }
    }

    fn start(&mut self) {
        for state in self.checker.model.initial() {
            let fingerprint = self.checker.model.canonical(&state);
            if self.seen.insert(fingerprint, 0, Hint::NONE) {
                self.admit(fingerprint, state, 0);
            }
        }
    }

    fn expand(&mut self, waiting: &Waiting<M::State>) {
        let model = self.checker.model;
        let mut expansion = Expansion { worker: self, from: waiting };
        model.next(&waiting.state, &mut expansion);
    }

    /// A state that was not seen before.
    fn admit(&mut self, fingerprint: u128, state: M::State, depth: u32) {
        let hint = Hint::of(fingerprint);
        let (checker, model) = (self.checker, self.checker.model);
        self.depth = self.depth.max(depth);
        if let Some(property) = checker.invariants.iter().position(|property| !(property.holds)(model, &state)) {
            let finding = Finding { broken: Broken::Invariant, property, hint };
            self.finding = least(self.finding.take(), Some(finding));
        }
        for (property, is_reached) in checker.reachable.iter().zip(&mut self.reached) {
            *is_reached = *is_reached || (property.holds)(model, &state);
        }
        if !model.within(&state) {
            self.outside += 1;
            return;
        }
        self.states += 1;
        if self.fresh.last().is_none_or(|batch| batch.len() == BATCH) {
            self.fresh.push(Vec::with_capacity(BATCH));
        }
        let batch = self.fresh.last_mut().expect("there is one now");
        batch.push(Waiting { state, hint, depth });
    }
}

/// The steps out of one state.
struct Expansion<'e, 'w, 'm, M: Model> {
    worker: &'e mut Worker<'w, 'm, M>,
    from: &'e Waiting<M::State>,
}

impl<M: Model> Expansion<'_, '_, '_, M> {
    fn built(&mut self, action: M::Action, next: M::State, canonical: u128) {
        let (checker, from) = (self.worker.checker, self.from);
        let model = checker.model;
        let broken =
            checker.step_properties.iter().position(|property| !(property.holds)(model, &from.state, &action, &next));
        if let Some(property) = broken {
            let finding = Finding { broken: Broken::Step, property, hint: from.hint };
            self.worker.finding = least(self.worker.finding.take(), Some(finding));
        }
        if self.worker.seen.insert(canonical, from.depth + 1, from.hint) {
            self.worker.admit(canonical, next, from.depth + 1);
        }
    }
}

impl<M: Model> Steps<M> for Expansion<'_, '_, '_, M> {
    fn step(&mut self, action: M::Action, next: M::State) {
        self.worker.transitions += 1;
        let canonical = self.worker.checker.model.canonical(&next);
        self.built(action, next, canonical);
    }

    fn lazy(&mut self, fingerprint: u128, action: &dyn Fn() -> M::Action, next: &dyn Fn() -> M::State) {
        let checker = self.worker.checker;
        if checker.model.is_symmetric() || !checker.step_properties.is_empty() {
            return self.step(action(), next());
        }
        self.worker.transitions += 1;
        let depth = self.from.depth + 1;
        if self.worker.seen.insert(fingerprint, depth, self.from.hint) {
            self.worker.admit(fingerprint, next(), depth);
        }
    }

    fn fail(&mut self, _: M::Action, _: String) {
        self.worker.transitions += 1;
        let finding = Finding { broken: Broken::Failure, property: 0, hint: self.from.hint };
        self.worker.finding = least(self.worker.finding.take(), Some(finding));
    }
}

fn least(one: Option<Finding>, other: Option<Finding>) -> Option<Finding> {
    one.into_iter().chain(other).min()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

//! Visits every state: level by level on all threads, or the newest first on one.
//!
//! A level is a list of batches. Threads take batches until none is left, and collect their findings separately; the
//! table of fingerprints decides which states are new. The new states of a level form the next level. Counts depend on
//! the states and not on the thread that finds them, so they are the same for any number of threads; so is the
//! counterexample: of all in a level, the one with the first property and the least fingerprint is reported.

use crate::model::{Model, ReportOf, Steps};
use crate::overflow::Overflow;
use crate::path::{self, CounterexampleOf, Run};
use crate::progress::Ended;
use crate::report::{Broken, NO_STEP_FAILS, Report};
use crate::search::Search;
use crate::seen::{Hint, Seen};
use crate::watch::{Done, Watch};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A state that is yet to be expanded.
struct Waiting<S> {
    state: S,
    hint: Hint,
    depth: u32,
}

type Batch<S> = Vec<Waiting<S>>;

/// The number of states that makes it worthwhile to wake other threads.
const BATCH: usize = 256;

/// A violated property, before its path is known.
///
/// Ordered by priority of reporting: a failure before an invariant before a step, then the first property, then the
/// least state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    broken: Broken,
    /// The index of the property among its kind.
    property: usize,
    /// The state that breaks the invariant, or the one before the step that is wrong.
    hint: Hint,
}

pub(crate) fn breadth_first<M: Model>(search: &Search<'_, '_, M>) -> ReportOf<M> {
    let (seen, watch) = (Seen::new(), Watch::new(search.limits, false));
    let mut total = Totals::new(search);
    let mut first = Worker::new(search, &seen);
    first.start();
    watch.report(first.done(0), search.model, seen.bytes());
    let mut level = total.absorb(first);
    let mut depth = 0;
    while !level.is_empty() && total.finding.is_none() && total.states < search.limits.states_max {
        if depth == search.limits.depth_max {
            total.cut_short = Some(Ended::DepthMax);
            break;
        }
        watch.at_depth(depth);
        watch.tell();
        let of_level = watch.kept();
        let next = Mutex::new(&mut total);
        let cursor = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        // One type for all models: the thread code is compiled only once.
        let work: &(dyn Fn() + Sync) = &|| {
            let mut worker = Worker::new(search, &seen);
            while watch.must_end().is_none()
                && let Some(batch) = level.get(cursor.fetch_add(1, Ordering::Relaxed))
            {
                batch.iter().for_each(|waiting| worker.expand(waiting));
                watch.report(worker.done(batch.len()), search.model, seen.bytes());
            }
            let batches = lock(&next).absorb(worker);
            lock(&found).extend(batches);
        };
        std::thread::scope(|scope| {
            // This thread works too.
            for _ in 1..search.limits.threads.min(level.len()) {
                scope.spawn(work);
            }
            work();
        });
        if cursor.into_inner() < level.len() {
            total.cut_short = watch.must_end();
            break;
        }
        level = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        watch.release(of_level);
        depth += 1;
    }
    let is_done = level.is_empty();
    total.finish(search, &seen, &watch, is_done)
}

pub(crate) fn depth_first<M: Model>(search: &Search<'_, '_, M>) -> ReportOf<M> {
    let (seen, watch) = (Seen::new(), Watch::new(search.limits, false));
    let mut total = Totals::new(search);
    let mut worker = Worker::new(search, &seen);
    worker.start();
    let (mut unreported, mut released) = (0, 0);
    while let Some(mut batch) = worker.fresh.pop() {
        let Some(waiting) = batch.pop() else { continue };
        worker.fresh.push(batch);
        if unreported == BATCH {
            watch.at_depth(waiting.depth);
            watch.report(Done { released, ..worker.done(unreported) }, search.model, seen.bytes());
            (unreported, released) = (0, 0);
        }
        let must_end = watch.must_end();
        if worker.finding.is_some() || worker.states >= search.limits.states_max || must_end.is_some() {
            total.cut_short = must_end;
            worker.fresh.push(vec![waiting]);
            break;
        }
        released += worker.bytes_of(&waiting.state);
        unreported += 1;
        if waiting.depth == search.limits.depth_max {
            total.cut_short = Some(Ended::DepthMax);
            continue;
        }
        worker.expand(&waiting);
    }
    watch.report(Done { released, ..worker.done(unreported) }, search.model, seen.bytes());
    let left = total.absorb(worker);
    let is_done = left.iter().all(|batch| batch.is_empty());
    total.finish(search, &seen, &watch, is_done)
}

/// The findings of all threads so far.
struct Totals {
    states: u64,
    outside: u64,
    transitions: u64,
    depth: u32,
    finding: Option<Finding>,
    reached: Vec<bool>,
    /// The limit that kept states from being expanded.
    cut_short: Option<Ended>,
    /// The queues that had overflowed before: a model may be explored more than once.
    overflowed_before: Vec<Overflow>,
}

impl Totals {
    fn new<M: Model>(search: &Search<'_, '_, M>) -> Totals {
        Totals {
            states: 0,
            outside: 0,
            transitions: 0,
            depth: 0,
            finding: None,
            reached: vec![false; search.asked.reachable.len()],
            cut_short: None,
            overflowed_before: search.model.overflowed(),
        }
    }

    fn absorb<M: Model>(&mut self, worker: Worker<'_, '_, '_, M>) -> Vec<Batch<M::State>> {
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

    fn finish<M: Model>(
        self,
        search: &Search<'_, '_, M>,
        seen: &Seen,
        watch: &Watch<'_, '_>,
        is_done: bool,
    ) -> ReportOf<M> {
        let unreached: Vec<String> = search
            .asked
            .reachable
            .iter()
            .zip(&self.reached)
            .filter(|(_, is_reached)| !**is_reached)
            .map(|(property, _)| property.name.clone())
            .collect();
        let ended = match (&self.finding, self.cut_short) {
            (Some(_), _) => Ended::Violated,
            (None, Some(limit)) => limit,
            (None, None) if !is_done => Ended::StatesMax,
            (None, None) if !unreached.is_empty() => Ended::Unreached,
            (None, None) => Ended::Exhausted,
        };
        // Before the model is asked again, for the steps of a counterexample.
        let overflowed = Overflow::since(&self.overflowed_before, search.model.overflowed());
        Report {
            ended,
            states: self.states,
            outside: self.outside,
            overflowed,
            budgets: None,
            transitions: self.transitions,
            depth: self.depth,
            violation: self.finding.map(|finding| tell_finding(search, seen, finding)),
            unreached,
            table_bytes: seen.bytes(),
            bytes: watch.bytes_most(),
        }
    }
}

fn tell_finding<M: Model>(search: &Search<'_, '_, M>, seen: &Seen, finding: Finding) -> CounterexampleOf<M> {
    let (initial, mut steps) = path::to(search.model, seen, finding.hint);
    let last = steps.last().map_or(&initial, |(_, state): &(M::Action, M::State)| state);
    let mut failed = None;
    let property = match finding.broken {
        Broken::Invariant => search.asked.invariants[finding.property].name.clone(),
        Broken::Step => {
            let property = &search.asked.step_properties[finding.property];
            let step =
                path::step_where(search.model, last, |before, action, after| !(property.holds)(before, action, after));
            steps.push(step);
            property.name.clone()
        }
        Broken::Failure | Broken::Liveness => {
            let (action, why) = path::failure_in(search.model, last);
            failed = Some((action, why));
            NO_STEP_FAILS.to_string()
        }
    };
    let run: Run<M> = Run { initial, steps, failed, cycle_from: None };
    run.told(search.model, property, finding.broken)
}

/// The findings of one thread.
struct Worker<'w, 's, 'm, M: Model> {
    search: &'w Search<'s, 'm, M>,
    seen: &'w Seen,
    fresh: Vec<Batch<M::State>>,
    states: u64,
    outside: u64,
    transitions: u64,
    depth: u32,
    /// The memory of found states while they wait.
    bytes: u64,
    /// The part that was already reported.
    reported: Done,
    finding: Option<Finding>,
    reached: Vec<bool>,
}

impl<'w, 's, 'm, M: Model> Worker<'w, 's, 'm, M> {
    fn new(search: &'w Search<'s, 'm, M>, seen: &'w Seen) -> Self {
        Worker {
            search,
            seen,
            fresh: Vec::new(),
            states: 0,
            outside: 0,
            transitions: 0,
            depth: 0,
            bytes: 0,
            reported: Done::default(),
            finding: None,
            reached: vec![false; search.asked.reachable.len()],
        }
    }

    fn start(&mut self) {
        for state in self.search.model.initial() {
            let fingerprint = self.search.model.canonical(&state);
            if self.seen.insert(fingerprint, 0, Hint::NONE) {
                self.admit(fingerprint, state, 0);
            }
        }
    }

    /// The work since the last call.
    fn done(&mut self, looked_behind: usize) -> Done {
        let all = Done {
            looked_behind: looked_behind as u64,
            states: self.states,
            transitions: self.transitions,
            bytes: self.bytes,
            released: 0,
        };
        let before = std::mem::replace(&mut self.reported, all);
        Done {
            states: all.states - before.states,
            transitions: all.transitions - before.transitions,
            bytes: all.bytes - before.bytes,
            ..all
        }
    }

    fn bytes_of(&self, state: &M::State) -> u64 {
        const AROUND: usize = size_of::<Waiting<u8>>();
        self.search.model.state_bytes(state) + AROUND as u64
    }

    fn expand(&mut self, waiting: &Waiting<M::State>) {
        let model = self.search.model;
        let mut expansion = Expansion { worker: self, from: waiting };
        model.next(&waiting.state, &mut expansion);
    }

    /// Adds a state that was not seen before.
    fn admit(&mut self, fingerprint: u128, state: M::State, depth: u32) {
        let hint = Hint::of(fingerprint);
        let (asked, model) = (self.search.asked, self.search.model);
        self.depth = self.depth.max(depth);
        if let Some(property) = asked.invariants.iter().position(|property| !(property.holds)(&state)) {
            let finding = Finding { broken: Broken::Invariant, property, hint };
            self.finding = least(self.finding.take(), Some(finding));
        }
        for (property, is_reached) in asked.reachable.iter().zip(&mut self.reached) {
            *is_reached = *is_reached || (property.holds)(&state);
        }
        if !model.within(&state) {
            self.outside += 1;
            return;
        }
        self.states += 1;
        self.bytes += self.bytes_of(&state);
        if self.fresh.last().is_none_or(|batch| batch.len() == BATCH) {
            self.fresh.push(Vec::with_capacity(BATCH));
        }
        let batch = self.fresh.last_mut().expect("there is one now");
        batch.push(Waiting { state, hint, depth });
    }
}

/// Expands the steps out of one state.
struct Expansion<'e, 'w, 's, 'm, M: Model> {
    worker: &'e mut Worker<'w, 's, 'm, M>,
    from: &'e Waiting<M::State>,
}

impl<M: Model> Expansion<'_, '_, '_, '_, M> {
    fn built(&mut self, action: M::Action, next: M::State, canonical: u128) {
        let (asked, from) = (self.worker.search.asked, self.from);
        let broken = asked.step_properties.iter().position(|property| !(property.holds)(&from.state, &action, &next));
        if let Some(property) = broken {
            let finding = Finding { broken: Broken::Step, property, hint: from.hint };
            self.worker.finding = least(self.worker.finding.take(), Some(finding));
        }
        if self.worker.seen.insert(canonical, from.depth + 1, from.hint) {
            self.worker.admit(canonical, next, from.depth + 1);
        }
    }
}

impl<M: Model> Steps<M> for Expansion<'_, '_, '_, '_, M> {
    fn step(&mut self, action: M::Action, next: M::State) {
        self.worker.transitions += 1;
        let canonical = self.worker.search.model.canonical(&next);
        self.built(action, next, canonical);
    }

    fn lazy(&mut self, fingerprint: u128, action: &dyn Fn() -> M::Action, next: &dyn Fn() -> M::State) {
        let search = self.worker.search;
        if search.model.is_symmetric() || !search.asked.step_properties.is_empty() {
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

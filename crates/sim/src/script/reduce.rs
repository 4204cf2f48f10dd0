//! Shrinks a list of actions as long as it violates the same property.
//!
//! Delta debugging (Zeller and Hildebrandt, *Simplifying and isolating failure-inducing input*, 2002), in the order of Scott
//! and others (*Minimizing faulty executions of distributed systems*, NSDI 2016): first external inputs, since much of
//! the rest disappears with them, then timers, deliveries and syncs. Actions that have become impossible, because their
//! causes are gone, are skipped during replay, and are not in the resulting list.

use super::{Action, What};
use volvox_core::{Instant, Process};

/// Replays a list; returns its possible actions if it violates the property.
pub type Test<'t, P> = &'t mut dyn FnMut(&[Action<P>]) -> Option<Vec<Action<P>>>;

/// The class of an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// A command, a crash, a start, a clock that changes.
    External,
    Timer,
    Delivery,
    /// A loss or a duplicate, by the network.
    Network,
    Sync,
    Wait,
}

fn class_of<P: Process>(action: &Action<P>) -> Class {
    match action.what {
        What::Start { .. } | What::Command { .. } | What::Crash { .. } | What::Clock { .. } => Class::External,
        What::Deliver { .. } => Class::Delivery,
        What::Drop { .. } | What::Duplicate { .. } => Class::Network,
        What::Fire { .. } => Class::Timer,
        What::Sync { .. } => Class::Sync,
        What::Wait => Class::Wait,
    }
}

/// External events and deliveries: what the length of a counterexample is counted in.
pub fn events<P: Process>(actions: &[Action<P>]) -> usize {
    actions.iter().filter(|action| matches!(class_of(action), Class::External | Class::Delivery)).count()
}

/// Shrinks a list, and simplifies the rest.
pub fn reduce<P: Process>(actions: Vec<Action<P>>, test: Test<'_, P>) -> Vec<Action<P>> {
    let mut reducer = Reducer { best: actions, test };
    reducer.forget_moments();
    const ORDER: [&[Class]; 5] =
        [&[Class::External], &[Class::Timer], &[Class::Network, Class::Wait], &[Class::Delivery], &[Class::Sync]];
    loop {
        let before = reducer.best.len();
        ORDER.into_iter().for_each(|classes| reducer.remove_of(classes));
        reducer.remove_of(&[]);
        if reducer.best.len() == before {
            reducer.remove_pairs();
        }
        if reducer.best.len() == before {
            break;
        }
    }
    reducer.forget_moments();
    reducer.lower_choices();
    reducer.best
}

/// Pairs are only tried in lists so short.
const PAIRS_MAX: usize = 48;

struct Reducer<'t, P: Process> {
    best: Vec<Action<P>>,
    test: Test<'t, P>,
}

impl<P: Process> Reducer<'_, P> {
    fn try_this(&mut self, actions: &[Action<P>]) -> bool {
        match (self.test)(actions) {
            Some(possible) => {
                self.best = possible;
                true
            }
            None => false,
        }
    }

    /// Removes actions of these classes (of all, when none is named): halves, quarters, and so on, down to one at a time
    /// until none can go. From the end, since later actions depend on earlier ones.
    fn remove_of(&mut self, classes: &[Class]) {
        let mut size = self.places(classes).len().div_ceil(2);
        while size > 0 {
            let before = self.best.len();
            let mut end = self.places(classes).len();
            while end > 0 {
                let places = self.places(classes);
                end = end.min(places.len());
                let start = end.saturating_sub(size);
                let gone = &places[start..end];
                let mut rest = self.best.iter().enumerate().filter(|(place, _)| gone.binary_search(place).is_err());
                let rest: Vec<Action<P>> = rest.by_ref().map(|(_, action)| action.clone()).collect();
                self.try_this(&rest);
                end = start;
            }
            size = if size == 1 && self.best.len() < before { 1 } else { size / 2 };
        }
    }

    fn places(&self, classes: &[Class]) -> Vec<usize> {
        let of_class = |action: &Action<P>| classes.is_empty() || classes.contains(&class_of(action));
        self.best.iter().enumerate().filter(|(_, action)| of_class(action)).map(|(place, _)| place).collect()
    }

    /// Removes pairs that only go together: a crash and the start after it, a message and its answer.
    fn remove_pairs(&mut self) {
        if self.best.len() > PAIRS_MAX {
            return;
        }
        for second in (1..self.best.len()).rev() {
            for first in (0..second).rev() {
                if second >= self.best.len() {
                    break;
                }
                let mut rest = self.best.clone();
                rest.remove(second);
                rest.remove(first);
                if self.try_this(&rest) {
                    break;
                }
            }
        }
    }

    /// Makes every action as early as possible; if the violation disappears, as many as keep it.
    fn forget_moments(&mut self) {
        let mut size = self.best.len();
        while size > 0 {
            let mut start = 0;
            while start < self.best.len() {
                let end = (start + size).min(self.best.len());
                if self.best[start..end].iter().any(|action| action.at > Instant::ZERO) {
                    let mut sooner = self.best.clone();
                    sooner[start..end].iter_mut().for_each(|action| action.at = Instant::ZERO);
                    self.try_this(&sooner);
                }
                start = end;
            }
            if size <= MOMENTS_CHUNK_MIN.min(self.best.len() / 8) {
                break;
            }
            size /= 2;
        }
    }

    /// Choices that are 0 do not count as choices.
    fn lower_choices(&mut self) {
        for place in 0..self.best.len() {
            for choice in 0..self.best.get(place).map_or(0, |action| action.choices.len()) {
                let Some(action) = self.best.get(place).filter(|action| choice < action.choices.len()) else { break };
                for lower in 0..action.choices[choice].min(8) {
                    let mut simpler = self.best.clone();
                    simpler[place].choices[choice] = lower;
                    if self.try_this(&simpler) {
                        break;
                    }
                }
            }
        }
    }
}

/// Times are not removed one by one in long lists: the list is shortened first.
const MOMENTS_CHUNK_MIN: usize = 4;

//! Searches for an order of operations that a single register could have served.
//!
//! A history is linearizable when every operation can be given one moment between its invocation and its response such
//! that, in the order of these moments, each saw what a register would have shown it (Herlihy and Wing 1990). The
//! search is that of Wing and Gong (1993) with the memory of Lowe (2017): take any operation that no other precedes in
//! time, let it happen if its response fits, continue with the rest; when stuck, go back and take another. A set of
//! operations done, together with the value they left, is tried only once.
//!
//! An operation that was never answered may have happened at any moment after its invocation, or never.
//!
//! ```text
//!   time ----------------------------------------->
//!   A   |--- write 1 ---|
//!   B        |------- write 2 -------|
//!   C                     |- read 1 -|   |- read 2 -|     linearizable: 1, read 1, 2, read 2
//!   C                     |- read 2 -|   |- read 1 -|     not: 1 was written before the first read began
//! ```

use std::collections::BTreeSet;

/// A value; 0 is absence.
pub type Value = u64;

/// An operation on the register, with its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Puts a value there.
    Write(Value),
    /// Removes what is there; was something there?
    Delete(Option<bool>),
    /// Saw this value.
    Read(Value),
    /// Puts a value there when another one is; did it?
    CompareAndSet {
        /// The expected value.
        expected: Value,
        /// The new value.
        new: Value,
        /// The answer.
        succeeded: Option<bool>,
    },
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The action.
    pub action: Action,
    /// When it was asked.
    pub invoked: u64,
    /// When it was answered; `None`: never.
    pub answered: Option<u64>,
}

/// The result of the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A linearization exists.
    Linearizable,
    /// There is no linearization.
    Violated {
        /// The length of the longest order that fits, in operations.
        longest: usize,
    },
    /// The search was given up after as many steps as it may take.
    Undecided,
}

/// Searches for an order, in at most `steps_max` steps.
pub fn check(operations: &[Operation], steps_max: u64) -> Verdict {
    // An unanswered read tells nothing.
    let mut operations: Vec<Operation> = operations
        .iter()
        .filter(|operation| operation.answered.is_some() || !matches!(operation.action, Action::Read(_)))
        .copied()
        .collect();
    operations.sort_by_key(|operation| operation.invoked);
    Search::new(&operations, steps_max).run()
}

struct Search<'a> {
    operations: &'a [Operation],
    /// The operations done, as bits.
    done: Vec<u64>,
    done_count: usize,
    /// Of those that were answered, how many are not done.
    answered_left: usize,
    /// The first operation that is not done.
    low: usize,
    value: Value,
    tried: BTreeSet<(Vec<u64>, Value)>,
    path: Vec<Taken>,
    steps_left: u64,
    longest: usize,
}

/// One step of the path, so that it can be taken back.
#[derive(Clone, Copy)]
struct Taken {
    index: usize,
    value_before: Value,
    low_before: usize,
}

impl<'a> Search<'a> {
    fn new(operations: &'a [Operation], steps_max: u64) -> Search<'a> {
        Search {
            operations,
            done: vec![0; operations.len().div_ceil(64)],
            done_count: 0,
            answered_left: operations.iter().filter(|operation| operation.answered.is_some()).count(),
            low: 0,
            value: 0,
            tried: BTreeSet::new(),
            path: Vec::new(),
            steps_left: steps_max,
            longest: 0,
        }
    }

    fn run(mut self) -> Verdict {
        let mut from = self.low;
        loop {
            if self.answered_left == 0 {
                return Verdict::Linearizable;
            }
            if self.steps_left == 0 {
                return Verdict::Undecided;
            }
            self.steps_left -= 1;
            match self.next_candidate(from) {
                Some((index, value)) => {
                    self.take(index, value);
                    if self.tried.insert((self.done.clone(), self.value)) {
                        self.longest = self.longest.max(self.done_count);
                        from = self.low;
                    } else {
                        from = self.take_back() + 1;
                    }
                }
                None if self.path.is_empty() => return Verdict::Violated { longest: self.longest },
                None => from = self.take_back() + 1,
            }
        }
    }

    /// The next operation, from `from` on, that may come first of those left, and the value it leaves.
    fn next_candidate(&self, from: usize) -> Option<(usize, Value)> {
        // An operation invoked after the earliest remaining answer comes after that one.
        let mut earliest_answer = u64::MAX;
        for index in self.low..self.operations.len() {
            let operation = &self.operations[index];
            if operation.invoked > earliest_answer {
                return None;
            }
            if self.is_done(index) {
                continue;
            }
            if index >= from
                && let Some(value) = effect(operation.action, self.value)
            {
                return Some((index, value));
            }
            earliest_answer = earliest_answer.min(operation.answered.unwrap_or(u64::MAX));
        }
        None
    }

    fn is_done(&self, index: usize) -> bool {
        self.done[index / 64] & (1 << (index % 64)) != 0
    }

    fn take(&mut self, index: usize, value: Value) {
        self.path.push(Taken { index, value_before: self.value, low_before: self.low });
        self.done[index / 64] |= 1 << (index % 64);
        self.done_count += 1;
        self.answered_left -= usize::from(self.operations[index].answered.is_some());
        self.value = value;
        while self.low < self.operations.len() && self.is_done(self.low) {
            self.low += 1;
        }
    }

    fn take_back(&mut self) -> usize {
        let taken = self.path.pop().expect("a step to take back");
        self.done[taken.index / 64] &= !(1 << (taken.index % 64));
        self.done_count -= 1;
        self.answered_left += usize::from(self.operations[taken.index].answered.is_some());
        self.value = taken.value_before;
        self.low = taken.low_before;
        taken.index
    }
}

/// The value after the action; `None` when the action cannot have been answered so.
fn effect(action: Action, value: Value) -> Option<Value> {
    match action {
        Action::Write(new) => Some(new),
        Action::Delete(existed) => existed.is_none_or(|existed| existed == (value != 0)).then_some(0),
        Action::Read(seen) => (seen == value).then_some(value),
        Action::CompareAndSet { expected, new, succeeded } => {
            let holds = expected == value;
            let fits = succeeded.is_none_or(|succeeded| succeeded == holds);
            fits.then_some(if holds { new } else { value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_core::Rng;

    fn at(action: Action, invoked: u64, answered: u64) -> Operation {
        Operation { action, invoked, answered: Some(answered) }
    }

    fn lost(action: Action, invoked: u64) -> Operation {
        Operation { action, invoked, answered: None }
    }

    fn verdict(operations: &[Operation]) -> Verdict {
        check(operations, 1_000_000)
    }

    fn holds(operations: &[Operation]) -> bool {
        verdict(operations) == Verdict::Linearizable
    }

    use Action::*;

    #[test]
    fn the_histories_of_the_header() {
        let writes = [at(Write(1), 0, 10), at(Write(2), 5, 30)];
        assert!(holds(&[&writes[..], &[at(Read(1), 15, 28), at(Read(2), 35, 40)]].concat()));
        assert!(!holds(&[&writes[..], &[at(Read(2), 15, 28), at(Read(1), 35, 40)]].concat()));
    }

    #[test]
    fn a_stale_read_is_found() {
        assert!(holds(&[at(Write(1), 0, 1), at(Write(2), 2, 3), at(Read(2), 4, 5)]));
        assert!(!holds(&[at(Write(1), 0, 1), at(Write(2), 2, 3), at(Read(1), 4, 5)]));
        assert!(!holds(&[at(Write(1), 0, 1), at(Read(0), 2, 3)]), "a lost write");
    }

    #[test]
    fn an_unanswered_write_may_happen_late_or_never() {
        let unanswered = lost(Write(7), 0);
        assert!(holds(&[unanswered, at(Read(0), 1, 2)]));
        assert!(holds(&[unanswered, at(Read(0), 1, 2), at(Read(7), 3, 4)]));
        assert!(!holds(&[unanswered, at(Read(7), 1, 2), at(Read(0), 3, 4)]), "it cannot be undone");
        let twice = [at(Read(7), 1, 2), at(Write(8), 3, 4), at(Read(7), 5, 6)];
        assert!(!holds(&[&[unanswered][..], &twice].concat()), "it happens at most once");
    }

    #[test]
    fn deletes_and_compares_are_answered_by_what_is_there() {
        assert!(holds(&[at(Write(1), 0, 1), at(Delete(Some(true)), 2, 3), at(Delete(Some(false)), 4, 5)]));
        assert!(!holds(&[at(Write(1), 0, 1), at(Delete(Some(false)), 2, 3)]));
        let swap = |expected, new, succeeded| CompareAndSet { expected, new, succeeded: Some(succeeded) };
        assert!(holds(&[at(Write(1), 0, 1), at(swap(1, 2, true), 2, 5), at(swap(1, 3, false), 2, 5)]));
        assert!(!holds(&[at(Write(1), 0, 1), at(swap(1, 2, true), 2, 5), at(swap(1, 3, true), 2, 5)]));
    }

    /// Histories of a real register are linearizable; with one answer changed to a value never there, they are not.
    #[test]
    fn agrees_with_histories_whose_order_is_known() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let mut value = 0;
            let mut operations = Vec::new();
            for moment in 1..=60u64 {
                // Each happens at `100 * moment`, and is seen to take up to 250 on either side.
                let (invoked, answered) =
                    (100 * moment - rng.below(250).min(100 * moment), 100 * moment + rng.below(250));
                let action = match rng.below(4) {
                    0 => Write(moment),
                    1 => Delete(Some(value != 0)),
                    2 => Read(value),
                    _ => {
                        let expected = if rng.below(2) == 0 { value } else { moment + 1000 };
                        CompareAndSet { expected, new: moment, succeeded: Some(expected == value) }
                    }
                };
                value = effect(action, value).expect("answered as it is");
                operations.push(at(action, invoked, answered));
            }
            assert!(holds(&operations), "seed {seed}");
            operations.push(at(Read(9999), 100, 7000));
            assert!(matches!(verdict(&operations), Verdict::Violated { .. }), "seed {seed}");
        }
    }

    #[test]
    fn the_search_is_bounded() {
        let mut operations: Vec<Operation> = (1..40).map(|value| lost(Write(value), value)).collect();
        operations.push(at(Read(999), 50, 60));
        assert_eq!(check(&operations, 1_000), Verdict::Undecided);
    }
}

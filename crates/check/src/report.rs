//! The report of an exploration.

use crate::overflow::Overflow;
use crate::progress::{Ended, collision_bound_bits};
use std::fmt;

/// The result of an exploration.
pub struct Report<S, A> {
    /// The end of the exploration.
    pub ended: Ended,
    /// Distinct states (orbits, where the model has symmetry), without those outside its bounds.
    pub states: u64,
    /// States outside the bounds of the model: checked, but not expanded.
    pub outside: u64,
    /// The queues that were full, and dropped a message.
    pub overflowed: Vec<Overflow>,
    /// Why liveness holds although the space was cut at its bounds, where it was declared
    /// ([`Checker::bounds_are_budgets`](crate::Checker::bounds_are_budgets)) and was needed.
    pub budgets: Option<String>,
    /// Steps, including those to known states.
    pub transitions: u64,
    /// The greatest depth of a state.
    pub depth: u32,
    /// The first violated property, and how.
    pub violation: Option<Counterexample<S, A>>,
    /// The conditions that should be reachable and were not seen.
    pub unreached: Vec<String>,
    /// The size of the table of fingerprints, in bytes.
    pub table_bytes: usize,
    /// The most memory that the exploration took, in bytes, by its own estimate.
    pub bytes: u64,
}

/// The property that a failing step violates.
pub const NO_STEP_FAILS: &str = "no step fails";

/// The kind of the violated property; the first has priority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Broken {
    /// The last action, which has no state after it, failed: the protocol panicked, or did what the model forbids.
    Failure,
    /// The last state breaks an invariant.
    Invariant,
    /// The last step breaks a step property.
    Step,
    /// The run cycles forever, or stops forever, without ever reaching the goal.
    Liveness,
}

/// A run that breaks a property.
pub struct Counterexample<S, A> {
    /// The property.
    pub property: String,
    /// The kind of the violation.
    pub broken: Broken,
    /// The initial state.
    pub initial: S,
    /// Its steps, with the state after each.
    pub steps: Vec<(A, S)>,
    /// The action that failed after the last step, and why.
    pub failed: Option<(A, String)>,
    /// For a liveness property: the steps from here on are repeated forever. If it equals the number of steps, the run
    /// stays in its last state forever.
    pub cycle_from: Option<usize>,
    /// The last state in words, where the model has some.
    pub end: String,
    /// The actions in words.
    pub(crate) lines: Vec<String>,
    /// The difference between one pass of the cycle and the next, in words.
    pub(crate) each_time: String,
}

impl<S, A> Counterexample<S, A> {
    /// The last state.
    pub fn last(&self) -> &S {
        self.steps.last().map_or(&self.initial, |(_, state)| state)
    }

    /// The actions as text, in order, including the failing one, for golden tests.
    pub fn actions(&self) -> Vec<String> {
        self.lines.clone()
    }
}

impl<S, A> fmt::Display for Counterexample<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.failed.as_ref().map(|(_, why)| why.as_str());
        let words = Words { lines: &self.lines, cycle_from: self.cycle_from, each_time: &self.each_time, why };
        words.print(f)?;
        if !self.end.is_empty() {
            writeln!(f, "{}", self.end)?;
        }
        write!(f, "broken: {}", self.property)
    }
}

/// A run in words: the part that is the same for all models.
struct Words<'a> {
    lines: &'a [String],
    cycle_from: Option<usize>,
    each_time: &'a str,
    why: Option<&'a str>,
}

impl Words<'_> {
    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.lines.len() - usize::from(self.why.is_some());
        for (at, line) in self.lines.iter().enumerate() {
            if self.cycle_from == Some(at) && at < steps {
                f.write_str("-- and from here on, in a cycle")?;
                let comma = if self.each_time.is_empty() { "" } else { ", each time " };
                writeln!(f, "{comma}{}:", self.each_time)?;
            }
            writeln!(f, "{:>3}. {line}", at + 1)?;
        }
        if self.cycle_from == Some(steps) {
            writeln!(f, "-- and nothing more ever happens")?;
        }
        if let Some(why) = self.why {
            writeln!(f, "{why}")?;
        }
        Ok(())
    }
}

impl<S, A> Report<S, A> {
    /// The report for a model in which no run can begin.
    pub(crate) fn of_start(violation: Counterexample<S, A>, unreached: Vec<String>) -> Report<S, A> {
        Report {
            ended: Ended::Violated,
            states: 0,
            outside: 0,
            overflowed: Vec::new(),
            budgets: None,
            transitions: 1,
            depth: 0,
            violation: Some(violation),
            unreached,
            table_bytes: 0,
            bytes: 0,
        }
    }

    /// Whether the space was cut: some states are outside the bounds, or a full queue dropped a message. Invariants
    /// still hold in every visited state; the states beyond the cut were not visited.
    pub fn is_cut(&self) -> bool {
        self.outside > 0 || !self.overflowed.is_empty()
    }

    /// Whether every state was visited and everything holds.
    pub fn holds(&self) -> bool {
        self.ended == Ended::Exhausted
    }

    /// The probability that two states were confused, as the negative of its binary logarithm: 40 is one in 2^40.
    pub fn collision_bound_bits(&self) -> u32 {
        collision_bound_bits(self.states)
    }
}

impl<S, A> fmt::Display for Report<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, depth) = (Count(self.states), self.depth);
        match self.ended {
            Ended::Exhausted => write!(f, "exhausted: {states} states, depth {depth}")?,
            Ended::Undecided => {
                write!(f, "exhausted: {states} states, depth {depth}, liveness undecided: runs leave the bounds")?;
            }
            Ended::Unreached => {
                write!(f, "exhausted: {states} states, depth {depth}, and never: {}", self.unreached.join(", "))?;
            }
            Ended::Violated => {
                if let Some(counterexample) = &self.violation {
                    writeln!(f, "{counterexample}")?;
                }
                write!(f, "after {states} states, depth {depth}")?;
            }
            Ended::StatesMax | Ended::BytesMax | Ended::DepthMax | Ended::Cancelled => {
                let limit = match self.ended {
                    Ended::StatesMax => "the limit on states",
                    Ended::BytesMax => "the limit on memory",
                    Ended::DepthMax => "the limit on depth",
                    _ => "cancelled",
                };
                write!(f, "explored to depth {depth}, {states} states, not exhausted ({limit})")?;
            }
        }
        self.print_cuts(f)?;
        write!(f, ", {} transitions", Count(self.transitions))?;
        write!(f, ", chance of a collision below 2^-{}", self.collision_bound_bits())
    }
}

impl<S, A> Report<S, A> {
    fn print_cuts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.outside > 0 {
            write!(f, ", {} more at the bounds not expanded", Count(self.outside))?;
        }
        if !self.overflowed.is_empty() {
            let dropped = self.overflowed.iter().map(|link| link.dropped).sum();
            let links: Vec<String> =
                self.overflowed.iter().map(|link| format!("{} -> {}", link.from, link.to)).collect();
            write!(f, ", full queues dropped {} messages ({})", Count(dropped), links.join(", "))?;
        }
        match &self.budgets {
            Some(why) => write!(f, ", liveness of the runs within the bounds ({why})"),
            None => Ok(()),
        }
    }
}

/// A count in full: `1,745,408`.
struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_well() {
        assert_eq!((Count(7).to_string(), Count(1_745_408).to_string()), ("7".into(), "1,745,408".into()));
    }
}

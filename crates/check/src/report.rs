//! The report of an exploration.

use crate::model::Model;
use crate::seen::COMPARED_BITS;
use std::fmt;
use std::time::Duration;
use volvox_core::NodeId;

/// How an exploration ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Every state within the bounds of the model was visited.
    Exhausted,
    /// A property is violated.
    Violated,
    /// Every state within the bounds was visited and every invariant holds, but runs leave the bounds, or a full queue
    /// dropped a message: then finding no run without the goal inside does not show that there is none.
    Undecided,
    /// Every state was visited, and a condition that should be reachable is not.
    Unreached,
    /// The limit on states was reached.
    StatesMax,
    /// The limit on memory was reached.
    BytesMax,
    /// The limit on depth was reached: the deepest states were not expanded.
    DepthMax,
    /// It was cancelled.
    Cancelled,
}

/// A queue that overflowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// The number of messages dropped there, over all steps.
    pub dropped: u64,
}

impl Overflow {
    /// The difference since `before`.
    pub(crate) fn since(before: &[Overflow], mut after: Vec<Overflow>) -> Vec<Overflow> {
        for link in &mut after {
            let earlier = before.iter().find(|one| (one.from, one.to) == (link.from, link.to));
            link.dropped -= earlier.map_or(0, |one| one.dropped);
        }
        after.retain(|link| link.dropped > 0);
        after
    }
}

/// The result of an exploration.
pub struct Report<M: Model> {
    /// How it ended.
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
    pub violation: Option<Counterexample<M>>,
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
pub struct Counterexample<M: Model> {
    /// The property.
    pub property: String,
    /// How it is violated.
    pub broken: Broken,
    /// The initial state.
    pub initial: M::State,
    /// Its steps, with the state after each.
    pub steps: Vec<(M::Action, M::State)>,
    /// The action that failed after the last step, and why.
    pub failed: Option<(M::Action, String)>,
    /// For a liveness property: the steps from here on are repeated forever. If it equals the number of steps, the run
    /// stays in its last state forever.
    pub cycle_from: Option<usize>,
    /// The last state in words, where the model has some.
    pub end: String,
    /// The actions in words.
    lines: Vec<String>,
    /// The difference between one pass of the cycle and the next, in words.
    each_time: String,
}

/// A run before it is put into words, with the fields of [`Counterexample`].
pub(crate) struct Run<M: Model> {
    pub initial: M::State,
    pub steps: Vec<(M::Action, M::State)>,
    pub failed: Option<(M::Action, String)>,
    pub cycle_from: Option<usize>,
}

impl<M: Model> Counterexample<M> {
    pub(crate) fn of(model: &M, property: String, broken: Broken, run: Run<M>) -> Counterexample<M> {
        let Run { initial, steps, failed, cycle_from } = run;
        let mut lines = model.describe_run(&initial, &steps);
        assert!(lines.len() == steps.len(), "a line for each step");
        lines.extend(failed.iter().map(|(action, _)| model.describe_action(action)));
        let end = model.describe(steps.last().map_or(&initial, |(_, state)| state));
        let each_time = cycle_from.map_or(String::new(), |from| model.describe_cycle(&steps[from..]));
        Counterexample { property, broken, initial, steps, failed, cycle_from, end, lines, each_time }
    }

    /// A run whose initialisation fails.
    pub(crate) fn of_start((initial, action, why): (M::State, M::Action, String), model: &M) -> Counterexample<M> {
        let run = Run { initial, steps: Vec::new(), failed: Some((action, why)), cycle_from: None };
        Counterexample::of(model, NO_STEP_FAILS.to_string(), Broken::Failure, run)
    }

    /// The same for another model with the same states and actions.
    fn of_same<N: Model<State = M::State, Action = M::Action>>(self) -> Counterexample<N> {
        let Counterexample { property, broken, initial, steps, failed, cycle_from, end, lines, each_time } = self;
        Counterexample { property, broken, initial, steps, failed, cycle_from, end, lines, each_time }
    }

    /// The last state.
    pub fn last(&self) -> &M::State {
        self.steps.last().map_or(&self.initial, |(_, state)| state)
    }

    /// The actions as text, in order, including the failing one, for golden tests.
    pub fn actions(&self) -> Vec<String> {
        self.lines.clone()
    }
}

impl<M: Model> fmt::Display for Counterexample<M> {
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

impl<M: Model> Report<M> {
    /// The report for a model in which no run can begin.
    pub(crate) fn of_start(violation: Counterexample<M>, unreached: Vec<String>) -> Report<M> {
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

    /// The same for another model with the same states and actions.
    pub(crate) fn of_same<N: Model<State = M::State, Action = M::Action>>(self) -> Report<N> {
        let Report {
            ended,
            states,
            outside,
            overflowed,
            budgets,
            transitions,
            depth,
            violation,
            unreached,
            table_bytes,
            bytes,
        } = self;
        let violation = violation.map(Counterexample::of_same);
        Report {
            ended,
            states,
            outside,
            overflowed,
            budgets,
            transitions,
            depth,
            violation,
            unreached,
            table_bytes,
            bytes,
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

/// n states are n^2/2 pairs, each of which agrees in all compared bits with a chance of 2^-bits.
fn collision_bound_bits(states: u64) -> u32 {
    let log2_rounded_up = 64 - states.max(1).leading_zeros();
    (COMPARED_BITS + 1).saturating_sub(2 * log2_rounded_up)
}

impl<M: Model> fmt::Display for Report<M> {
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

impl<M: Model> Report<M> {
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

/// The progress of an exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Distinct states so far.
    pub states: u64,
    /// Steps so far.
    pub transitions: u64,
    /// The depth that is complete, breadth first; the depth of the state at hand, depth first.
    pub depth: u32,
    /// States found and not yet expanded.
    pub waiting: u64,
    /// The most memory so far, in bytes, by the exploration's own estimate.
    pub bytes: u64,
    /// Whether these are the states of the graph in which infinite runs are searched, after all properties of states
    /// and steps held.
    pub is_liveness: bool,
}

impl Progress {
    /// The most states between two reports: a fifth of a second at 40,000 states/s.
    pub const EVERY: u64 = 8_192;

    /// One line, when the exploration has run for `elapsed` by the caller's clock: `depth 14, 3.1 M states, 812 k
    /// waiting, 1.2 M states/s, chance of a collision below 2^-29`.
    pub fn line(&self, elapsed: Duration) -> String {
        let millis = elapsed.as_millis().max(1);
        let rate = u128::from(self.states) * 1_000 / millis;
        let phase = if self.is_liveness { "infinite runs: " } else { "" };
        format!(
            "{phase}depth {}, {} states, {} waiting, {} states/s, chance of a collision below 2^-{}",
            self.depth,
            Short(self.states),
            Short(self.waiting),
            Short(u64::try_from(rate).unwrap_or(u64::MAX)),
            collision_bound_bits(self.states)
        )
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

/// A count in short: `3.1 M`.
struct Short(u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..10_000 => return write!(f, "{}", self.0),
            10_000..1_000_000 => (1_000, "k"),
            1_000_000..1_000_000_000 => (1_000_000, "M"),
            _ => (1_000_000_000, "G"),
        };
        write!(f, "{}.{} {name}", self.0 / unit, self.0 % unit * 10 / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_progress_read_well() {
        assert_eq!((Count(7).to_string(), Count(1_745_408).to_string()), ("7".into(), "1,745,408".into()));
        let progress = Progress {
            states: 3_141_592,
            transitions: 9_000_000,
            depth: 14,
            waiting: 812_345,
            bytes: 0,
            is_liveness: false,
        };
        assert_eq!(
            progress.line(Duration::from_millis(2_500)),
            "depth 14, 3.1 M states, 812.3 k waiting, 1.2 M states/s, chance of a collision below 2^-29"
        );
    }

    #[test]
    fn the_bound_on_confusions_is_a_bound() {
        // 2^20 states: 2^39 pairs, 72 bits: 2^-33, and the logarithm is rounded up once for each factor.
        assert_eq!(collision_bound_bits(1 << 20), 31);
        assert_eq!(collision_bound_bits(0), 71);
    }
}

//! How far an exploration has come, how sure it is, and how it ended.

use crate::seen::COMPARED_BITS;
use std::fmt;
use std::time::Duration;

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

/// The progress of an exploration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Distinct states so far.
    pub states: u64,
    /// Steps so far.
    pub transitions: u64,
    /// The depth that is complete, breadth first; the depth of the current state, depth first.
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

/// n states are n^2/2 pairs, each of which agrees in all compared bits with a chance of 2^-bits.
pub(crate) fn collision_bound_bits(states: u64) -> u32 {
    let log2_rounded_up = 64 - states.max(1).leading_zeros();
    (COMPARED_BITS + 1).saturating_sub(2 * log2_rounded_up)
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
    fn progress_reads_well() {
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

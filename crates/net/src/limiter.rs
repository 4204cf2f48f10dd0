//! Repeated log lines are printed once in a while, with the number that were left out.

use std::collections::BTreeMap;
use std::sync::Mutex;
use volvox_core::{Duration, Instant};

/// One gate per reason. The reasons are fixed words of this program, so that their number is bounded.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    gates: Mutex<BTreeMap<(&'static str, u64), Gate>>,
}

#[derive(Debug)]
struct Gate {
    last: Instant,
    suppressed: u64,
}

/// The gates are keyed by reason and known node; this is far more than both can have.
const GATES_MAX: usize = 4096;

impl LogLimiter {
    /// Whether to print now, and how many lines of that reason were left out since the last.
    pub(crate) fn admit(&self, reason: &'static str, node: u64, now: Instant, interval: Duration) -> Option<u64> {
        let mut gates = self.gates.lock().expect("no panic holds this lock");
        if gates.len() >= GATES_MAX {
            gates.clear();
        }
        let Some(gate) = gates.get_mut(&(reason, node)) else {
            gates.insert((reason, node), Gate { last: now, suppressed: 0 });
            return Some(0);
        };
        if now.since(gate.last) < interval {
            gate.suppressed += 1;
            return None;
        }
        gate.last = now;
        Some(std::mem::take(&mut gate.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_interval_and_the_rest_are_counted() {
        let limiter = LogLimiter::default();
        let admit = |reason, node, millis: u64| {
            limiter.admit(reason, node, Instant(millis * 1_000_000), Duration::from_secs(1))
        };
        assert_eq!(admit("a", 0, 0), Some(0));
        assert_eq!(admit("a", 0, 1), None);
        assert_eq!(admit("a", 1, 2), Some(0));
        assert_eq!(admit("a", 0, 999), None);
        assert_eq!(admit("a", 0, 1000), Some(2));
        assert_eq!(admit("a", 0, 2000), Some(0));
    }
}

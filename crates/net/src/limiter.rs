//! Log lines that a stranger can cause are printed at most once a second each.

use std::collections::BTreeMap;
use std::sync::Mutex;
use volvox_core::{Duration, Instant};

/// One gate a reason. The reasons are fixed words of this program, so that their number is bounded.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    gates: Mutex<BTreeMap<(&'static str, u64), Gate>>,
}

#[derive(Debug)]
struct Gate {
    last: Instant,
    suppressed: u64,
}

const INTERVAL: Duration = Duration::from_secs(1);
/// The gates are keyed by reason and known node; this is far more than there can be of both.
const GATES_MAX: usize = 4096;

impl LogLimiter {
    /// Whether to print now, and how many lines of that reason were left out since the last.
    pub(crate) fn admit(&self, reason: &'static str, node: u64, now: Instant) -> Option<u64> {
        let mut gates = self.gates.lock().expect("no panic holds this lock");
        if gates.len() >= GATES_MAX {
            gates.clear();
        }
        let Some(gate) = gates.get_mut(&(reason, node)) else {
            gates.insert((reason, node), Gate { last: now, suppressed: 0 });
            return Some(0);
        };
        if now.since(gate.last) < INTERVAL {
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
    fn one_line_a_second_and_the_rest_are_counted() {
        let limiter = LogLimiter::default();
        let at = |millis: u64| Instant(millis * 1_000_000);
        assert_eq!(limiter.admit("a", 0, at(0)), Some(0));
        assert_eq!(limiter.admit("a", 0, at(1)), None);
        assert_eq!(limiter.admit("a", 1, at(2)), Some(0));
        assert_eq!(limiter.admit("a", 0, at(999)), None);
        assert_eq!(limiter.admit("a", 0, at(1000)), Some(2));
        assert_eq!(limiter.admit("a", 0, at(2000)), Some(0));
    }
}

//! The treatment of an offset (RFC 5905, section 11.3): the clock is slewed if it is small, stepped if it is large for
//! long, and left alone if it is implausible.

use volvox_core::time::nanos;
use volvox_core::{Duration, Instant};

/// The thresholds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Thresholds {
    /// Larger offsets are eventually stepped (STEPT).
    pub step: Duration,
    /// How long an offset must stay that large (WATCH): a spike is ignored.
    pub stepout: Duration,
    /// Larger offsets are not believed at all (PANICT): an operator must look at them.
    pub panic: Duration,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            step: Duration::from_millis(128),
            stepout: Duration::from_secs(300),
            panic: Duration::from_secs(1_000),
        }
    }
}

/// The action.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// The clock is slewed.
    Slew,
    /// The offset is too large to slew; it may be a spike.
    Wait,
    /// The clock is stepped.
    Step,
    /// The offset is not believed.
    Panic,
}

/// Since when offsets have been too large to slew.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Discipline {
    spike_since: Option<Instant>,
}

impl Discipline {
    /// Decides what to do about an offset.
    pub fn judge(&mut self, offset_ns: i64, now: Instant, thresholds: &Thresholds) -> Verdict {
        let size = offset_ns.unsigned_abs();
        if size > nanos(thresholds.panic) {
            return Verdict::Panic;
        }
        if size <= nanos(thresholds.step) {
            self.spike_since = None;
            return Verdict::Slew;
        }
        let since = *self.spike_since.get_or_insert(now);
        if now.since(since) < thresholds.stepout {
            return Verdict::Wait;
        }
        self.spike_since = None;
        Verdict::Step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_offsets_are_slewed_lasting_ones_stepped_and_impossible_ones_left() {
        let (mut discipline, thresholds) = (Discipline::default(), Thresholds::default());
        let second = |seconds: u64| Instant(seconds * 1_000_000_000);
        let mut judge = |millis: i64, at| discipline.judge(millis * 1_000_000, second(at), &thresholds);
        assert_eq!(judge(128, 0), Verdict::Slew);
        assert_eq!(judge(-129, 10), Verdict::Wait);
        assert_eq!(judge(-129, 309), Verdict::Wait);
        assert_eq!(judge(20, 310), Verdict::Slew, "it was a spike");
        assert_eq!(judge(500, 400), Verdict::Wait);
        assert_eq!(judge(500, 700), Verdict::Step);
        assert_eq!(judge(500, 701), Verdict::Wait, "a new one");
        assert_eq!(judge(1_000_001, 2_000), Verdict::Panic);
        assert_eq!(discipline.judge(i64::MIN, second(9), &thresholds), Verdict::Panic);
    }
}

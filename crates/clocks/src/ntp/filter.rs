//! The clock filter (RFC 5905, section 10): of the last samples of one server, the one with the least delay is
//! believed.
//!
//! A message that waited in a queue makes the server's clock appear further off than it is. The shorter the round trip,
//! the smaller this error. So noise is not averaged away but avoided.

use alloc::vec::Vec;
use volvox_core::Instant;
use volvox_core::time::nanos;

/// The number of samples kept per server (NSTAGE).
pub const REGISTER: usize = 8;
/// How fast the uncertainty of a sample grows with its age, in parts in a million (PHI).
pub const DISPERSION_PPM: u64 = 15;
/// The precision of reading a clock, in nanoseconds: the uncertainty even of a fresh sample without delay.
pub const PRECISION_NS: u64 = 1;

/// One exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sample {
    /// The estimated lead of the server's clock over this machine's own.
    pub ahead_ns: i64,
    /// delta: the time that the messages were in flight.
    pub delay_ns: u64,
    /// The time of the exchange.
    pub at: Instant,
}

impl Sample {
    /// The sample from the four readings of an exchange; `None` if they contradict one another. T1 and T4 are by the
    /// client's clock, T2 and T3 by the server's.
    pub fn of(t1: i64, t2: i64, t3: i64, t4: i64, at: Instant) -> Option<Sample> {
        let away = i128::from(t4) - i128::from(t1);
        let handling = i128::from(t3) - i128::from(t2);
        let ahead = ((i128::from(t2) - i128::from(t1)) + (i128::from(t3) - i128::from(t4))) / 2;
        let delay = away - handling;
        if away < 0 || handling < 0 || delay < 0 {
            return None;
        }
        Some(Sample { ahead_ns: i64::try_from(ahead).ok()?, delay_ns: u64::try_from(delay).ok()?, at })
    }

    /// epsilon: the error that drift may have added since.
    pub fn dispersion_ns(&self, now: Instant) -> u64 {
        PRECISION_NS + nanos(now.since(self.at)) / 1_000_000 * DISPERSION_PPM
    }

    /// lambda: the largest possible error, half the delay plus the dispersion.
    pub fn distance_ns(&self, now: Instant) -> u64 {
        (self.delay_ns / 2).saturating_add(self.dispersion_ns(now))
    }
}

/// The last samples of one server, oldest first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Register {
    samples: Vec<Sample>,
}

impl Register {
    /// Adds a sample; drops the oldest.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() == REGISTER {
            self.samples.remove(0);
        }
        self.samples.push(sample);
    }

    /// The kept samples, oldest first.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The sample with the least delay; of equal ones the newest.
    pub fn best(&self) -> Option<&Sample> {
        self.samples.iter().rev().min_by_key(|sample| sample.delay_ns)
    }

    /// psi: how much the others differ from the best, as the root mean square.
    pub fn jitter_ns(&self) -> u64 {
        let Some(best) = self.best() else { return 0 };
        root_mean_square(self.samples.iter().map(|one| one.ahead_ns.abs_diff(best.ahead_ns)), self.samples.len() - 1)
    }
}

/// Over `count` differences; missing ones count as zero.
pub(super) fn root_mean_square(differences: impl Iterator<Item = u64>, count: usize) -> u64 {
    let sum = differences.fold(0u128, |sum, one| sum.saturating_add(u128::from(one) * u128::from(one)));
    u64::try_from((sum / count.max(1) as u128).isqrt()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_readings_make_a_sample() {
        // RFC 5905, section 8: the server is 100 ahead; 10 forward, 5 of handling, 30 back.
        let sample = Sample::of(1_000, 1_110, 1_115, 1_045, Instant::ZERO).expect("it is possible");
        assert_eq!((sample.ahead_ns, sample.delay_ns), (90, 40));
        assert_eq!(sample.ahead_ns.abs_diff(100), (30 - 10) / 2, "half of the asymmetry");
        assert!(sample.ahead_ns.abs_diff(100) <= sample.delay_ns / 2);
        for (t2, t3) in [(1_110, 1_109), (1_000, 1_046), (i64::MIN, i64::MAX), (i64::MAX, i64::MIN)] {
            assert_eq!(Sample::of(1_000, t2, t3, 1_045, Instant::ZERO), None);
        }
        assert_eq!(Sample::of(i64::MIN, i64::MAX, i64::MAX, i64::MIN, Instant::ZERO), None, "too far to be told");
    }

    #[test]
    fn the_least_delay_of_eight_wins() {
        let mut register = Register::default();
        for (at, delay_ns) in [3u64, 9, 7, 8, 7, 9, 9, 9].into_iter().enumerate() {
            register.push(Sample { ahead_ns: at as i64, delay_ns, at: Instant(at as u64) });
        }
        assert_eq!(register.best().map(|sample| sample.delay_ns), Some(3));
        register.push(Sample { ahead_ns: 8, delay_ns: 9, at: Instant(8) });
        assert_eq!(register.best().map(|sample| sample.ahead_ns), Some(4), "the newer of two");
        assert_eq!(register.samples().len(), REGISTER);
        assert_eq!(register.jitter_ns(), 2);
        assert_eq!(register.samples()[0].distance_ns(Instant(2_000_000_001)), 4 + 1 + 30_000);
    }
}

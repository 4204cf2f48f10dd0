//! The two clocks of a node: a monotonic one, and one that can be set.

use volvox_core::{Duration, Instant, Wall};

/// The initial errors of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The reading of a true wall clock when the run begins, in nanoseconds since 1970.
    pub wall_start: i64,
    /// The largest offset of each wall clock.
    pub offset_max: Duration,
    /// The largest drift of each pair of clocks, in parts in a million.
    pub drift_ppm_max: u32,
}

impl Default for Clocks {
    fn default() -> Clocks {
        // 2026-01-01T00:00:00Z
        Clocks { wall_start: 1_767_225_600_000_000_000, offset_max: Duration::ZERO, drift_ppm_max: 0 }
    }
}

/// A node's clocks as functions of the world's time. Both run at the same, possibly wrong, rate; the wall clock can
/// also be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The world's time at which the readings below were right.
    since: u64,
    local: u64,
    wall: i64,
    drift_ppm: i32,
}

/// Clocks never run slower than half the true rate, nor faster than twice.
const DRIFT_PPM_MAX: i32 = 500_000;

impl Clock {
    pub fn new(wall: i64, drift_ppm: i32) -> Clock {
        let mut clock = Clock { since: 0, local: 0, wall, drift_ppm: 0 };
        clock.set_drift(0, drift_ppm);
        clock
    }

    pub fn read(&self, now: u64) -> (Instant, Wall) {
        let span = self.advance(now - self.since);
        (Instant(self.local + span), Wall(self.wall.saturating_add_unsigned(span)))
    }

    pub fn drift_ppm(&self) -> i32 {
        self.drift_ppm
    }

    /// The process starts: its monotonic clock counts from zero.
    pub fn restart(&mut self, now: u64) {
        self.rebase(now);
        self.local = 0;
    }

    pub fn set_drift(&mut self, now: u64, drift_ppm: i32) {
        self.rebase(now);
        self.drift_ppm = drift_ppm.clamp(-DRIFT_PPM_MAX, DRIFT_PPM_MAX);
    }

    pub fn jump_wall(&mut self, now: u64, by: i64) {
        self.rebase(now);
        self.wall = self.wall.saturating_add(by);
    }

    pub fn set_wall(&mut self, now: u64, wall: i64) {
        self.rebase(now);
        self.wall = wall;
    }

    /// The shortest span of the world's time in which the local clock advances by `span`.
    pub fn world_span(&self, span: u64) -> u64 {
        if self.drift_ppm == 0 {
            return span;
        }
        let rate = u128::from(1_000_000u32.saturating_add_signed(self.drift_ppm));
        u64::try_from((u128::from(span) * 1_000_000).div_ceil(rate)).unwrap_or(u64::MAX)
    }

    fn advance(&self, span: u64) -> u64 {
        if self.drift_ppm == 0 {
            return span;
        }
        let rate = u128::from(1_000_000u32.saturating_add_signed(self.drift_ppm));
        u64::try_from(u128::from(span) * rate / 1_000_000).unwrap_or(u64::MAX)
    }

    fn rebase(&mut self, now: u64) {
        let (local, wall) = self.read(now);
        self.since = now;
        self.local = local.0;
        self.wall = wall.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_moves_both_and_jumps_move_only_the_wall() {
        let mut clock = Clock::new(1_000, 100);
        assert_eq!(clock.read(1_000_000), (Instant(1_000_100), Wall(1_001_100)));
        clock.jump_wall(1_000_000, -500);
        assert_eq!(clock.read(1_000_000), (Instant(1_000_100), Wall(1_000_600)));
        clock.set_drift(1_000_000, -200);
        assert_eq!(clock.read(2_000_000), (Instant(1_999_900), Wall(2_000_400)));
        clock.restart(2_000_000);
        assert_eq!(clock.read(2_000_000).0, Instant::ZERO);
    }

    #[test]
    fn a_span_is_over_when_the_local_clock_says_so() {
        for drift_ppm in [-500_000, -300, -1, 0, 1, 77, 400_000] {
            let clock = Clock::new(0, drift_ppm);
            for span in [1u64, 999, 1_000_003, 123_456_789_012] {
                let world = clock.world_span(span);
                assert!(clock.read(world).0.0 >= span, "{drift_ppm} {span}");
                assert!(clock.read(world - 1).0.0 < span || drift_ppm > 0, "{drift_ppm} {span}");
            }
        }
    }
}

//! The clocks of the operating system, read nowhere else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant as SystemInstant, SystemTime, UNIX_EPOCH};
use volvox_core::time::nanos;
use volvox_core::{Duration, Instant, Wall};

/// Both clocks of one running node.
#[derive(Debug)]
pub(crate) struct Clock {
    start: SystemInstant,
    /// The skew that a fault added to the wall clock, in nanoseconds.
    skew_nanos: AtomicI64,
}

impl Clock {
    /// A clock whose monotonic reading is zero now.
    pub(crate) fn start() -> Clock {
        Clock { start: SystemInstant::now(), skew_nanos: AtomicI64::new(0) }
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        Instant(nanos(self.start.elapsed()))
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> Wall {
        Wall(wall_nanos().saturating_add(self.skew_nanos.load(Ordering::Relaxed)))
    }

    /// Sets the skew of the wall clock.
    pub(crate) fn set_skew(&self, nanos: i64) {
        self.skew_nanos.store(nanos, Ordering::Relaxed);
    }

    /// A monotonic reading in the terms of the runtime's timers.
    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        // A deadline that does not fit never comes; a day is as good, because a sleeping loop looks again.
        let span = Duration::from_nanos(instant.0.min(self.now().0.saturating_add(DAY_NANOS)));
        tokio::time::Instant::from_std(self.start + span)
    }
}

const DAY_NANOS: u64 = 86_400_000_000_000;

/// The operating system's wall clock, in nanoseconds since 1970.
pub(crate) fn wall_nanos() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

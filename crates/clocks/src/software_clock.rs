//! A clock that is adjusted by running slightly faster or slower: time never runs backward.
//!
//! # The problem
//!
//! A clock that is ahead must not be set back: files would be older than their sources, and durations negative. One
//! that is behind should not jump either: everything due in between would be due at once.
//!
//! # The idea
//!
//! The machine's clock is left alone. A second clock reads the machine's clock plus a correction; to remove an offset
//! d, its rate is changed by at most R parts in a million until d is gone, which takes |d| / R. This is *slewing*;
//! adding d at once is *stepping*.
//!
//! # Why it is safe
//!
//! While R is below a million, each nanosecond of the machine's clock moves the reading by between 1 - R and 1 + R
//! nanoseconds. Readings are whole numbers, so within a single nanosecond the clock may stop; it never goes back.
//!
//! # Caveats
//!
//! - All arithmetic is in whole nanoseconds. Sums saturate: a hostile peer can cause a wrong clock, but never a panic.
//! - The clock stands on that of the machine, so an operator who sets the machine's clock moves it as well. A node
//!   that sees one ([`SoftwareClock::follow`]) knows that its estimates are void, and asks again. The host's clock is
//!   never touched.
//!
//! # References
//!
//! RFC 5905, section 11.3 and appendix A.5.5.6, for slewing at 500 parts in a million.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;
use volvox_core::time::nanos;
use volvox_core::{Duration, Instant, NodeId, Wall};

/// The usual slew rate, in parts in a million.
pub const SLEW_PPM: u32 = 500;

/// A setting of the machine's clock by less is not told from looking at its two clocks one after the other.
const SET_LEAST_NS: u64 = 10_000_000;

/// See the [module](self).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SoftwareClock {
    /// The reading of the machine's wall clock, as it is set now, when its monotonic clock was at zero.
    boot: i64,
    /// By how much it was set since this clock began.
    moved: i64,
    /// When the correction was last changed, and this clock's reading at that time.
    since: Instant,
    reading: i64,
    /// The correction that remained to be applied at that time.
    left: i64,
    slew_ppm: u32,
}

impl SoftwareClock {
    /// A clock that shows the machine's time, wrong by `off_ns`.
    ///
    /// # Panics
    /// When it could slew backward.
    pub fn new(wall: Wall, now: Instant, off_ns: i64, slew_ppm: u32) -> SoftwareClock {
        assert!(slew_ppm < 1_000_000, "a clock that slews by {slew_ppm} ppm stands still or runs backward");
        let boot = wall.0.saturating_sub_unsigned(now.0);
        SoftwareClock { boot, moved: 0, since: now, reading: wall.0.saturating_add(off_ns), left: 0, slew_ppm }
    }

    /// Follows the machine's own clock where it was set since the last look; returns by how much.
    pub fn follow(&mut self, wall: Wall, now: Instant) -> Option<i64> {
        let by = wall.0.saturating_sub(self.machine(now));
        if by.unsigned_abs() < SET_LEAST_NS {
            return None;
        }
        self.boot = self.boot.saturating_add(by);
        self.moved = self.moved.saturating_add(by);
        self.reading = self.reading.saturating_add(by);
        Some(by)
    }

    /// The reading of this clock.
    pub fn read(&self, now: Instant) -> i64 {
        self.reading.saturating_add_unsigned(self.elapsed(now)).saturating_add(self.slewed(now))
    }

    /// The reading with the whole correction applied. Offsets are measured against it, so that one that is being
    /// removed is not removed twice.
    pub fn settled(&self, now: Instant) -> i64 {
        self.reading.saturating_add_unsigned(self.elapsed(now)).saturating_add(self.left)
    }

    /// Removes an offset by slewing.
    pub fn adjust(&mut self, by_ns: i64, now: Instant) {
        let left = self.left(now).saturating_add(by_ns);
        (self.reading, self.since) = (self.read(now), now);
        self.left = left;
    }

    /// Removes an offset at once, together with the rest of earlier ones.
    pub fn step(&mut self, by_ns: i64, now: Instant) {
        self.reading = self.settled(now).saturating_add(by_ns);
        (self.since, self.left) = (now, 0);
    }

    /// The correction that remains to be applied.
    pub fn left(&self, now: Instant) -> i64 {
        self.left.saturating_sub(self.slewed(now))
    }

    /// How long applying the rest takes.
    pub fn settles_in(&self, now: Instant) -> Duration {
        let left = u128::from(self.left(now).unsigned_abs());
        let span = (left * 1_000_000).checked_div(u128::from(self.slew_ppm)).unwrap_or(u128::MAX);
        Duration::from_nanos(u64::try_from(span).unwrap_or(u64::MAX))
    }

    /// How far ahead of the machine's clock it will be.
    pub fn ahead(&self) -> i64 {
        self.reading.saturating_add(self.left).saturating_sub(self.machine(self.since))
    }

    /// How far ahead it will be of what the machine's clock would show had it never been set. Where the clocks of all machines
    /// were right when they started, this is its error.
    pub fn error(&self) -> i64 {
        self.ahead().saturating_add(self.moved)
    }

    /// By how much the machine's clock was set since this clock began.
    pub fn moved(&self) -> i64 {
        self.moved
    }

    /// The reading of the machine's clock, as it was set then, when its monotonic clock was at zero: a name of this boot.
    pub fn birth(&self) -> i64 {
        self.boot.saturating_sub(self.moved)
    }

    /// The reading of the machine's own clock.
    pub fn machine(&self, now: Instant) -> i64 {
        self.boot.saturating_add_unsigned(now.0)
    }

    /// The greatest slew rate.
    pub fn slew_ppm(&self) -> u32 {
        self.slew_ppm
    }

    fn elapsed(&self, now: Instant) -> u64 {
        nanos(now.since(self.since))
    }

    fn slewed(&self, now: Instant) -> i64 {
        let most = u128::from(self.elapsed(now)) * u128::from(self.slew_ppm) / 1_000_000;
        let part = i64::try_from(most).unwrap_or(i64::MAX);
        if self.left < 0 { (-part).max(self.left) } else { part.min(self.left) }
    }
}

/// A reading of a clock at a time of its machine's clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reading {
    /// The machine's clock.
    pub machine: i64,
    /// The clock above it.
    pub clock: i64,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TimeOfDay(self.clock).fmt(f)
    }
}

/// The last two readings that each node reported: enough to see a clock run backward.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Readings {
    last: BTreeMap<NodeId, (Option<Reading>, Reading)>,
}

impl Readings {
    /// A node restarts, with a clock independent of the previous one.
    pub fn begin(&mut self, node: NodeId, reading: Reading) {
        self.last.insert(node, (None, reading));
    }

    /// A node read its clock.
    pub fn push(&mut self, node: NodeId, reading: Reading) {
        let before = self.last.get(&node).map(|(_, last)| *last);
        self.last.insert(node, (before, reading));
    }

    /// Whether the clock of a node moved forward, and at a rate within its slew, between the last two readings.
    pub(crate) fn is_gradual(&self, node: NodeId, slew_ppm: u32) -> Result<(), String> {
        let Some((Some(before), after)) = self.last.get(&node) else { return Ok(()) };
        let (passed, moved) = (after.machine - before.machine, after.clock - before.clock);
        // One nanosecond for each of the two roundings.
        let most = i128::from(passed) * i128::from(slew_ppm) / 1_000_000 + 2;
        if moved < 0 || i128::from((moved - passed).abs()) > most {
            return Err(format!("the clock of {node} moved by {moved} ns while {passed} ns passed"));
        }
        Ok(())
    }
}

/// A time as a wall clock shows it: hours, minutes, seconds and microseconds of the day.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimeOfDay(pub i64);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.div_euclid(1_000).rem_euclid(86_400_000_000);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{:02}:{:02}:{:02}.{micros:06}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

/// A signed span: `+5.000ms`, `-1500.000s`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Signed(pub i64);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let micros = self.0.unsigned_abs() / 1_000;
        match micros {
            0..10_000_000 => write!(f, "{sign}{}.{:03}ms", micros / 1_000, micros % 1_000),
            _ => write!(f, "{sign}{}.{:03}s", micros / 1_000_000, micros / 1_000 % 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slewing_never_goes_back_and_takes_as_long_as_it_must() {
        // Q-TIM-7: 128 ms at 500 ppm are gone after 256 s.
        for by in [128_000_000, -128_000_000i64] {
            let mut clock = SoftwareClock::new(Wall(0), Instant::ZERO, 0, SLEW_PPM);
            clock.adjust(by, Instant::ZERO);
            assert_eq!(clock.settles_in(Instant::ZERO), Duration::from_secs(256));
            assert_eq!(clock.read(Instant(128_000_000_000)), 128_000_000_000 + by / 2);
            assert_eq!(clock.read(Instant(256_000_000_000)), 256_000_000_000 + by);
            assert_eq!((clock.left(Instant(256_000_000_000)), clock.ahead()), (0, by));
            let mut before = clock.read(Instant::ZERO);
            for now in 1..10_000 {
                let reading = clock.read(Instant(now));
                assert!(reading >= before && reading <= before + 2, "{by} at {now} ns");
                before = reading;
            }
        }
    }

    #[test]
    fn adjustments_add_up_and_none_is_made_twice() {
        let mut clock = SoftwareClock::new(Wall(1_000), Instant(400), 50, SLEW_PPM);
        assert_eq!((clock.machine(Instant(400)), clock.read(Instant(400)), clock.ahead()), (1_000, 1_050, 50));
        clock.adjust(10_000, Instant(400));
        clock.adjust(-4_000, Instant(2_000_400));
        assert_eq!((clock.ahead(), clock.left(Instant(2_000_400))), (6_050, 5_000));
        clock.step(0, Instant(2_000_400));
        assert_eq!(clock.read(Instant(2_000_400)), 2_001_000 + 6_050);
        clock.adjust(i64::MAX, Instant(3_000_000));
        clock.adjust(i64::MAX, Instant(3_000_000));
        clock.step(i64::MIN, Instant(3_000_000));
    }

    #[test]
    fn a_clock_stands_on_that_of_its_machine() {
        let mut clock = SoftwareClock::new(Wall(1_000), Instant(400), 50, SLEW_PPM);
        assert_eq!(clock.follow(Wall(2_000), Instant(1_400)), None, "it was never set");
        assert_eq!(clock.follow(Wall(2_600 + SET_LEAST_NS as i64 / 2), Instant(2_000)), None, "too little to tell");
        assert_eq!(clock.follow(Wall(300_003_000), Instant(2_400)), Some(300_000_000));
        assert_eq!((clock.machine(Instant(2_400)), clock.read(Instant(2_400))), (300_003_000, 300_003_050));
        assert_eq!((clock.ahead(), clock.error(), clock.moved()), (50, 300_000_050, 300_000_000));
        assert_eq!(clock.follow(Wall(300_004_000), Instant(3_400)), None, "it has followed");
        clock.step(-300_000_000, Instant(3_400));
        assert_eq!((clock.ahead(), clock.error(), clock.birth()), (-299_999_950, 50, 600));
    }

    #[test]
    fn times_read_like_a_clock() {
        use alloc::string::ToString;
        assert_eq!(TimeOfDay((3 * 3_600 + 25 * 60) * 1_000_000_000).to_string(), "03:25:00.000000");
        assert_eq!((Signed(-1_500_000).to_string(), Signed(0).to_string()), ("-1.500ms".into(), "+0.000ms".into()));
        assert_eq!(Signed(-900 * 1_000_000_000).to_string(), "-900.000s");
    }
}

//! The clock of leases, which only the leader has (book/src/etcd.md#6.6).
//!
//! The set of leases, with their keys, is replicated; when they expire is not. A new leader cannot know how much of a
//! lease was used before it led, so it gives every lease its full time again, plus an election timeout: a lease never
//! expires early. When its time is over, the leader *proposes* the expiry; from then on the lease cannot be renewed,
//! because the entry may already be on its way to being applied.
//!
//! An expiry is proposed once. A leader's entry is committed in its term or never by it, so there is nothing to repeat;
//! and a second entry could end a lease that was granted again under the same id in between. For the same reason a
//! lease whose revocation is in the log is left alone.

use crate::planted::{self, Bug};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::Instant;

/// How many leases may expire in one entry.
pub const EXPIRIES_MAX: usize = 500;

/// How many entries with expiries may be in flight at a time.
pub const EXPIRY_ENTRIES_MAX: usize = 16;

/// Of the leases that a new leader finds, not more than 750 expire in a second.
const SPREAD: Duration = Duration::from_nanos(1_000_000_000 / 750 + 1);

/// When each lease expires. Exists on the leader alone, from the moment it has applied an entry of its own term.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseClock {
    leases: BTreeMap<i64, Running>,
    /// Those that are not ending.
    by_time: BTreeSet<(Instant, i64)>,
    entries_under_way: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Running {
    granted_ttl: i64,
    expires: Instant,
    /// Its end is in the log.
    is_ending: bool,
}

/// The rest of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLeft {
    /// Whole seconds.
    pub ttl: i64,
    /// Seconds given at the grant.
    pub granted_ttl: i64,
}

/// The result of a renewal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// The lease has its full time again.
    Renewed(TimeLeft),
    /// The lease has expired and is about to be removed: it is never revived. There is no answer before it is gone.
    Ending,
    /// There is no such lease.
    Unknown,
}

impl LeaseClock {
    /// A new leader's clock: every lease gets its known remaining time plus `extension`; leases that would expire
    /// together are spread out.
    pub fn start(leases: impl Iterator<Item = (i64, i64, i64)>, now: Instant, extension: Duration) -> LeaseClock {
        let mut clock = LeaseClock::default();
        let mut by_time: Vec<(Instant, i64, i64)> = leases
            .map(|(lease, granted_ttl, remaining_ttl)| (now + seconds(remaining_ttl) + extension, lease, granted_ttl))
            .collect();
        by_time.sort_unstable();
        let mut earliest = Instant::ZERO;
        for (expires, lease, granted_ttl) in by_time {
            let expires = expires.max(earliest);
            clock.insert(lease, granted_ttl, expires);
            earliest = expires + SPREAD;
        }
        clock
    }

    /// A lease was granted.
    pub fn on_granted(&mut self, lease: i64, ttl: i64, now: Instant) {
        self.insert(lease, ttl, now + seconds(ttl));
    }

    /// A lease is gone.
    pub fn on_removed(&mut self, lease: i64) {
        if let Some(running) = self.leases.remove(&lease) {
            self.by_time.remove(&(running.expires, lease));
        }
    }

    /// The end of a lease was appended to the log.
    pub fn on_ending(&mut self, lease: i64) {
        if let Some(running) = self.leases.get_mut(&lease) {
            running.is_ending = true;
            self.by_time.remove(&(running.expires, lease));
        }
    }

    /// The end of a lease was abandoned.
    pub fn on_kept(&mut self, lease: i64) {
        if let Some(running) = self.leases.get_mut(&lease) {
            running.is_ending = false;
            self.by_time.insert((running.expires, lease));
        }
    }

    /// An entry with expiries was appended.
    pub fn on_expiries_proposed(&mut self, leases: &[i64]) {
        self.entries_under_way += 1;
        leases.iter().for_each(|lease| self.on_ending(*lease));
    }

    /// An entry with expiries was applied.
    pub fn on_expiries_applied(&mut self) {
        self.entries_under_way = self.entries_under_way.saturating_sub(1);
    }

    /// Whether the clock knows the lease.
    pub fn contains(&self, lease: i64) -> bool {
        self.leases.contains_key(&lease)
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Gives a lease its full time again, unless it has expired.
    pub fn renew(&mut self, lease: i64, now: Instant) -> Renewal {
        let Some(running) = self.leases.get(&lease) else {
            return Renewal::Unknown;
        };
        let over = running.is_ending || running.expires <= now;
        if over && !planted::is(Bug::LeaseRevived) {
            return Renewal::Ending;
        }
        let granted_ttl = running.granted_ttl;
        self.on_removed(lease);
        self.insert(lease, granted_ttl, now + seconds(granted_ttl));
        Renewal::Renewed(TimeLeft { ttl: granted_ttl, granted_ttl })
    }

    /// How long a lease still lives; 0 seconds while its expiry is in progress.
    pub fn time_left(&self, lease: i64, now: Instant) -> Option<TimeLeft> {
        let running = self.leases.get(&lease)?;
        let ttl = running.expires.since(now).as_secs() as i64;
        Some(TimeLeft { ttl, granted_ttl: running.granted_ttl })
    }

    /// The leases whose expiry should be proposed now: at most [`EXPIRIES_MAX`], and none while
    /// [`EXPIRY_ENTRIES_MAX`] entries are in flight.
    pub fn expired(&self, now: Instant) -> Vec<i64> {
        if self.entries_under_way >= EXPIRY_ENTRIES_MAX {
            return Vec::new();
        }
        self.by_time.range(..=(now, i64::MAX)).take(EXPIRIES_MAX).map(|(_, lease)| *lease).collect()
    }

    fn insert(&mut self, lease: i64, granted_ttl: i64, expires: Instant) {
        self.by_time.insert((expires, lease));
        self.leases.insert(lease, Running { granted_ttl, expires, is_ending: false });
    }
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_lease_lives_its_time_and_is_not_revived() {
        let mut clock = LeaseClock::default();
        clock.on_granted(7, 5, Instant(0));
        assert!(clock.expired(Instant(5 * SECOND - 1)).is_empty(), "never early");
        assert_eq!(clock.renew(7, Instant(4 * SECOND)), Renewal::Renewed(TimeLeft { ttl: 5, granted_ttl: 5 }));
        assert!(clock.expired(Instant(8 * SECOND)).is_empty());
        assert_eq!(clock.expired(Instant(9 * SECOND)), [7]);
        assert_eq!(clock.renew(7, Instant(9 * SECOND)), Renewal::Ending, "its time is over, proposed or not");
        clock.on_expiries_proposed(&[7]);
        assert_eq!(clock.time_left(7, Instant(9 * SECOND)).map(|left| left.ttl), Some(0));
        assert!(clock.expired(Instant(99 * SECOND)).is_empty(), "proposed once, and never again in this term");
        assert_eq!(clock.renew(7, Instant(99 * SECOND)), Renewal::Ending);
        clock.on_removed(7);
        clock.on_expiries_applied();
        assert!(clock.is_empty() && clock.expired(Instant(99 * SECOND)).is_empty());
        assert_eq!(clock.renew(7, Instant(99 * SECOND)), Renewal::Unknown);
    }

    #[test]
    fn a_lease_that_is_being_revoked_is_left_to_that() {
        let mut clock = LeaseClock::default();
        clock.on_granted(7, 5, Instant(0));
        clock.on_ending(7);
        assert!(clock.expired(Instant(9 * SECOND)).is_empty(), "it may be granted again behind its revocation");
        clock.on_kept(7);
        assert_eq!(clock.expired(Instant(9 * SECOND)), [7], "the revocation was refused");
    }

    #[test]
    fn a_new_leader_extends() {
        let clock = LeaseClock::start([(1, 10, 3)].into_iter(), Instant(SECOND), Duration::from_millis(500));
        assert!(clock.expired(Instant(4 * SECOND)).is_empty());
        assert_eq!(clock.expired(Instant(4 * SECOND + SECOND / 2)), [1]);
    }

    #[test]
    fn a_new_leader_spreads_what_would_expire_together() {
        let leases = (0..3000).map(|lease| (lease, 10, 10));
        let clock = LeaseClock::start(leases, Instant(0), Duration::ZERO);
        let due = |from: u64, to: u64| {
            let range = (Instant(from * SECOND), i64::MIN)..(Instant(to * SECOND), i64::MIN);
            clock.by_time.range(range).count()
        };
        assert_eq!(due(0, 10), 0, "none is early");
        for second in 10..14 {
            assert!((740..=750).contains(&due(second, second + 1)), "{} in second {second}", due(second, second + 1));
        }
    }

    #[test]
    fn expiries_under_way_are_bounded() {
        let mut clock = LeaseClock::default();
        (0..10_000).for_each(|lease| clock.on_granted(lease, 1, Instant(0)));
        let mut entries = 0;
        while let Some(due) = Some(clock.expired(Instant(SECOND))).filter(|due| !due.is_empty()) {
            assert!(due.len() <= EXPIRIES_MAX);
            clock.on_expiries_proposed(&due);
            entries += 1;
        }
        assert_eq!(entries, EXPIRY_ENTRIES_MAX);
        clock.on_expiries_applied();
        assert_eq!(clock.expired(Instant(SECOND)).len(), EXPIRIES_MAX);
    }
}

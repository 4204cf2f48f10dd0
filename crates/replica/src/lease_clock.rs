//! The clock of leases, which only the leader has (etcd-v3 6.6).
//!
//! What leases exist, and with which keys, is replicated; when they expire is not. A new leader cannot know how much of
//! a lease was used up before it led, so it gives every lease its whole time again, and an election timeout on top: a
//! lease never expires early. When its time is over, the leader *proposes* the expiry; from that moment a lease is not
//! renewed any more, because the entry may already be on its way to being applied.

use crate::planted::{self, Bug};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::Instant;

/// A proposed expiry that was not applied after this long is proposed again.
const RETRY: Duration = Duration::from_secs(3);

/// How many leases may expire in one entry.
pub const EXPIRIES_MAX: usize = 500;

/// When each lease expires. Exists on the leader alone, from the moment it has applied an entry of its own term.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseClock {
    leases: BTreeMap<i64, Running>,
    by_time: BTreeSet<(Instant, i64)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Running {
    granted_ttl: i64,
    expires: Instant,
    /// When its expiry was proposed.
    expiring: Option<Instant>,
}

/// What is left of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLeft {
    /// Whole seconds.
    pub ttl: i64,
    /// Seconds given at the grant.
    pub granted_ttl: i64,
}

impl LeaseClock {
    /// A new leader's clock: every lease gets what it is known to have left, and `extension` on top.
    pub fn start(
        leases: impl Iterator<Item = (i64, i64, i64)>,
        now: Instant,
        extension: Duration,
    ) -> LeaseClock {
        let mut clock = LeaseClock::default();
        for (lease, granted_ttl, remaining_ttl) in leases {
            clock.insert(lease, granted_ttl, now + seconds(remaining_ttl) + extension);
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

    /// Keeps only the leases that exist.
    pub fn retain(&mut self, exists: impl Fn(i64) -> bool) {
        let gone: Vec<i64> = self.leases.keys().filter(|lease| !exists(**lease)).copied().collect();
        for lease in gone {
            self.on_removed(lease);
        }
    }

    /// Whether the clock knows the lease.
    pub fn contains(&self, lease: i64) -> bool {
        self.leases.contains_key(&lease)
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Gives a lease its whole time again. `None` when there is none, or its time is over: it is never revived.
    pub fn renew(&mut self, lease: i64, now: Instant) -> Option<TimeLeft> {
        let running = self.leases.get(&lease)?;
        let over = running.expiring.is_some() || running.expires <= now;
        if over && !planted::is(Bug::LeaseRevived) {
            return None;
        }
        let granted_ttl = running.granted_ttl;
        self.on_removed(lease);
        self.insert(lease, granted_ttl, now + seconds(granted_ttl));
        Some(TimeLeft { ttl: granted_ttl, granted_ttl })
    }

    /// How long a lease still lives; 0 seconds while its expiry is under way.
    pub fn time_left(&self, lease: i64, now: Instant) -> Option<TimeLeft> {
        let running = self.leases.get(&lease)?;
        let ttl = running.expires.since(now).as_secs() as i64;
        Some(TimeLeft { ttl, granted_ttl: running.granted_ttl })
    }

    /// The leases whose expiry must be proposed now, at most [`EXPIRIES_MAX`]; they count as proposed.
    pub fn expired(&mut self, now: Instant) -> Vec<i64> {
        let mut due = Vec::new();
        for (_, lease) in self.by_time.range(..=(now, i64::MAX)) {
            let running = &self.leases[lease];
            if running.expiring.is_none_or(|since| now.since(since) >= RETRY) {
                due.push(*lease);
                if due.len() == EXPIRIES_MAX {
                    break;
                }
            }
        }
        for lease in &due {
            self.leases.get_mut(lease).expect("a lease just listed").expiring = Some(now);
        }
        due
    }

    fn insert(&mut self, lease: i64, granted_ttl: i64, expires: Instant) {
        self.by_time.insert((expires, lease));
        self.leases.insert(lease, Running { granted_ttl, expires, expiring: None });
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
        assert_eq!(clock.renew(7, Instant(4 * SECOND)), Some(TimeLeft { ttl: 5, granted_ttl: 5 }));
        assert!(clock.expired(Instant(8 * SECOND)).is_empty());
        assert_eq!(clock.expired(Instant(9 * SECOND)), [7]);
        assert_eq!(clock.renew(7, Instant(9 * SECOND)), None, "its expiry was proposed");
        assert_eq!(clock.time_left(7, Instant(9 * SECOND)).map(|left| left.ttl), Some(0));
        assert!(clock.expired(Instant(10 * SECOND)).is_empty(), "proposed once");
        assert_eq!(clock.expired(Instant(12 * SECOND)), [7], "and again when that came to nothing");
        clock.on_removed(7);
        assert!(clock.is_empty() && clock.expired(Instant(99 * SECOND)).is_empty());
    }

    #[test]
    fn a_new_leader_extends() {
        let mut clock = LeaseClock::start([(1, 10, 3)].into_iter(), Instant(SECOND), Duration::from_millis(500));
        assert!(clock.expired(Instant(4 * SECOND)).is_empty());
        assert_eq!(clock.expired(Instant(4 * SECOND + SECOND / 2)), [1]);
    }
}

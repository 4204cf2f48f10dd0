//! The rules of leases: the earliest end of each, and that none returns.

use std::collections::BTreeMap;
use volvox_core::time::nanos;
use volvox_core::{Duration, Instant};
use volvox_store::View;

/// Clocks may run wrong by this many parts in a million, and a lease lives by the leader's.
const DRIFT_PPM: u64 = 2_500;

/// Everything that is known of the leases of a run.
#[derive(Clone, Default)]
pub struct LeaseTruth {
    leases: BTreeMap<i64, Lease>,
    /// Leases that ended because their time was over.
    expired: u64,
    /// Of those, the leases that ended without a leader.
    expired_in_election: u64,
}

#[derive(Clone, Default)]
struct Lease {
    /// It lives at least until then, as promised to its clients.
    until: Instant,
    /// A client asked to revoke it: it may end at any time.
    revoking: bool,
    /// There was no leader when its time was over.
    due_in_election: bool,
    exists: bool,
    gone: Option<Instant>,
}

impl LeaseTruth {
    /// The newest state that any node has reached.
    ///
    /// # Errors
    /// When a lease ended too early, or existed again.
    pub fn on_frontier(&mut self, view: &View, now: Instant) -> Result<(), String> {
        for lease in view.leases() {
            let known = self.leases.entry(lease.id).or_default();
            if known.gone.is_some() {
                return Err(format!("lease {} exists again after it had ended", lease.id));
            }
            known.exists = true;
        }
        for (id, lease) in self.leases.iter_mut().filter(|(_, lease)| lease.exists) {
            if view.lease(*id).is_some() {
                continue;
            }
            lease.exists = false;
            lease.gone = Some(now);
            if lease.revoking {
                continue;
            }
            self.expired += 1;
            self.expired_in_election += u64::from(lease.due_in_election);
            if now < lease.until {
                return Err(format!(
                    "lease {id} expired at {now}, but its client was promised that it lives until {}",
                    lease.until
                ));
            }
        }
        Ok(())
    }

    /// A grant or keep-alive requested at `asked` was answered with this many seconds.
    ///
    /// # Errors
    /// When the lease had ended before it was asked.
    pub fn on_alive(&mut self, id: i64, asked: Instant, ttl: i64) -> Result<Instant, String> {
        let lease = self.leases.entry(id).or_default();
        if lease.gone.is_some_and(|gone| gone < asked) {
            return Err(format!("lease {id} had ended, but was reported as alive for {ttl} s when asked at {asked}"));
        }
        let seconds = nanos(Duration::from_secs(ttl.max(0) as u64));
        let until = asked + Duration::from_nanos(seconds - seconds / 1_000_000 * DRIFT_PPM);
        if lease.gone.is_some_and(|gone| gone < until) && !lease.revoking {
            return Err(format!("lease {id} was promised until {until}, and had expired before the promise arrived"));
        }
        lease.until = lease.until.max(until);
        lease.due_in_election = false;
        Ok(lease.until)
    }

    /// A client asks to revoke it.
    pub fn on_revoke(&mut self, id: i64) {
        self.leases.entry(id).or_default().revoking = true;
    }

    /// No node leads: leases that expire now end during an election.
    pub fn on_no_leader(&mut self, now: Instant) {
        for lease in self.leases.values_mut().filter(|lease| lease.exists && lease.until <= now) {
            lease.due_in_election = true;
        }
    }

    /// How many leases expired, and how many of those without a leader.
    pub fn expired(&self) -> (u64, u64) {
        (self.expired, self.expired_in_election)
    }
}

//! When streams whose callers demand a leader must end (book/src/etcd.md#13.5).

use crate::request::Caller;
use volvox_core::{Duration, Instant};
use volvox_replica::View;

/// A member without a leader is given up after this many election timeouts.
const PATIENCE_TIMEOUTS: u32 = 3;

/// How long this member has known no leader.
#[derive(Clone, Debug)]
pub struct Leaderless {
    patience: Duration,
    since: Option<Instant>,
}

impl Leaderless {
    /// A member whose elections take this long.
    pub fn new(election_timeout: Duration) -> Leaderless {
        Leaderless { patience: election_timeout * PATIENCE_TIMEOUTS, since: None }
    }

    /// Looks at the newest view. An election that fails does not restart the wait.
    pub fn observe(&mut self, view: &View, now: Instant) {
        let since = self.since.unwrap_or(now);
        self.since = view.status.leader.is_none().then_some(since);
    }

    /// When patience ends, if no leader appears; `None` while one is known.
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.patience)
    }

    /// Whether no leader has been known for too long.
    pub fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Whether the streams of a caller end now.
    pub fn ends_streams_of(&self, caller: &Caller, now: Instant) -> bool {
        caller.requires_leader && self.is_over(now)
    }
}

//! An immutable view of the store, in constant time.
//!
//! Readers, watchers and checkpoints each hold a [`View`] and never block a write: nodes that they share with the store
//! are copied when the store changes them.

use crate::auth::Auth;
use crate::error::Error;
use crate::lease::Lease;
use crate::log::{Log, Near, Pair, Record, RecordRef, Revision};
use crate::request::AlarmType;
use crate::response::{AlarmMember, KeyValue};
use crate::tree::{Tree, Value};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;

/// The index entry of a key: its newest change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub revision: Revision,
    pub alive: bool,
}

impl Value for Slot {
    fn counts(&self) -> bool {
        self.alive
    }
}

/// The replicated state, as it is after some number of commands.
#[derive(Clone)]
pub struct View {
    pub(crate) revision: i64,
    /// History up to here is gone; -1: nothing is.
    pub(crate) compacted: i64,
    /// How many compactions there were.
    pub(crate) compactions: u64,
    /// The number of commands applied, including refused ones.
    pub(crate) applied: u64,
    pub(crate) index: Tree<Slot>,
    pub(crate) log: Log,
    pub(crate) leases: Tree<Lease>,
    /// Keys with a lease: the lease, then the key.
    pub(crate) attachments: Tree<()>,
    pub(crate) alarms: Arc<BTreeSet<AlarmMember>>,
    pub(crate) auth: Arc<Auth>,
}

impl Default for View {
    /// The empty store.
    fn default() -> View {
        View {
            revision: 1,
            compacted: -1,
            compactions: 0,
            applied: 0,
            index: Tree::default(),
            log: Log::default(),
            leases: Tree::default(),
            attachments: Tree::default(),
            alarms: Arc::default(),
            auth: Arc::default(),
        }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View {{ revision: {}, compacted: {}, keys: {} }}", self.revision, self.compacted, self.len())
    }
}

impl View {
    /// The revision of the store: 1 when it is empty, one more with every change.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// History below this revision is gone; -1 before any compaction.
    pub fn compacted(&self) -> i64 {
        self.compacted
    }

    /// How many commands were applied so far, those that were refused included.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// How many keys are alive.
    pub fn len(&self) -> usize {
        self.index.weight().counted as usize
    }

    /// Whether no key is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The alarms that are on, by member, then kind.
    pub fn alarms(&self) -> impl Iterator<Item = AlarmMember> + '_ {
        self.alarms.iter().copied()
    }

    /// Whether an alarm is on for any member.
    pub fn has_alarm(&self, kind: AlarmType) -> bool {
        self.alarms.iter().any(|member| member.alarm == kind)
    }

    /// The pair of a key as it was at a revision; `None` when it did not exist, or history does not reach back so far.
    pub fn previous(&self, key: &[u8], revision: i64) -> Option<KeyValue> {
        if revision < 1 || revision < self.compacted {
            return None;
        }
        let slot = self.index.get(key)?;
        Some(self.version_at(slot, revision)?.key_value())
    }

    /// The newest pair of a key.
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        Some(self.newest(self.index.get(key)?)?.key_value())
    }

    /// A revision as in a request: 0 or less means the newest.
    pub(crate) fn resolve(&self, revision: i64) -> Result<Option<i64>, Error> {
        if revision > self.revision {
            return Err(Error::FutureRevision);
        }
        if revision > 0 && revision < self.compacted {
            return Err(Error::Compacted);
        }
        Ok((revision > 0).then_some(revision))
    }

    /// The pair of a key that was alive at a revision, or is alive now, for a caller that reads key after key.
    pub(crate) fn pair_near(&self, slot: &Slot, at: Option<i64>, near: &mut Near) -> Option<Pair<'_>> {
        match at {
            Some(at) if slot.revision.main > at => self.log.pair_near(self.change_until(slot, at)?, near),
            _ if slot.alive => {
                let found = self.log.pair_near(slot.revision, near);
                Some(found.expect("compaction keeps what is reachable"))
            }
            _ => None,
        }
    }

    /// The newest version of a key that is alive.
    pub(crate) fn newest(&self, slot: &Slot) -> Option<RecordRef<'_>> {
        if slot.alive { Some(self.expect(slot.revision)) } else { None }
    }

    /// The version of a key that was alive at a revision.
    pub(crate) fn version_at(&self, slot: &Slot, revision: i64) -> Option<RecordRef<'_>> {
        if slot.revision.main <= revision {
            return self.newest(slot);
        }
        // A tombstone may be gone from the log already; then there is nothing to find.
        let found = self.log.find(self.change_until(slot, revision)?)?;
        (!found.record.tombstone).then_some(found)
    }

    /// When a key changed last, not after `revision`: a walk back along the chain of its versions.
    pub(crate) fn change_until(&self, slot: &Slot, revision: i64) -> Option<Revision> {
        let mut at = slot.revision;
        while at.main > revision {
            let record = self.expect(at).record;
            at = match record.anchor {
                Some(anchor) if anchor.main > revision => anchor,
                _ => record.previous?,
            };
        }
        Some(at)
    }

    /// Whether compaction up to `compacted` keeps a record: the newest version of its key then, if it is a value or a
    /// tombstone of exactly that revision.
    pub(crate) fn survives(&self, key: &[u8], record: &Record, compacted: i64) -> bool {
        if record.revision.main > compacted {
            return true;
        }
        let Some(slot) = self.index.get(key) else {
            return false;
        };
        let newest = self.change_until(slot, compacted) == Some(record.revision);
        newest && (!record.tombstone || record.revision.main == compacted)
    }

    /// A record that cannot be missing: the newest of a living key, or newer than the compaction point.
    fn expect(&self, revision: Revision) -> RecordRef<'_> {
        self.log.find(revision).expect("compaction keeps what is reachable")
    }
}

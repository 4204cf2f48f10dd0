//! The whole history of a store, to carry it to another kind of server and back.
//!
//! A checkpoint is the store as its own log has it. This is the same without the log: leases, alarms, and every change
//! that compaction keeps, in order, each with the numbers that the protocol shows. [`View::history`] gives them; a
//! [`HistoryBuilder`] makes a store of them, which shows the same numbers to every client. A history that another program recorded
//! is hostile until checked: a change must continue the life of its key.
//!
//! A history may begin in the middle of a life: compaction drops the versions before its point. It cannot end in the
//! middle of one, so every key whose newest change is a put is alive.

use crate::key_range::KeyRange;
use crate::lease::{Lease, attachment_key, lease_key};
use crate::log::{COUNTER_MAX, Record, Revision};
use crate::response::{AlarmMember, PairRef};
use crate::store::{Store, StoreConfig};
use crate::view::{Slot, View};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::Bytes;

/// One change of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryChange<'a> {
    /// The index of the change in its revision, which is that of the pair.
    pub sub_revision: u32,
    /// Whether the key was deleted; then the pair has only a key and a revision.
    pub tombstone: bool,
    /// The pair after the change.
    pub pair: PairRef<'a>,
}

impl View {
    /// Every change that compaction keeps, oldest first, as far as this member's memory was freed or not.
    pub fn history(&self) -> impl Iterator<Item = HistoryChange<'_>> + Send {
        self.history_from(0, 0)
    }

    /// The same from a change on, for a caller that must not block: the revision of the store, and the index in it.
    pub fn history_from(&self, main: i64, sub: u32) -> impl Iterator<Item = HistoryChange<'_>> + Send {
        let from = Revision { main, sub };
        let records = self.log.records_from(main).skip_while(move |found| found.record.revision < from);
        let kept = |found: &crate::log::RecordRef<'_>| self.survives(found.key(), &found.record, self.compacted);
        records.filter(kept).map(|found| HistoryChange {
            sub_revision: found.record.revision.sub,
            tombstone: found.record.tombstone,
            pair: found.pair().borrowed(),
        })
    }
}

/// Why changes do not form a store. Their author is at fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryError {
    /// A revision is not greater than the one before it, or out of bounds.
    Order(i64),
    /// The change of this revision does not continue the life of its key.
    Life(i64),
    /// A lease has no id, or the same as another.
    Lease(i64),
    /// A living key is attached to a lease that does not exist.
    NoLease {
        /// The key.
        key: Bytes,
        /// The id of the lease.
        lease: i64,
    },
    /// The compaction point or the revision of the store is out of bounds.
    Bounds(i64),
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryError::Order(revision) => write!(f, "revision {revision} is out of order"),
            HistoryError::Life(revision) => {
                write!(f, "the change of revision {revision} does not continue the life of its key")
            }
            HistoryError::Lease(id) => write!(f, "lease {id:x} has no id, or is there twice"),
            HistoryError::NoLease { key, lease } => {
                write!(f, "key {key} is attached to lease {lease:x}, which does not exist")
            }
            HistoryError::Bounds(revision) => write!(f, "revision {revision} of the store is out of bounds"),
        }
    }
}

impl core::error::Error for HistoryError {}

/// A store that is being made from a history: leases and alarms in any order, then the changes, oldest first.
#[derive(Clone, Debug)]
pub struct HistoryBuilder {
    config: StoreConfig,
    state: View,
    newest: Revision,
    scratch: Vec<u8>,
}

impl HistoryBuilder {
    /// Begins with an empty store whose history is gone up to `compacted`; -1: nothing is.
    ///
    /// # Errors
    /// When the compaction point is out of bounds.
    pub fn new(config: StoreConfig, compacted: i64) -> Result<HistoryBuilder, HistoryError> {
        if compacted < -1 || compacted > COUNTER_MAX as i64 {
            return Err(HistoryError::Bounds(compacted));
        }
        // One compaction stands for all that there were.
        let compactions = u64::from(compacted >= 0);
        let state = View { compacted, compactions, ..View::default() };
        Ok(HistoryBuilder { config, state, newest: Revision::default(), scratch: Vec::new() })
    }

    /// Adds a lease.
    ///
    /// # Errors
    /// When it has no id, or its id is taken.
    pub fn lease(&mut self, lease: Lease) -> Result<(), HistoryError> {
        if lease.id == 0 || self.state.leases.insert(&lease_key(lease.id), lease).is_some() {
            return Err(HistoryError::Lease(lease.id));
        }
        Ok(())
    }

    /// Adds an alarm.
    pub fn alarm(&mut self, alarm: AlarmMember) {
        Arc::make_mut(&mut self.state.alarms).insert(alarm);
    }

    /// Adds the next change.
    ///
    /// # Errors
    /// When it is not the next one, or does not continue the life of its key. Then the builder cannot be continued.
    pub fn change(&mut self, change: &HistoryChange<'_>) -> Result<(), HistoryError> {
        let HistoryChange { sub_revision, tombstone, pair } = *change;
        let main = pair.mod_revision;
        let revision = Revision { main, sub: sub_revision };
        if main < 1 || main > COUNTER_MAX as i64 || revision <= self.newest {
            return Err(HistoryError::Order(main));
        }
        if pair.key.is_empty() || pair.key.len().max(pair.value.len()) > u32::MAX as usize / 4 {
            return Err(HistoryError::Life(main));
        }
        self.newest = revision;
        let slot = self.state.index.insert(pair.key, Slot { revision, alive: !tombstone });
        let before = slot.and_then(|slot| self.state.newest(&slot)).map(|found| found.record);
        let attached = before.as_ref().map_or(0, |before| before.lease);
        let mut record = self.record(change, slot, before).ok_or(HistoryError::Life(main))?;
        if attached != 0 {
            self.state.attachments.remove(&attachment_key(attached, pair.key));
        }
        if record.lease != 0 {
            self.state.attachments.insert(&attachment_key(record.lease, pair.key), ());
        }
        // A segment spans revisions of 32 bits: a history that was moved ahead, or compacted long ago, can have wider gaps.
        if self.state.log.tail_first().is_some_and(|first| main - first.main > i64::from(u32::MAX)) {
            self.state.log.seal();
        }
        self.scratch.clear();
        record.encode(pair.key, pair.value, &mut self.scratch);
        self.state.log.push(&record, Bytes::from(self.scratch.as_slice()));
        Ok(())
    }

    /// The record of a change, linked to what is before it as the store itself links it; `None` if the numbers of the
    /// pair are not those that a store would give.
    fn record(&self, change: &HistoryChange<'_>, slot: Option<Slot>, before: Option<Record>) -> Option<Record> {
        let pair = &change.pair;
        let revision = Revision { main: pair.mod_revision, sub: change.sub_revision };
        let compacted = self.state.compacted;
        if change.tombstone {
            return match &before {
                Some(before) => Some(Record::tombstone(revision, before)),
                // The version that it ended is gone: compaction keeps a tombstone at its point only.
                None if revision.main <= compacted => Some(Record::orphan_tombstone(revision)),
                None => None,
            };
        }
        let alive = before.is_some();
        // A tombstone below the compaction point is gone, whether or not it was removed already.
        let dead = slot.filter(|slot| !slot.alive && slot.revision.main >= compacted);
        let link = before.or_else(|| dead.and_then(|slot| Some(self.state.log.find(slot.revision)?.record)));
        let mut record = Record::put(revision, link.as_ref(), pair.lease);
        let begins_in_the_dark = !alive && slot.is_none() && pair.version > 1;
        if begins_in_the_dark && pair.create_revision >= 1 && pair.create_revision <= compacted.min(revision.main) {
            (record.create_revision, record.version) = (pair.create_revision, pair.version);
        }
        let same = (record.create_revision, record.version) == (pair.create_revision, pair.version);
        (same && record.version as u64 <= COUNTER_MAX).then_some(record)
    }

    /// The store at a revision; what compaction does not keep is dropped.
    ///
    /// # Errors
    /// When the revision is neither that of the newest change nor the compaction point, or a key's lease is missing.
    pub fn finish(mut self, revision: i64) -> Result<Store, HistoryError> {
        let compacted = self.state.compacted;
        // Nothing but compaction removes the newest change.
        let newest = self.newest.main.max(1);
        let sound = revision >= newest && revision >= compacted && revision <= COUNTER_MAX as i64;
        if !sound || (revision > newest && revision != compacted) {
            return Err(HistoryError::Bounds(revision));
        }
        for (attachment, ()) in self.state.attachments.forward(KeyRange::ALL, false) {
            let (id, key) = attachment.split_at(8);
            if self.state.leases.get(id).is_none() {
                let id: [u8; 8] = id.try_into().expect("a lease's key has eight bytes");
                let lease = (u64::from_be_bytes(id) ^ (1 << 63)) as i64;
                return Err(HistoryError::NoLease { key: Bytes::from(key), lease });
            }
        }
        self.state.revision = revision;
        // A pass looks at sealed segments only.
        self.state.log.seal();
        let mut store = Store::with_state(self.config, self.state);
        store.start_pass();
        while store.compact_step(usize::MAX) {}
        Ok(store)
    }
}

//! The one true history, gathered from all nodes, and compared with each of them after every step.
//!
//! Every node applies the same log, so whichever node reaches a revision first writes the truth, and all others are
//! compared with it: the events of every revision, and a fingerprint of leases, alarms and members at every applied
//! index. The answers to clients and watchers are compared with the same truth. It is also replayed into a naive model,
//! a list of versions per key, which knows the content of every range at every revision.

use crate::leases::LeaseTruth;
use std::collections::BTreeMap;
use std::hash::Hash;
use volvox_core::{Bytes, Instant, NodeId, fingerprint_of};
use volvox_replica::Replica;
use volvox_store::{Change, Event, EventKind, HashKv, KeyRange, KeyValue, View};

/// The observations of all nodes so far.
#[derive(Clone, Default)]
pub struct Truth {
    /// By revision, from 2 on.
    changes: Vec<Change>,
    /// Every version of every key: the revision, and the pair unless it was deleted.
    keys: BTreeMap<Bytes, Vec<(i64, Option<KeyValue>)>>,
    /// The revision of each value; values that clients write are unique.
    values: BTreeMap<Bytes, i64>,
    nodes: BTreeMap<NodeId, Seen>,
    states: BTreeMap<u64, u128>,
    hashes: BTreeMap<(i64, i64), HashKv>,
    /// The highest compaction that any node has applied.
    compacted: i64,
    /// The highest index that any node has applied.
    frontier: u64,
    /// The truth about leases.
    pub leases: LeaseTruth,
}

/// The extent of the checks of a node in this life of its process.
#[derive(Clone, Copy, Default)]
struct Seen {
    revision: i64,
    applied: u64,
}

impl Truth {
    /// A node made a step: compares what is new of it.
    ///
    /// # Errors
    /// With what it holds that is not true.
    pub fn observe(&mut self, id: NodeId, replica: &Replica, now: Instant) -> Result<(), String> {
        let applied = replica.applied().0;
        let seen = self.nodes.entry(id).or_default();
        if applied == seen.applied {
            return Ok(());
        }
        if applied < seen.applied {
            return Err(format!("{id} had applied {}, and now {applied}", seen.applied));
        }
        let before = std::mem::replace(seen, Seen { revision: replica.store().revision(), applied });
        let view = replica.store().state();
        self.compacted = self.compacted.max(view.compacted());
        self.compare_changes(id, view, before.revision)?;
        self.compare_state(id, replica, view)?;
        if applied > self.frontier {
            self.frontier = applied;
            self.leases.on_frontier(view, now)?;
        }
        Ok(())
    }

    /// The process of a node ended: the next one begins with what its disk kept.
    pub fn forget(&mut self, id: NodeId) {
        self.nodes.remove(&id);
    }

    fn compare_changes(&mut self, id: NodeId, view: &View, after: i64) -> Result<(), String> {
        if view.revision() <= after {
            return Ok(());
        }
        // Below the compaction point a node has gaps.
        let from = (after + 1).max(view.compacted() + 1).max(2);
        let mut expected = from;
        for change in view.changes(from, usize::MAX) {
            if change.revision != expected {
                return Err(format!("{id} has revision {} behind {}", change.revision, expected - 1));
            }
            expected += 1;
            match self.change(change.revision) {
                Some(known) if *known == change => {}
                Some(known) => return Err(format!("{id} has {change:?} where another has {known:?}")),
                None => self.append(id, change)?,
            }
        }
        if expected != view.revision() + 1 {
            return Err(format!("{id} stands at {}, and its history ends at {}", view.revision(), expected - 1));
        }
        Ok(())
    }

    fn append(&mut self, id: NodeId, change: Change) -> Result<(), String> {
        if change.revision != self.revision() + 1 {
            return Err(format!("{id} has revision {}, and no replica had {}", change.revision, self.revision() + 1));
        }
        for event in &change.events {
            self.replay(change.revision, event).map_err(|text| format!("{id} at {}: {text}", change.revision))?;
        }
        self.changes.push(change);
        Ok(())
    }

    fn replay(&mut self, revision: i64, event: &Event) -> Result<(), String> {
        let pair = &event.key_value;
        let versions = self.keys.entry(pair.key.clone()).or_default();
        let before = versions.last().and_then(|(_, pair)| pair.as_ref());
        if pair.mod_revision != revision {
            return Err(format!("{event:?} is of another revision"));
        }
        match event.kind {
            EventKind::Put => {
                let (created, version) = before.map_or((revision, 1), |old| (old.create_revision, old.version + 1));
                if (pair.create_revision, pair.version) != (created, version) {
                    return Err(format!("{event:?} should be version {version}, created at {created}"));
                }
                if let Some(first) = self.values.insert(pair.value.clone(), revision)
                    && !pair.value.is_empty()
                {
                    return Err(format!("{event:?} was written at {first} already: applied twice"));
                }
                versions.push((revision, Some(pair.clone())));
            }
            EventKind::Delete if before.is_none() => return Err(format!("{event:?} deletes what is not there")),
            EventKind::Delete => versions.push((revision, None)),
        }
        Ok(())
    }

    fn compare_state(&mut self, id: NodeId, replica: &Replica, view: &View) -> Result<(), String> {
        let state = fingerprint_of(&State { replica, view });
        let known = *self.states.entry(replica.applied().0).or_insert(state);
        if known == state {
            return Ok(());
        }
        Err(format!(
            "{id} differs from another node at {}: revision {}, compacted {}, leases {:?}, alarms {:?}, members {:?}",
            replica.applied().0,
            view.revision(),
            view.compacted(),
            view.leases().collect::<Vec<_>>(),
            view.alarms().collect::<Vec<_>>(),
            replica.members().list(),
        ))
    }

    /// Compares the hash of a node's pairs with that of any other at the same revision.
    ///
    /// # Errors
    /// When they differ.
    pub fn compare_hash(&mut self, id: NodeId, view: &View) -> Result<(), String> {
        let Ok(hash) = view.hash_kv(0) else { return Ok(()) };
        let known = *self.hashes.entry((view.revision(), view.compacted())).or_insert(hash);
        if known == hash { Ok(()) } else { Err(format!("HashKV of {id} is {hash:?}, and of another node {known:?}")) }
    }

    /// The newest revision that any node has.
    pub fn revision(&self) -> i64 {
        self.changes.len() as i64 + 1
    }

    /// The highest compaction that any node has applied.
    pub fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The highest index that any node has applied.
    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    /// Everything that one revision changed.
    pub fn change(&self, revision: i64) -> Option<&Change> {
        usize::try_from(revision - 2).ok().and_then(|place| self.changes.get(place))
    }

    /// Everything that the revisions `from..=through` changed.
    pub fn events(&self, from: i64, through: i64) -> impl Iterator<Item = &Event> {
        let low = usize::try_from(from.max(2) - 2).unwrap_or(0).min(self.changes.len());
        let high = usize::try_from(through.max(1) - 1).unwrap_or(0).min(self.changes.len()).max(low);
        self.changes[low..high].iter().flat_map(|change| &change.events)
    }

    /// The revision of a value, if it was written.
    pub fn written_at(&self, value: &Bytes) -> Option<i64> {
        self.values.get(value).copied()
    }

    /// A key as it was at a revision.
    pub fn get(&self, key: &[u8], revision: i64) -> Option<&KeyValue> {
        let versions = self.keys.get(key)?;
        let place = versions.partition_point(|(at, _)| *at <= revision);
        versions[..place].last().and_then(|(_, pair)| pair.as_ref())
    }

    /// All pairs of a range as they were at a revision.
    pub fn range<'a>(&'a self, range: &'a KeyRange<'a>, revision: i64) -> impl Iterator<Item = &'a KeyValue> {
        let keys = self.keys.keys().filter(|key| range.contains(key));
        keys.filter_map(move |key| self.get(key, revision))
    }
}

/// The state that must be equal on all nodes that applied the same entries, besides the history.
struct State<'a> {
    replica: &'a Replica,
    view: &'a View,
}

impl Hash for State<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.view.revision().hash(state);
        self.view.compacted().hash(state);
        self.view.applied().hash(state);
        for lease in self.view.leases() {
            (lease.id, lease.granted_ttl, lease.remaining_ttl).hash(state);
        }
        for alarm in self.view.alarms() {
            alarm.hash(state);
        }
        self.replica.members().hash(state);
    }
}

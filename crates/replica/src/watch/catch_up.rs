//! Catching up: watchers that are behind read the store's history, many in one pass.

use super::hub::Hub;
use super::index::{Index, WatcherRef};
use super::stream::{Outgoing, Stream, size_of_event, view_of};
use super::{StreamId, WatchResponse};
use crate::planted::{self, Bug};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;
use volvox_store::{Event, View as StoreView};

/// How many watchers one pass examines.
const WATCHERS_A_SCAN: usize = 4096;
/// How many watchers one pass serves.
const WATCHERS_A_PASS: usize = 512;
/// How many revisions one pass reads, and one response holds at most.
const REVISIONS_A_PASS: usize = 1000;
/// The most bytes for a watcher in one response, but always one whole revision.
const BYTES_A_RESPONSE: usize = 1 << 20;
/// One pass collects no more than this in all.
const BYTES_A_PASS: usize = 8 << 20;

/// The events for one watcher in a pass.
#[derive(Default)]
struct Harvest {
    events: Vec<Event>,
    bytes: usize,
    /// It has enough: its position is this revision, which it did not get.
    stopped_at: Option<i64>,
}

impl Hub {
    /// Serves watchers that are behind and whose streams have credit, from one place of the history. Returns whether
    /// another pass would do more.
    pub fn catch_up(&mut self, view: &StoreView, out: &mut Outgoing) -> bool {
        assert!(
            view.revision() == self.revision,
            "the hub stands at {}, the view at {}",
            self.revision,
            view.revision()
        );
        let scanned = self.scan();
        let (lost, servable): (Vec<WatcherRef>, Vec<WatcherRef>) =
            scanned.into_iter().partition(|watcher| self.is_lost(*watcher, view.compacted()));
        self.cancel_lost(lost, view.compacted(), out);
        let Some(from) = servable.iter().map(|watcher| self.position(*watcher)).min() else {
            return self.wants_catch_up();
        };
        // Those whose position lies within one pass of the one that is furthest behind.
        let reach = from + REVISIONS_A_PASS as i64;
        let near = servable.into_iter().filter(|watcher| self.position(*watcher) <= reach);
        let group: Vec<WatcherRef> = near.take(WATCHERS_A_PASS).collect();
        let mut index = Index::default();
        for (id, watch_id) in &group {
            let watcher = &self.streams[id].watchers[watch_id];
            index.insert(&watcher.key, &watcher.range_end, (*id, *watch_id));
        }
        let (mut harvests, through) = self.read(&index, view, from);
        for watcher in &group {
            self.settle(*watcher, harvests.remove(watcher), through, out);
        }
        self.answer_late_progress(&group, out);
        self.wants_catch_up()
    }

    /// Watchers that are behind and could be served, not more than one step can look at; the next pass continues where
    /// this one stopped.
    fn scan(&mut self) -> Vec<WatcherRef> {
        let (first, from) = self.cursor;
        let mut scanned = Vec::new();
        let others = self.serviceable.range((Bound::Excluded(first), Bound::Unbounded));
        let others = others.chain(self.serviceable.range(..first)).map(|id| (*id, i64::MIN, i64::MAX));
        let begun = self.serviceable.get(&first);
        let rest = begun.map(|id| (*id, from, i64::MAX));
        let start = begun.filter(|_| from > i64::MIN).map(|id| (*id, i64::MIN, from - 1));
        for (id, low, high) in rest.into_iter().chain(others).chain(start) {
            for watcher in self.behind.range((id, low)..=(id, high)) {
                if scanned.len() == WATCHERS_A_SCAN {
                    self.cursor = *watcher;
                    return scanned;
                }
                scanned.push(*watcher);
            }
        }
        scanned
    }

    fn position(&self, (id, watch_id): WatcherRef) -> i64 {
        self.streams[&id].watchers[&watch_id].next_revision
    }

    /// Reads history from `from`; returns the events for each watcher, and the last revision read.
    fn read(&self, index: &Index, view: &StoreView, from: i64) -> (BTreeMap<WatcherRef, Harvest>, i64) {
        let mut harvests: BTreeMap<WatcherRef, Harvest> = BTreeMap::new();
        let mut through = from - 1;
        let mut revisions = 0;
        let mut collected = 0;
        for change in view.changes(from, REVISIONS_A_PASS) {
            for event in &change.events {
                index.matching(&event.key_value.key, |(id, watch_id)| {
                    let watcher = &self.streams[&id].watchers[&watch_id];
                    let harvest = harvests.entry((id, watch_id)).or_default();
                    if harvest.stopped_at.is_some() {
                        return;
                    }
                    if watcher.wants(event) {
                        let mut event = view_of(event, false);
                        if watcher.prev_kv {
                            event.previous = view.previous_of(&event);
                        }
                        let begun =
                            harvest.events.last().is_some_and(|last| last.key_value.mod_revision == change.revision);
                        if harvest.bytes >= BYTES_A_RESPONSE && !begun {
                            harvest.stopped_at = Some(change.revision);
                            return;
                        }
                        harvest.bytes += size_of_event(&event);
                        collected += size_of_event(&event);
                        harvest.events.push(event);
                    }
                });
            }
            through = change.revision;
            revisions += 1;
            if collected >= BYTES_A_PASS {
                return (harvests, through);
            }
        }
        // A shorter read than was asked for is the end of the history.
        if revisions < REVISIONS_A_PASS {
            through = view.revision();
        }
        (harvests, through)
    }

    fn settle(&mut self, (id, watch_id): WatcherRef, harvest: Option<Harvest>, through: i64, out: &mut Outgoing) {
        let revision = self.revision;
        let limit = self.limits.response_bytes_max;
        let stream = self.streams.get_mut(&id).expect("the group is of present watchers");
        let Harvest { events, stopped_at, .. } = harvest.unwrap_or_default();
        if !events.is_empty() {
            // Another watcher of the stream may have used up the credit in this very pass: then this one keeps its
            // position and gets the same events in a later pass.
            if !stream.is_open() {
                return self.review(id);
            }
            stream.deliver(id, watch_id, revision, events.into(), limit, out);
        }
        let watcher = stream.watchers.get_mut(&watch_id).expect("the group is of present watchers");
        let next = stopped_at.unwrap_or(through + 1);
        watcher.next_revision = watcher.next_revision.max(next);
        if watcher.next_revision > revision {
            watcher.synced = true;
            self.behind.remove(&(id, watch_id));
            self.index.insert(&watcher.key, &watcher.range_end, (id, watch_id));
        }
        self.review(id);
    }

    /// Answers progress requests that arrived while watchers were still behind.
    fn answer_late_progress(&mut self, group: &[WatcherRef], out: &mut Outgoing) {
        let synced = |stream: &Stream| stream.watchers.values().all(|watcher| watcher.synced);
        let due = |id: &StreamId| {
            self.streams.get(id).is_some_and(|stream| stream.progress_wanted && stream.is_open() && synced(stream))
        };
        let mut ids: Vec<StreamId> = group.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        ids.retain(due);
        for id in ids {
            self.on_progress(id, out);
        }
    }

    fn is_lost(&self, watcher: WatcherRef, compacted: i64) -> bool {
        self.position(watcher) < compacted && !planted::is(Bug::WatchGapAtCompaction)
    }

    /// Cancels the watchers that still need history below the compaction point (book/src/etcd.md#5.2). A stream without
    /// credit learns of it later, so that nothing has to be queued.
    fn cancel_lost(&mut self, lost: Vec<WatcherRef>, compacted: i64, out: &mut Outgoing) {
        for (id, watch_id) in lost {
            if !self.streams[&id].is_open() {
                continue;
            }
            self.remove(id, watch_id);
            let gone =
                WatchResponse { watch_id, canceled: true, compact_revision: compacted, ..WatchResponse::default() };
            let stream = self.streams.get_mut(&id).expect("it had the watcher");
            stream.answer(id, gone, out);
            stream.remember_lost(watch_id);
            self.review(id);
        }
    }
}

//! The hub: takes the doors' watch commands and the store's changes, and decides what to send on each stream.

use super::index::{Index, WatcherRef};
use super::stream::{Outgoing, Stream, Watcher, view_of};
use super::{Refusal, StreamId, WatchCreate, WatchResponse};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Bytes;
use volvox_store::{Change, Event, View as StoreView};

/// An event among some changes: the change, and its place in it.
type Place = (usize, usize);

/// The limits of a hub.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HubLimits {
    /// A response larger than this is split for watchers that requested it (max-request-bytes + 512 KiB).
    pub response_bytes_max: usize,
    /// Streams on this node.
    pub streams_max: usize,
    /// Watchers of one stream.
    pub watchers_max: usize,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits { response_bytes_max: (1536 + 512) << 10, streams_max: 1 << 17, watchers_max: 1 << 17 }
    }
}

/// All watch streams of this node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hub {
    pub(super) limits: HubLimits,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    /// The synced watchers.
    pub(super) index: Index,
    /// The others.
    pub(super) behind: BTreeSet<WatcherRef>,
    /// The streams that have credit, and watchers that are behind.
    pub(super) serviceable: BTreeSet<StreamId>,
    /// The place at which the next pass starts to search for watchers that are behind.
    pub(super) cursor: WatcherRef,
    pub(super) watcher_count: usize,
    /// Every change up to here went through [`Hub::on_changes`].
    pub(super) revision: i64,
}

impl Hub {
    /// A hub over a store that stands at `revision`.
    pub fn new(limits: HubLimits, revision: i64) -> Hub {
        Hub {
            limits,
            streams: BTreeMap::new(),
            index: Index::default(),
            behind: BTreeSet::new(),
            serviceable: BTreeSet::new(),
            cursor: (StreamId(0), i64::MIN),
            watcher_count: 0,
            revision,
        }
    }

    /// The number of watchers: all, and those behind.
    pub fn counts(&self) -> (usize, usize) {
        (self.watcher_count, self.behind.len())
    }

    /// How many streams are open.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Whether a watcher that is behind could be served now.
    pub fn wants_catch_up(&self) -> bool {
        !self.serviceable.is_empty()
    }

    /// Tracks whether a stream has credit for watchers that are behind.
    pub(super) fn review(&mut self, id: StreamId) {
        let is_open = self.streams.get(&id).is_some_and(Stream::is_open);
        if is_open && self.behind.range((id, i64::MIN)..=(id, i64::MAX)).next().is_some() {
            self.serviceable.insert(id);
        } else {
            self.serviceable.remove(&id);
        }
    }

    /// A stream opens. False when there are too many.
    pub fn on_open(&mut self, id: StreamId) -> bool {
        if self.streams.len() >= self.limits.streams_max {
            return false;
        }
        self.streams.entry(id).or_default();
        true
    }

    /// A stream and all its watchers end.
    pub fn on_close(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            self.serviceable.remove(&id);
            self.watcher_count -= stream.watchers.len();
            for (watch_id, watcher) in stream.watchers {
                self.index.remove(&watcher.key, &watcher.range_end, (id, watch_id));
                self.behind.remove(&(id, watch_id));
            }
        }
    }

    /// More responses may be sent on a stream.
    pub fn on_credit(&mut self, id: StreamId, responses: u32, out: &mut Outgoing) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.credit += i64::from(responses);
            stream.flush(id, out);
            if stream.progress_wanted && stream.watchers.values().all(|watcher| watcher.synced) {
                self.on_progress(id, out);
            }
            self.review(id);
        }
    }

    /// Answers a create request that was refused before it came here.
    pub fn on_refuse(&mut self, id: StreamId, refusal: Refusal, revision: i64, out: &mut Outgoing) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.answer(id, WatchResponse::refused(revision, refusal), out);
            self.review(id);
        }
    }

    /// Creates a watcher (book/src/etcd.md#5.2), or says why not.
    pub fn on_create(&mut self, id: StreamId, mut create: WatchCreate, view: &StoreView, out: &mut Outgoing) {
        if create.key.is_empty() {
            create.key = Bytes::from(&[0u8]);
        }
        let limits = self.limits;
        let Some(stream) = self.streams.get_mut(&id) else {
            // The stream was not opened, because there were too many. The client must not wait forever.
            out.push((id, WatchResponse::refused(view.revision(), Refusal::TooMany)));
            return;
        };
        let bounded = !create.range_end.is_empty() && create.range_end.as_slice() != [0];
        let reason = if create.start_revision < 0 {
            Some(Refusal::Compacted)
        } else if bounded && create.key >= create.range_end {
            Some(Refusal::EmptyRange)
        } else if create.watch_id != 0 && stream.has_id(create.watch_id) {
            Some(Refusal::DuplicateId)
        } else if stream.watchers.len() >= limits.watchers_max || stream.is_choked() {
            Some(Refusal::TooMany)
        } else {
            None
        };
        if let Some(refusal) = reason {
            stream.answer(id, WatchResponse::refused(view.revision(), refusal), out);
            return self.review(id);
        }
        let watch_id = if create.watch_id == 0 { stream.automatic_id() } else { create.watch_id };
        let revision = self.revision;
        let created = WatchResponse { revision, watch_id, created: true, ..WatchResponse::default() };
        stream.answer(id, created, out);
        self.admit(id, watch_id, &create);
        self.review(id);
    }

    fn admit(&mut self, id: StreamId, watch_id: i64, create: &WatchCreate) {
        let next = if create.start_revision == 0 { self.revision + 1 } else { create.start_revision };
        let mut watcher = Watcher::new(create, next);
        if next > self.revision {
            watcher.synced = true;
            self.index.insert(&watcher.key, &watcher.range_end, (id, watch_id));
        } else {
            self.behind.insert((id, watch_id));
        }
        self.streams.get_mut(&id).expect("the stream of a create").watchers.insert(watch_id, watcher);
        self.watcher_count += 1;
    }

    /// Cancels a watcher, also one that compaction ended before; an unknown id is ignored (book/src/etcd.md#5.4).
    pub fn on_cancel(&mut self, id: StreamId, watch_id: i64, out: &mut Outgoing) {
        let was_lost = self.streams.get_mut(&id).is_some_and(|stream| stream.forget_lost(watch_id));
        if self.remove(id, watch_id) || was_lost {
            let revision = self.revision;
            let canceled = WatchResponse { revision, watch_id, canceled: true, ..WatchResponse::default() };
            self.streams.get_mut(&id).expect("it had the watcher").answer(id, canceled, out);
            self.review(id);
        }
    }

    pub(super) fn remove(&mut self, id: StreamId, watch_id: i64) -> bool {
        let Some(watcher) = self.streams.get_mut(&id).and_then(|stream| stream.watchers.remove(&watch_id)) else {
            return false;
        };
        self.index.remove(&watcher.key, &watcher.range_end, (id, watch_id));
        self.behind.remove(&(id, watch_id));
        self.watcher_count -= 1;
        true
    }

    /// Answers how far a stream has come, if every watcher of it is synced (book/src/etcd.md#5.5). Everything before that
    /// point was handed over before, in the same order. While a watcher is behind, the answer waits until it has caught up.
    pub fn on_progress(&mut self, id: StreamId, out: &mut Outgoing) {
        let revision = self.revision;
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.progress_wanted = !stream.is_open() || stream.watchers.values().any(|watcher| !watcher.synced);
        let known = |watcher: &Watcher| watcher.synced && watcher.start_revision <= revision;
        if !stream.watchers.is_empty() && stream.watchers.values().all(known) && stream.is_open() {
            stream.answer(id, WatchResponse { revision, watch_id: -1, ..WatchResponse::default() }, out);
        }
        self.review(id);
    }

    /// Sends progress to the watchers that requested it and received nothing since the last time.
    pub fn on_progress_tick(&mut self, out: &mut Outgoing) {
        let revision = self.revision;
        for (id, stream) in &mut self.streams {
            let mut due = Vec::new();
            for (watch_id, watcher) in &mut stream.watchers {
                let idle = !core::mem::take(&mut watcher.active);
                if idle && watcher.progress_notify && watcher.synced && watcher.start_revision <= revision {
                    due.push(*watch_id);
                }
            }
            for watch_id in due {
                if stream.is_open() {
                    stream.answer(*id, WatchResponse { revision, watch_id, ..WatchResponse::default() }, out);
                }
            }
            if !stream.is_open() {
                self.serviceable.remove(id);
            }
        }
    }

    /// The store changed, in this order; it now stands at `revision`. Watchers that get the same events share them.
    pub fn on_changes(&mut self, changes: &[Change], revision: i64, out: &mut Outgoing) {
        let mut wanted: BTreeMap<WatcherRef, Vec<Place>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            assert!(change.revision > self.revision, "revision {} twice", change.revision);
            self.revision = change.revision;
            for (number, event) in change.events.iter().enumerate() {
                self.index.matching(&event.key_value.key, |(id, watch_id)| {
                    if self.streams[&id].watchers[&watch_id].wants(event) {
                        wanted.entry((id, watch_id)).or_default().push((at, number));
                    }
                });
            }
        }
        self.revision = revision;
        let mut batches: BTreeMap<(Vec<Place>, bool), Arc<[Event]>> = BTreeMap::new();
        for ((id, watch_id), places) in wanted {
            let batch = batches.entry((places, self.streams[&id].watchers[&watch_id].prev_kv));
            let events = batch.or_insert_with_key(|(places, prev_kv)| {
                places.iter().map(|(at, number)| view_of(&changes[*at].events[*number], *prev_kv)).collect()
            });
            let events = Arc::clone(events);
            self.deliver_live(id, watch_id, events, out);
        }
    }

    fn deliver_live(&mut self, id: StreamId, watch_id: i64, events: Arc<[Event]>, out: &mut Outgoing) {
        let stream = self.streams.get_mut(&id).expect("an indexed watcher has a stream");
        let first = events.first().expect("at least one event").key_value.mod_revision;
        let last = events.last().expect("at least one event").key_value.mod_revision;
        if stream.is_open() {
            stream.deliver(id, watch_id, last, events, self.limits.response_bytes_max, out);
            stream.watchers.get_mut(&watch_id).expect("just delivered to").next_revision = last + 1;
            if !stream.is_open() {
                self.serviceable.remove(&id);
            }
        } else {
            let watcher = stream.watchers.get_mut(&watch_id).expect("an indexed watcher");
            watcher.synced = false;
            watcher.next_revision = first;
            self.index.remove(&watcher.key, &watcher.range_end, (id, watch_id));
            self.behind.insert((id, watch_id));
        }
    }

    /// The store was replaced by a snapshot that stands at `revision`: synced watchers are now behind, at their
    /// positions.
    pub fn on_replaced(&mut self, revision: i64) {
        for (id, stream) in &mut self.streams {
            let is_open = stream.is_open();
            for (watch_id, watcher) in stream.watchers.iter_mut().filter(|(_, watcher)| watcher.synced) {
                watcher.synced = false;
                // A synced watcher received everything up to the old revision, whatever its last event was.
                watcher.next_revision = watcher.next_revision.max(self.revision + 1);
                self.index.remove(&watcher.key, &watcher.range_end, (*id, *watch_id));
                self.behind.insert((*id, *watch_id));
                if is_open {
                    self.serviceable.insert(*id);
                }
            }
        }
        self.revision = revision;
    }
}

impl Stream {
    /// The smallest counter value that no watcher has; the counter starts at 0 and only rises.
    fn automatic_id(&mut self) -> i64 {
        while self.has_id(self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }
}

//! The watch hub against an oracle that keeps everything: all six guarantees of book/src/etcd.md#5.6, over thousands of
//! random histories of changes, credits, compactions, creations, cancellations and replaced stores.

use std::collections::BTreeMap;
use volvox_core::{Bytes, Rng};
use volvox_replica::watch::{Hub, HubLimits, Refusal};
use volvox_replica::{StreamId, WatchCreate, WatchResponse};
use volvox_store::{
    Command, CompactionRequest, DeleteRangeRequest, Event, EventKind, KeyRange, KeyValue, PutRequest, RequestOp, Store,
    StoreConfig, TxnRequest,
};

/// The oracle's knowledge about a watcher.
struct Watched {
    create: WatchCreate,
    /// Everything below was delivered or does not concern it.
    next: i64,
    created: bool,
    canceled: bool,
    /// Compaction ended it, and its client has not canceled it yet.
    lost: bool,
    /// Pieces of a fragmented response so far.
    pieces: Vec<Event>,
}

struct World {
    rng: Rng,
    store: Store,
    hub: Hub,
    /// Every change that ever was, with what each event replaced.
    history: BTreeMap<i64, Vec<Event>>,
    pairs: BTreeMap<Bytes, KeyValue>,
    watched: BTreeMap<(StreamId, i64), Watched>,
    /// Creations whose answer is still to come, in their order.
    creating: BTreeMap<StreamId, Vec<WatchCreate>>,
    credit: BTreeMap<StreamId, i64>,
    seed: u64,
}

fn key(rng: &mut Rng) -> Bytes {
    Bytes::from(&[b'a' + rng.below(4) as u8])
}

impl World {
    fn new(seed: u64) -> World {
        let store = Store::new(StoreConfig::default());
        let limits = HubLimits { response_bytes_max: 150, streams_max: 4, watchers_max: 6 };
        let hub = Hub::new(limits, store.revision());
        World {
            rng: Rng::new(seed),
            store,
            hub,
            history: BTreeMap::new(),
            pairs: BTreeMap::new(),
            watched: BTreeMap::new(),
            creating: BTreeMap::new(),
            credit: BTreeMap::new(),
            seed,
        }
    }

    fn apply(&mut self, command: &Command) {
        // Refused commands change nothing.
        let _ = self.store.apply(command);
    }

    fn some_command(&mut self) -> Command {
        let rng = &mut self.rng;
        let put = |rng: &mut Rng| PutRequest {
            key: key(rng),
            value: Bytes::from(vec![b'v'; rng.below(60) as usize]),
            ..PutRequest::default()
        };
        match rng.below(8) {
            0 => Command::DeleteRange(DeleteRangeRequest { key: key(rng), ..DeleteRangeRequest::default() }),
            1 => Command::DeleteRange(DeleteRangeRequest {
                key: key(rng),
                range_end: Bytes::from("\0"),
                ..DeleteRangeRequest::default()
            }),
            2 => {
                let puts = ["a", "b", "c", "d"].into_iter().filter(|_| rng.below(2) == 0).collect::<Vec<_>>();
                let success =
                    puts.into_iter().map(|key| RequestOp::Put(PutRequest { key: key.into(), ..put(rng) })).collect();
                Command::Txn(TxnRequest { success, ..TxnRequest::default() })
            }
            _ => Command::Put(put(rng)),
        }
    }

    /// Some commands at once, as a step applies them.
    fn change(&mut self, announce: bool) {
        for _ in 0..1 + self.rng.below(3) {
            let command = self.some_command();
            self.apply(&command);
        }
        let changes = self.store.take_events();
        for change in &changes {
            for event in &change.events {
                let before = match event.kind {
                    EventKind::Put => self.pairs.insert(event.key_value.key.clone(), event.key_value.clone()),
                    EventKind::Delete => self.pairs.remove(&event.key_value.key),
                };
                let previous = before.filter(|_| !event.is_creation());
                let event = Event { previous, ..event.clone() };
                self.history.entry(change.revision).or_default().push(event);
            }
        }
        if announce {
            let mut out = Vec::new();
            self.hub.on_changes(&changes, self.store.revision(), &mut out);
            self.check(out);
        } else {
            // The store is replaced by one that has come further.
            self.hub.on_replaced(self.store.revision());
        }
    }

    fn create(&mut self, stream: StreamId) {
        let rng = &mut self.rng;
        let (from, revision) = (key(rng), self.store.revision());
        let range_end = match rng.below(4) {
            0 => Bytes::new(),
            1 => Bytes::from("\0"),
            2 => key(rng),
            _ => Bytes::from(&[from[0] + 1 + rng.below(2) as u8]),
        };
        let start_revision = match rng.below(4) {
            0 => 0,
            1 => revision + 1 + rng.below(5) as i64,
            2 => -1,
            _ => 1 + rng.below(revision as u64) as i64,
        };
        let create = WatchCreate {
            key: from,
            range_end,
            start_revision,
            progress_notify: rng.below(2) == 0,
            no_put: rng.below(6) == 0,
            no_delete: rng.below(6) == 0,
            prev_kv: rng.below(2) == 0,
            watch_id: if rng.below(4) == 0 { rng.below(5) as i64 } else { 0 },
            fragment: rng.below(2) == 0,
        };
        self.creating.entry(stream).or_default().push(create.clone());
        let mut out = Vec::new();
        self.hub.on_create(stream, create, &self.store.view(), &mut out);
        self.check(out);
    }

    fn act(&mut self) {
        let stream = StreamId(self.rng.below(3));
        let mut out = Vec::new();
        match self.rng.below(14) {
            0..=4 => self.change(true),
            5 => self.change(false),
            6 | 7 => self.create(stream),
            8 => {
                let responses = 1 + self.rng.below(4) as u32;
                *self.credit.entry(stream).or_default() += i64::from(responses);
                self.hub.on_credit(stream, responses, &mut out);
            }
            9 => {
                let watch_id = self.rng.below(6) as i64;
                self.hub.on_cancel(stream, watch_id, &mut out);
            }
            10 => self.hub.on_progress(stream, &mut out),
            11 => self.hub.on_progress_tick(&mut out),
            12 => {
                let revision = self.store.revision() - self.rng.below(4) as i64;
                self.apply(&Command::Compact(CompactionRequest { revision, physical: false }));
                while self.store.compact_step(3) {}
            }
            _ => {
                self.hub.catch_up(&self.store.view(), &mut out);
            }
        }
        self.check(out);
    }

    fn fail(&self, text: &str) -> ! {
        panic!("seed {}: {text}", self.seed)
    }

    fn check(&mut self, out: Vec<(StreamId, WatchResponse)>) {
        for (stream, response) in out {
            *self.credit.entry(stream).or_default() -= 1;
            if response.created {
                self.on_created(stream, &response);
            } else if response.canceled {
                self.on_canceled(stream, &response);
            } else if response.events.is_empty() {
                self.on_progress(stream, &response);
            } else {
                self.on_events(stream, response);
            }
        }
    }

    /// Answers come in the order of the requests.
    fn on_created(&mut self, stream: StreamId, response: &WatchResponse) {
        let create = self.creating.get_mut(&stream).expect("a creation waits").remove(0);
        if response.canceled {
            assert!(response.watch_id == -1 && response.refusal.is_some(), "seed {}", self.seed);
            return;
        }
        if create.start_revision < 0 {
            self.fail("a negative start was accepted");
        }
        if create.watch_id != 0 && response.watch_id != create.watch_id {
            self.fail("the client's choice of an id was not kept");
        }
        let next = if create.start_revision == 0 { response.revision + 1 } else { create.start_revision };
        let watched = Watched { create, next, created: true, canceled: false, lost: false, pieces: Vec::new() };
        if let Some(before) = self.watched.insert((stream, response.watch_id), watched)
            && (!before.canceled || before.lost)
        {
            self.fail("an id was given twice");
        }
    }

    fn on_canceled(&mut self, stream: StreamId, response: &WatchResponse) {
        let compacted = self.store.compacted();
        let seed = self.seed;
        let watched = self.watched.get_mut(&(stream, response.watch_id)).expect("a watcher that was created");
        assert!(watched.created && watched.pieces.is_empty(), "seed {seed}");
        assert!(!watched.canceled || (watched.lost && response.compact_revision == 0), "seed {seed}");
        watched.canceled = true;
        watched.lost = response.compact_revision != 0;
        if response.compact_revision != 0 {
            assert_eq!((response.compact_revision, response.revision), (compacted, 0), "seed {seed}");
            assert!(watched.next < compacted, "seed {seed}: canceled, but nothing that it needs is gone");
        }
    }

    /// Bookmarkable: everything up to the revision was delivered before.
    fn on_progress(&mut self, stream: StreamId, response: &WatchResponse) {
        let concerned: Vec<(StreamId, i64)> = match response.watch_id {
            -1 => self.watched.keys().filter(|(of, _)| *of == stream).copied().collect(),
            watch_id => vec![(stream, watch_id)],
        };
        for watcher in concerned {
            let watched = &self.watched[&watcher];
            if watched.canceled {
                continue;
            }
            if let Some(missed) = self.wanted(watched, response.revision).next() {
                self.fail(&format!("{watcher:?}: progress {} overtakes {missed:?}", response.revision));
            }
            if watched.create.start_revision > response.revision {
                self.fail("progress below the first revision");
            }
        }
    }

    /// Ordered, unique, reliable, atomic: exactly the next events, all of each revision.
    fn on_events(&mut self, stream: StreamId, response: WatchResponse) {
        let (seed, watcher) = (self.seed, (stream, response.watch_id));
        let watched = self.watched.get_mut(&watcher).unwrap_or_else(|| panic!("seed {seed}: events before created"));
        assert!(!watched.canceled, "seed {seed}: events after the end");
        assert!(!response.fragment || watched.create.fragment, "seed {seed}: fragments without a request for them");
        watched.pieces.extend(response.events.iter().cloned());
        if response.fragment {
            return;
        }
        let events = std::mem::take(&mut watched.pieces);
        let last = events.last().expect("not empty").key_value.mod_revision;
        assert!(response.revision >= last, "seed {seed}: a header older than its events");
        let watched = &self.watched[&watcher];
        let expected: Vec<Event> = self.wanted(watched, last).collect();
        if plain(&events) != plain(&expected) {
            self.fail(&format!("{watcher:?} from {}: got {events:#?}\nexpected {expected:#?}", watched.next));
        }
        for (got, wanted) in events.iter().zip(&expected) {
            let is_gone = got.key_value.mod_revision - 1 < self.store.compacted();
            let right = match (&got.previous, watched.create.prev_kv) {
                (None, true) => wanted.previous.is_none() || is_gone,
                (previous, true) => *previous == wanted.previous,
                (previous, false) => previous.is_none(),
            };
            if !right {
                self.fail(&format!("previous pair: got {got:?}, expected {wanted:?}"));
            }
        }
        self.watched.get_mut(&watcher).expect("present").next = last + 1;
    }

    /// The events that a watcher must still get up to a revision.
    fn wanted<'a>(&'a self, watched: &'a Watched, through: i64) -> impl Iterator<Item = Event> + 'a {
        let create = &watched.create;
        let range = self.history.range(watched.next..(through + 1).max(watched.next));
        let wanted = range.flat_map(|(_, events)| events).filter(move |event| {
            let filtered = match event.kind {
                EventKind::Put => create.no_put,
                EventKind::Delete => create.no_delete,
            };
            !filtered && KeyRange::new(&create.key, &create.range_end).contains(&event.key_value.key)
        });
        wanted.cloned()
    }

    /// A client that reads gets everything, or learns that it is gone.
    fn drain(&mut self) {
        for stream in (0..3).map(StreamId) {
            let mut out = Vec::new();
            self.hub.on_credit(stream, 10_000, &mut out);
            self.check(out);
        }
        for _ in 0..10_000 {
            let mut out = Vec::new();
            let more = self.hub.catch_up(&self.store.view(), &mut out);
            self.check(out);
            if !more {
                break;
            }
        }
        for (watcher, watched) in &self.watched {
            if !watched.canceled
                && let Some(missed) = self.wanted(watched, self.store.revision()).next()
            {
                self.fail(&format!("{watcher:?} never got {missed:?}"));
            }
        }
        let (all, behind) = self.hub.counts();
        assert_eq!(behind, 0, "seed {}", self.seed);
        assert_eq!(all, self.watched.values().filter(|watched| !watched.canceled).count(), "seed {}", self.seed);
        assert!(self.creating.values().all(Vec::is_empty), "seed {}: a creation without an answer", self.seed);
    }
}

/// Without what they replaced.
fn plain(events: &[Event]) -> Vec<Event> {
    events.iter().map(|event| Event { previous: None, ..event.clone() }).collect()
}

#[test]
fn the_six_guarantees_hold_over_random_histories() {
    for seed in 0..3000 {
        let mut world = World::new(seed);
        for stream in (0..3).map(StreamId) {
            assert!(world.hub.on_open(stream));
        }
        for _ in 0..120 {
            world.act();
        }
        world.drain();
    }
}

#[test]
fn a_stream_that_was_not_opened_refuses() {
    let mut world = World::new(0);
    (0..4).for_each(|stream| assert!(world.hub.on_open(StreamId(stream))));
    assert!(!world.hub.on_open(StreamId(4)), "there are too many");
    let mut out = Vec::new();
    world.hub.on_create(StreamId(4), WatchCreate::default(), &world.store.view(), &mut out);
    assert_eq!(out, [(StreamId(4), WatchResponse::refused(1, Refusal::TooMany))]);
}

/// A client that cancels a watcher which it has lost waits for the answer before it forgets the id: clientv3 does.
#[test]
fn a_watcher_lost_to_compaction_keeps_its_id_until_its_client_cancels_it() {
    let mut store = Store::new(StoreConfig::default());
    for _ in 0..9 {
        store.apply(&Command::Put(PutRequest { key: "k".into(), ..PutRequest::default() })).expect("a put");
    }
    store.apply(&Command::Compact(CompactionRequest { revision: 9, physical: false })).expect("a compaction");
    let mut hub = Hub::new(HubLimits::default(), store.revision());
    let (stream, view) = (StreamId(1), store.view());
    let mut out = Vec::new();
    hub.on_open(stream);
    hub.on_credit(stream, 100, &mut out);
    let create =
        |watch_id, start_revision| WatchCreate { key: "k".into(), watch_id, start_revision, ..WatchCreate::default() };
    hub.on_create(stream, create(5, 2), &view, &mut out);
    while hub.catch_up(&view, &mut out) {}
    assert_eq!(out.last().map(|(_, response)| (response.canceled, response.compact_revision)), Some((true, 9)));
    assert_eq!(hub.counts(), (0, 0));
    out.clear();
    hub.on_create(stream, create(5, 0), &view, &mut out);
    assert_eq!(out, [(stream, WatchResponse::refused(10, Refusal::DuplicateId))]);
    out.clear();
    hub.on_cancel(stream, 5, &mut out);
    hub.on_cancel(stream, 5, &mut out);
    let canceled = WatchResponse { revision: 10, watch_id: 5, canceled: true, ..WatchResponse::default() };
    assert_eq!(out, [(stream, canceled)], "it is answered once");
    out.clear();
    hub.on_create(stream, create(5, 0), &view, &mut out);
    assert!(matches!(out[..], [(_, WatchResponse { watch_id: 5, created: true, canceled: false, .. })]), "{out:?}");
}

/// A client that never cancels what it lost must not cost memory without end.
#[test]
fn lost_watchers_are_remembered_within_a_bound() {
    let mut store = Store::new(StoreConfig::default());
    for _ in 0..9 {
        store.apply(&Command::Put(PutRequest { key: "k".into(), ..PutRequest::default() })).expect("a put");
    }
    store.apply(&Command::Compact(CompactionRequest { revision: 9, physical: false })).expect("a compaction");
    let mut hub = Hub::new(HubLimits::default(), store.revision());
    let (stream, view) = (StreamId(1), store.view());
    let mut out = Vec::new();
    hub.on_open(stream);
    hub.on_credit(stream, 1_000_000, &mut out);
    for _ in 0..20_000 {
        let create = WatchCreate { key: "k".into(), start_revision: 1, ..WatchCreate::default() };
        hub.on_create(stream, create, &view, &mut out);
        while hub.catch_up(&view, &mut out) {}
    }
    let ids: Vec<i64> = out.iter().filter(|(_, at)| at.created).map(|(_, at)| at.watch_id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "no id is given twice by itself");
    out.clear();
    (0..20_000).for_each(|watch_id| hub.on_cancel(stream, watch_id, &mut out));
    assert!(out.len() <= 4096, "{} are remembered", out.len());
    assert_eq!(out.last().map(|(_, response)| response.watch_id), Some(19_999), "the newest are");
}

/// A door encodes a list once for all that hold it.
#[test]
fn watchers_of_the_same_events_share_them() {
    let mut store = Store::new(StoreConfig::default());
    let mut hub = Hub::new(HubLimits::default(), store.revision());
    let mut out = Vec::new();
    for stream in (0..100).map(StreamId) {
        hub.on_open(stream);
        hub.on_credit(stream, 10, &mut out);
        for (key, range_end, prev_kv) in [("k", "", false), ("a", "z", false), ("k", "", true), ("x", "", false)] {
            let create =
                WatchCreate { key: key.into(), range_end: range_end.into(), prev_kv, ..WatchCreate::default() };
            hub.on_create(stream, create, &store.view(), &mut out);
        }
    }
    out.clear();
    for value in ["1", "2"] {
        let put = PutRequest { key: "k".into(), value: value.into(), ..PutRequest::default() };
        store.apply(&Command::Put(put)).expect("a put");
    }
    hub.on_changes(&store.take_events(), store.revision(), &mut out);
    assert_eq!(out.len(), 300, "three watchers of each stream");
    let mut lists: Vec<_> = out.iter().map(|(_, response)| response.events.as_ptr()).collect();
    lists.sort_unstable();
    lists.dedup();
    assert_eq!(lists.len(), 2, "one with what was before, one without");
}

/// A client with thousands of watchers that does not read learns of the end of each once it reads.
#[test]
fn no_end_of_a_watcher_is_lost_for_want_of_credit() {
    let mut store = Store::new(StoreConfig::default());
    let mut hub = Hub::new(HubLimits::default(), store.revision());
    let (stream, mut out) = (StreamId(1), Vec::new());
    hub.on_open(stream);
    hub.on_credit(stream, 6000, &mut out);
    (0..6000).for_each(|_| {
        let create = WatchCreate { key: "k".into(), ..WatchCreate::default() };
        hub.on_create(stream, create, &store.view(), &mut out);
    });
    assert_eq!(out.len(), 6000);
    for _ in 0..9 {
        let put = PutRequest { key: "k".into(), ..PutRequest::default() };
        store.apply(&Command::Put(put)).expect("a put");
        let revision = store.revision();
        hub.on_changes(&store.take_events(), revision, &mut out);
    }
    store.apply(&Command::Compact(CompactionRequest { revision: 9, physical: false })).expect("a compaction");
    hub.catch_up(&store.view(), &mut out);
    assert_eq!((out.len(), hub.counts()), (6000, (6000, 6000)), "without credit nothing is sent, and nothing queued");
    hub.on_credit(stream, 6000, &mut out);
    while hub.catch_up(&store.view(), &mut out) {}
    let ends = out.iter().filter(|(_, response)| response.canceled && response.compact_revision == 9).count();
    assert_eq!((ends, hub.counts()), (6000, (0, 0)));
}

//! One watch stream: its credit, its watchers, and the few answers that wait for credit.

use super::{StreamId, WatchCreate, WatchResponse};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Bytes;
use volvox_store::{Event, EventKind};

/// The responses that the hub has decided to send, in order.
pub type Outgoing = Vec<(StreamId, WatchResponse)>;

/// How many answers to requests may wait for credit. A door stops reading requests long before.
const ANSWERS_WAITING_MAX: usize = 4096;

/// How many lost watchers of a stream are remembered.
const LOST_MAX: usize = 4096;

/// One watcher.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Watcher {
    pub key: Bytes,
    pub range_end: Bytes,
    /// Nothing below this is delivered, no progress below it is claimed.
    pub start_revision: i64,
    /// Everything below was delivered or does not concern it; nothing at or above was delivered.
    pub next_revision: i64,
    /// In the index of live events.
    pub synced: bool,
    pub progress_notify: bool,
    pub no_put: bool,
    pub no_delete: bool,
    pub prev_kv: bool,
    pub fragment: bool,
    /// Had a response since the last progress tick.
    pub active: bool,
}

impl Watcher {
    pub fn new(create: &WatchCreate, next_revision: i64) -> Watcher {
        Watcher {
            key: create.key.clone(),
            range_end: create.range_end.clone(),
            start_revision: create.start_revision.max(0),
            next_revision,
            synced: false,
            progress_notify: create.progress_notify,
            no_put: create.no_put,
            no_delete: create.no_delete,
            prev_kv: create.prev_kv,
            fragment: create.fragment,
            active: false,
        }
    }

    /// Whether this watcher gets an event of its range: not when it is filtered out, or lies below its position.
    pub fn wants(&self, event: &Event) -> bool {
        let filtered = match event.kind {
            EventKind::Put => self.no_put,
            EventKind::Delete => self.no_delete,
        };
        !filtered && event.key_value.mod_revision >= self.next_revision
    }
}

/// An event as watchers with or without `prev_kv` get it.
pub fn view_of(event: &Event, prev_kv: bool) -> Event {
    Event {
        kind: event.kind,
        key_value: event.key_value.clone(),
        previous: if prev_kv { event.previous.clone() } else { None },
    }
}

/// One stream.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stream {
    /// How many responses may still be sent; below zero after a fragmented one.
    pub credit: i64,
    pub watchers: BTreeMap<i64, Watcher>,
    pub next_id: i64,
    /// The client asked how far the stream has come while a watcher was behind.
    pub progress_wanted: bool,
    /// The newest ids of watchers that compaction ended and the client has not canceled since: still in use.
    lost: BTreeSet<i64>,
    answers: VecDeque<WatchResponse>,
}

impl Stream {
    /// Events may be sent: there is credit, and no answer waits that must come first.
    pub fn is_open(&self) -> bool {
        self.credit > 0 && self.answers.is_empty()
    }

    /// Sends an answer to a request, or keeps it until there is credit. Returns false when too many wait.
    pub fn answer(&mut self, id: StreamId, response: WatchResponse, out: &mut Outgoing) -> bool {
        if self.is_open() {
            self.credit -= 1;
            out.push((id, response));
        } else if self.answers.len() < ANSWERS_WAITING_MAX {
            self.answers.push_back(response);
        } else {
            return false;
        }
        true
    }

    /// Remembers a watcher that compaction ended: etcd's clients cancel it, and wait for the answer before they forget it.
    pub fn remember_lost(&mut self, watch_id: i64) {
        self.lost.insert(watch_id);
        if self.lost.len() > LOST_MAX {
            self.lost.pop_first();
        }
    }

    /// Forgets a lost watcher; whether it was remembered.
    pub fn forget_lost(&mut self, watch_id: i64) -> bool {
        self.lost.remove(&watch_id)
    }

    /// Whether an id is in use on this stream.
    pub fn has_id(&self, watch_id: i64) -> bool {
        self.watchers.contains_key(&watch_id) || self.lost.contains(&watch_id)
    }

    /// Whether the answer backlog is too long to accept a request.
    pub fn is_choked(&self) -> bool {
        self.answers.len() >= ANSWERS_WAITING_MAX / 2
    }

    /// Sends the answers that waited, as far as the credit goes.
    pub fn flush(&mut self, id: StreamId, out: &mut Outgoing) {
        while self.credit > 0 {
            let Some(response) = self.answers.pop_front() else {
                return;
            };
            self.credit -= 1;
            out.push((id, response));
        }
    }

    /// Sends events to a watcher, in pieces below `bytes_max` if it asked for that and they are that large. All pieces
    /// are sent, whatever the credit: nothing may come between them.
    pub fn deliver(
        &mut self,
        id: StreamId,
        watch_id: i64,
        revision: i64,
        events: Arc<[Event]>,
        bytes_max: usize,
        out: &mut Outgoing,
    ) {
        let watcher = self.watchers.get_mut(&watch_id).expect("events are delivered to a watcher of the stream");
        watcher.active = true;
        let split = watcher.fragment && events.iter().map(size_of_event).sum::<usize>() >= bytes_max;
        let mut pieces = if split { pieces_below(&events, bytes_max) } else { alloc::vec![events] };
        let last = pieces.pop();
        for (events, fragment) in pieces.into_iter().map(|piece| (piece, true)).chain(last.map(|piece| (piece, false)))
        {
            self.credit -= 1;
            out.push((id, WatchResponse { revision, watch_id, fragment, events, ..WatchResponse::default() }));
        }
    }
}

/// The approximate encoded size of an event.
pub fn size_of_event(event: &Event) -> usize {
    let pair = |kv: &volvox_store::KeyValue| kv.key.len() + kv.value.len() + 40;
    pair(&event.key_value) + event.previous.as_ref().map_or(0, pair) + 8
}

fn pieces_below(events: &[Event], bytes_max: usize) -> Vec<Arc<[Event]>> {
    let mut pieces = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (place, event) in events.iter().enumerate() {
        let size = size_of_event(event);
        if place > first && bytes + size >= bytes_max {
            pieces.push(Arc::from(&events[first..place]));
            (first, bytes) = (place, 0);
        }
        bytes += size;
    }
    pieces.push(Arc::from(&events[first..]));
    pieces
}

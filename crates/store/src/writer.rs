//! One revision under construction: all changes of one command (or of one expired lease) share its number.

use crate::key_range::KeyRange;
use crate::lease::attachment_key;
use crate::log::{Record, RecordRef, Revision};
use crate::request::{DeleteRangeRequest, PutRequest};
use crate::response::{Change, DeleteRangeResponse, Event, EventKind, KeyValue, PutResponse};
use crate::view::{Slot, View};
use alloc::vec::Vec;
use volvox_core::Bytes;

/// A value of at least this size is copied once on its way into the log, a smaller one twice.
const LARGE_VALUE_BYTES: usize = 1 << 10;

/// The most bytes of a record beside its key and value: a byte of flags and twelve numbers.
const RECORD_HEAD_BYTES_MAX: usize = 1 + 12 * 10;

/// Changes the state. Requests were checked before and do not fail here.
pub(crate) struct Writer<'a> {
    pub state: &'a mut View,
    scratch: &'a mut Vec<u8>,
    main: i64,
    events: Vec<Event>,
}

impl<'a> Writer<'a> {
    pub fn new(state: &'a mut View, scratch: &'a mut Vec<u8>) -> Writer<'a> {
        let main = state.revision + 1;
        Writer { state, scratch, main, events: Vec::new() }
    }

    /// Continues a revision that was put aside.
    pub fn resume(state: &'a mut View, scratch: &'a mut Vec<u8>, events: Vec<Event>) -> Writer<'a> {
        Writer { events, ..Writer::new(state, scratch) }
    }

    /// Puts the revision aside.
    pub fn suspend(self) -> Vec<Event> {
        self.events
    }

    /// The revision of the store as an operation inside sees it.
    pub fn revision(&self) -> i64 {
        if self.events.is_empty() { self.main - 1 } else { self.main }
    }

    /// Makes the changes the newest revision, if there are any.
    pub fn finish(self, changes: &mut Vec<Change>) -> i64 {
        let revision = self.revision();
        self.state.revision = revision;
        if !self.events.is_empty() {
            changes.push(Change { revision, events: self.events });
        }
        revision
    }

    /// Writes a pair.
    pub fn put(&mut self, request: &PutRequest) -> PutResponse {
        let revision = self.next();
        // One descent finds the slot before and sets the new one.
        let slot = self.state.index.insert(&request.key, Slot { revision, alive: true });
        let (link, before) = self.before(slot);
        // A key that the same transaction deleted has no value or lease to keep.
        let kept = before.as_ref();
        let lease = if request.ignore_lease { kept.map_or(0, |pair| pair.lease) } else { request.lease };
        let value = if request.ignore_value { kept.map(|pair| pair.value.clone()) } else { None };
        let record = Record::put(revision, link.as_ref(), lease);
        let stored = self.push(record, &request.key, value.as_ref().unwrap_or(&request.value));
        self.attach(&request.key, kept.map_or(0, |pair| pair.lease), lease);
        let prev_kv = if request.prev_kv { before.clone() } else { None };
        self.note(EventKind::Put, stored, slot, before);
        PutResponse { revision: self.main, prev_kv }
    }

    /// Deletes what a request selects.
    pub fn delete_range(&mut self, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let range = KeyRange::new(&request.key, &request.range_end);
        let keys: Vec<Bytes> = self.state.index.forward(range, true).map(|(key, _)| Bytes::from(key)).collect();
        let deleted = keys.len() as i64;
        let mut prev_kvs = Vec::new();
        for key in keys {
            let before = self.delete(&key);
            if request.prev_kv {
                prev_kvs.extend(before);
            }
        }
        DeleteRangeResponse { revision: self.revision(), deleted, prev_kvs }
    }

    /// Deletes a key; the pair as it was, if it was.
    pub fn delete(&mut self, key: &[u8]) -> Option<KeyValue> {
        let slot = self.state.index.get(key).copied().filter(|slot| slot.alive)?;
        let (link, before) = self.before(Some(slot));
        let revision = self.next();
        let record = Record::tombstone(revision, &link.expect("a living key has a version"));
        let stored = self.push(record, key, &[]);
        self.state.index.insert(key, Slot { revision, alive: false });
        self.attach(key, before.as_ref().map_or(0, |pair| pair.lease), 0);
        self.note(EventKind::Delete, stored, Some(slot), before.clone());
        before
    }

    fn next(&self) -> Revision {
        Revision { main: self.main, sub: self.events.len() as u32 }
    }

    /// The change before, to link to, and the pair if the key is alive.
    ///
    /// A tombstone below the compaction point is gone, whether or not this member has already removed it: records must
    /// be the same on all members.
    fn before(&self, slot: Option<Slot>) -> (Option<Record>, Option<KeyValue>) {
        let reachable = slot.filter(|slot| slot.alive || slot.revision.main >= self.state.compacted);
        let Some(found) = reachable.and_then(|slot| self.state.log.find(slot.revision)) else {
            return (None, None);
        };
        let pair = (!found.record.tombstone).then(|| found.key_value());
        (Some(found.record), pair)
    }

    fn push(&mut self, mut record: Record, key: &[u8], value: &[u8]) -> KeyValue {
        let encoded = if value.len() >= LARGE_VALUE_BYTES {
            // Into the buffer that stays.
            let mut buffer = Vec::with_capacity(key.len() + value.len() + RECORD_HEAD_BYTES_MAX);
            record.encode(key, value, &mut buffer);
            Bytes::from(buffer)
        } else {
            self.scratch.clear();
            record.encode(key, value, self.scratch);
            Bytes::from(self.scratch.as_slice())
        };
        let stored = RecordRef { bytes: &encoded, record };
        let key_value = stored.key_value();
        let record = stored.record;
        self.state.log.push(&record, encoded);
        key_value
    }

    fn attach(&mut self, key: &[u8], from: i64, to: i64) {
        if from == to {
            return;
        }
        if from != 0 {
            self.state.attachments.remove(&attachment_key(from, key));
        }
        if to != 0 {
            self.state.attachments.insert(&attachment_key(to, key), ());
        }
    }

    /// Remembers the event. The pair that it replaced is the key's state one revision before: not what an earlier
    /// change of the same revision made of it. See [`View::previous_of`].
    fn note(&mut self, kind: EventKind, key_value: KeyValue, slot: Option<Slot>, before: Option<KeyValue>) {
        let mut event = Event { kind, key_value, previous: None };
        event.previous = match slot {
            _ if event.is_creation() => None,
            Some(slot) if slot.revision.main == self.main => {
                self.state.version_at(&slot, self.main - 1).map(|found| found.key_value())
            }
            _ => before,
        };
        self.events.push(event);
    }
}

//! Deleting very many keys, a little at a time.
//!
//! No step of a node may take long, and a range may hold a million keys. So a large delete proceeds beside the state,
//! in a copy that shares everything it has not yet changed: readers keep seeing the previous revision, and the new one
//! becomes visible as a whole, once the last key is dead. The result is the same as if it had been done in one call.
//!
//! Nothing else may be applied meanwhile, and compaction waits.

use crate::access::{Access, Identity};
use crate::command::{Command, Reply};
use crate::error::Error;
use crate::key_range::KeyRange;
use crate::request::DeleteRangeRequest;
use crate::response::{DeleteRangeResponse, Event, KeyValue};
use crate::store::Store;
use crate::view::View;
use crate::writer::Writer;
use alloc::vec::Vec;
use volvox_core::Bytes;

/// A delete of more keys than this is worth doing in steps.
pub const KEYS_AT_ONCE: usize = 2048;

/// A large delete in progress.
#[derive(Clone)]
pub(crate) struct Pending {
    /// The state as it will be.
    state: View,
    request: DeleteRangeRequest,
    /// Everything in the range below this is dead.
    next: Bytes,
    events: Vec<Event>,
    previous: Vec<KeyValue>,
}

impl Store {
    /// Applies a command, or begins to: then there is no reply yet, and [`Store::apply_more`] continues it.
    ///
    /// # Errors
    /// As [`Store::apply_for`].
    pub fn apply_in_steps(&mut self, identity: &Identity, command: &Command) -> Option<Result<Reply, Error>> {
        match command {
            Command::DeleteRange(delete) if self.is_large(delete) && self.is_admitted(identity, command) => {
                let mut state = self.view();
                state.applied += 1;
                let (request, next) = (delete.clone(), delete.key.clone());
                let events = Vec::with_capacity(self.count_of(delete));
                self.pending = Some(Pending { state, request, next, events, previous: Vec::new() });
                None
            }
            _ => Some(self.apply_for(identity, command)),
        }
    }

    fn is_admitted(&self, identity: &Identity, command: &Command) -> bool {
        self.check_alarms(command).is_ok() && self.state().authorize(identity, Access::Write(command)).is_ok()
    }

    fn is_large(&self, delete: &DeleteRangeRequest) -> bool {
        self.count_of(delete) > KEYS_AT_ONCE
    }

    fn count_of(&self, delete: &DeleteRangeRequest) -> usize {
        let range = KeyRange::new(&delete.key, &delete.range_end);
        if delete.key.is_empty() || range.is_empty() {
            0
        } else {
            self.state().index.weight_of(&range).counted as usize
        }
    }

    /// Whether a command is half applied.
    pub fn is_applying(&self) -> bool {
        self.pending.is_some()
    }

    /// Continues a large delete for about this many keys, and returns the reply once it is done.
    ///
    /// # Panics
    /// When none is in progress.
    pub fn apply_more(&mut self, keys: usize) -> Option<Reply> {
        let mut pending = self.pending.take().expect("a large delete is in progress");
        let range = KeyRange::new(&pending.next, &pending.request.range_end);
        let alive = pending.state.index.forward(range, true).take(keys.max(1));
        let alive: Vec<Bytes> = alive.map(|(key, _)| Bytes::from(key)).collect();
        let Some(last) = alive.last() else {
            return Some(self.finish_pending(pending));
        };
        // The first key behind it.
        pending.next = Bytes::from([last.as_slice(), &[0]].concat());
        let events = core::mem::take(&mut pending.events);
        let mut writer = Writer::resume(&mut pending.state, &mut self.scratch, events);
        for key in &alive {
            let before = writer.delete(key);
            if pending.request.prev_kv {
                pending.previous.extend(before);
            }
        }
        pending.events = writer.suspend();
        self.pending = Some(pending);
        None
    }

    fn finish_pending(&mut self, mut pending: Pending) -> Reply {
        let deleted = pending.events.len() as i64;
        let writer = Writer::resume(&mut pending.state, &mut self.scratch, pending.events);
        let revision = writer.finish(&mut self.changes);
        *self.state_mut() = pending.state;
        Reply::DeleteRange(DeleteRangeResponse { revision, deleted, prev_kvs: pending.previous })
    }
}

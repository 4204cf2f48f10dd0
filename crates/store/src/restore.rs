//! Restores a store from the parts of a checkpoint.
//!
//! Parts come from a file or a peer and are hostile until checked: sizes are bounded by what really arrives, contents
//! are checked by their digest, and values by the invariants of a store. A part does bounded work: it indexes the
//! records of at most one segment.

use crate::auth::Auth;
use crate::checkpoint::{Header, Kind, Meta, PIECE_BYTES, chain};
use crate::digest::digest;
use crate::key_range::KeyRange;
use crate::lease::{Lease, attachment_key, lease_key};
use crate::log::{COUNTER_MAX, Log, Record, Revision, Segment, SegmentId};
use crate::store::{Store, StoreConfig};
use crate::view::{Slot, View};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Bytes, Decode, DecodeError, Part, Reader, decode_all};

/// Why parts do not form a store. The file or the sender is at fault; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreError {
    /// A part is not well formed.
    Malformed(DecodeError),
    /// A part does not match its number or digest: it was damaged, or stored under a wrong name.
    Damaged,
    /// Parts are missing, duplicated, or in the wrong order.
    OutOfOrder,
    /// The parts contradict each other.
    Inconsistent(&'static str),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Malformed(error) => write!(f, "a checkpoint part is malformed: {error}"),
            RestoreError::Damaged => write!(f, "a checkpoint part does not match its number or digest"),
            RestoreError::OutOfOrder => write!(f, "checkpoint parts are missing, duplicated or in the wrong order"),
            RestoreError::Inconsistent(what) => write!(f, "checkpoint parts contradict each other: {what}"),
        }
    }
}

impl core::error::Error for RestoreError {}

impl From<DecodeError> for RestoreError {
    fn from(error: DecodeError) -> RestoreError {
        RestoreError::Malformed(error)
    }
}

/// A store that is being restored.
#[derive(Clone)]
pub struct Restore {
    config: StoreConfig,
    /// Known once the first part was read.
    meta: Option<Meta>,
    state: View,
    lease_pages: u64,
    /// The tail came; it is the last segment.
    tail_came: bool,
    /// The end came, and agreed.
    complete: bool,
    /// Of the parts so far.
    chain: u64,
    /// A content of several pieces, as far as it came.
    partial: Option<(Header, Vec<u8>)>,
}

impl Store {
    /// Begins a restore: add the parts of a checkpoint in order, then finish.
    pub fn restore(config: StoreConfig) -> Restore {
        Restore {
            config,
            meta: None,
            state: View::default(),
            lease_pages: 0,
            tail_came: false,
            complete: false,
            chain: 0,
            partial: None,
        }
    }
}

impl Restore {
    /// Adds the next part.
    ///
    /// # Errors
    /// When it is damaged, out of order or invalid. Then the restore cannot be continued.
    pub fn part(&mut self, part: &Part) -> Result<(), RestoreError> {
        let mut input = Reader::new(&part.data);
        let header = Header::decode(&mut input)?;
        if header.number() != part.number {
            return Err(RestoreError::Damaged);
        }
        if self.complete {
            return Err(RestoreError::OutOfOrder);
        }
        let chain_before = self.chain;
        self.chain = chain(chain_before, part.number);
        let start = part.data.len() - input.remaining();
        if input.remaining() > PIECE_BYTES || input.remaining() == 0 {
            return Err(RestoreError::Malformed(DecodeError::TooLong));
        }
        let Some(content) = self.assemble(header, part.data.slice(start..part.data.len()))? else {
            return Ok(());
        };
        if digest(&content) != header.digest {
            return Err(RestoreError::Damaged);
        }
        match header.kind {
            Kind::Meta => self.add_meta(&content),
            Kind::Auth => self.add_auth(&content),
            Kind::Leases => self.add_leases(header.id, &content),
            Kind::Segment => self.add_segment(header.id, content),
            Kind::End => {
                self.complete = decode_all::<u64>(&content)? == chain_before;
                if self.complete { Ok(()) } else { Err(RestoreError::OutOfOrder) }
            }
        }
    }

    /// The store, once all parts are there. A compaction that was in progress starts over.
    ///
    /// # Errors
    /// When parts are missing, or do not form a store.
    pub fn finish(self) -> Result<Store, RestoreError> {
        let meta = self.meta.ok_or(RestoreError::OutOfOrder)?;
        let state = self.state;
        if !self.complete || self.partial.is_some() || state.leases.weight().entries != meta.leases {
            return Err(RestoreError::OutOfOrder);
        }
        if state.index.weight().counted != meta.keys || state.log.tail_index() != meta.tail_index {
            return Err(RestoreError::Inconsistent("the number of keys"));
        }
        // The newest revision changed something, and no compaction drops the newest version of a key above its point. A
        // history of another program may have lost the tombstone at that point, or have been moved ahead to it.
        let last = state.log.last().map_or(1, |last| last.main);
        if last != meta.revision && meta.compacted != meta.revision {
            return Err(RestoreError::Inconsistent("the newest revision"));
        }
        for (attachment, ()) in state.attachments.forward(KeyRange::ALL, false) {
            if state.leases.get(&attachment[..8]).is_none() {
                return Err(RestoreError::Inconsistent("a key and its lease"));
            }
        }
        let mut store = Store::with_state(self.config, state);
        store.start_pass();
        Ok(store)
    }

    /// The whole content, once its last piece is there.
    fn assemble(&mut self, header: Header, piece: Bytes) -> Result<Option<Bytes>, RestoreError> {
        let (begun, mut content) = match self.partial.take() {
            Some((begun, content)) => (begun, content),
            None if header.length == piece.len() as u64 && header.piece == 0 => return Ok(Some(piece)),
            None => (Header { piece: 0, ..header }, Vec::new()),
        };
        let expected = Header { piece: (content.len() / PIECE_BYTES) as u32, ..begun };
        if header != expected || content.len() % PIECE_BYTES != 0 {
            return Err(RestoreError::OutOfOrder);
        }
        content.extend_from_slice(&piece);
        let length = content.len() as u64;
        if length > header.length || header.length > u64::from(u32::MAX) {
            return Err(RestoreError::Malformed(DecodeError::TooLong));
        }
        if length == header.length {
            return Ok(Some(Bytes::from(content)));
        }
        self.partial = Some((begun, content));
        Ok(None)
    }

    fn add_meta(&mut self, content: &[u8]) -> Result<(), RestoreError> {
        if self.meta.is_some() {
            return Err(RestoreError::OutOfOrder);
        }
        let meta: Meta = decode_all(content)?;
        let counters = [meta.revision as u64, meta.compactions, meta.applied, meta.tail_index];
        if counters.iter().any(|counter| *counter > COUNTER_MAX) {
            return Err(RestoreError::Inconsistent("a counter that no store reaches"));
        }
        let sane = meta.revision >= 1 && meta.compacted >= -1 && meta.compacted <= meta.revision;
        if !sane || (meta.compacted >= 0) != (meta.compactions > 0) {
            return Err(RestoreError::Inconsistent("the revisions of the store"));
        }
        self.state.revision = meta.revision;
        self.state.compacted = meta.compacted;
        self.state.compactions = meta.compactions;
        self.state.applied = meta.applied;
        self.state.alarms = Arc::new(meta.alarms.iter().copied().collect());
        self.state.log = Log::with_tail_index(meta.tail_index);
        self.meta = Some(meta);
        Ok(())
    }

    fn add_auth(&mut self, content: &[u8]) -> Result<(), RestoreError> {
        let is_first = *self.state.auth == Auth::default();
        if self.meta.is_none() || self.lease_pages > 0 || self.state.log.last().is_some() || !is_first {
            return Err(RestoreError::OutOfOrder);
        }
        self.state.auth = Arc::new(decode_all(content)?);
        Ok(())
    }

    fn add_leases(&mut self, id: SegmentId, content: &[u8]) -> Result<(), RestoreError> {
        // Leases come before the records that refer to them.
        if self.meta.is_none() || self.state.log.last().is_some() || id.generation != self.lease_pages {
            return Err(RestoreError::OutOfOrder);
        }
        self.lease_pages += 1;
        for lease in decode_all::<Vec<Lease>>(content)? {
            if lease.id == 0 || self.state.leases.insert(&lease_key(lease.id), lease).is_some() {
                return Err(RestoreError::Inconsistent("the leases"));
            }
        }
        Ok(())
    }

    fn add_segment(&mut self, id: SegmentId, content: Bytes) -> Result<(), RestoreError> {
        let Some(meta) = &self.meta else { return Err(RestoreError::OutOfOrder) };
        let is_tail = id.first == meta.tail_index;
        let segment = Segment::new(id, content)?;
        let follows = self.state.log.last().is_none_or(|last| last < segment.first())
            && self.state.log.segments().last().is_none_or(|before| before.id().last < id.first);
        if !follows || self.tail_came || id.first > id.last || id.last > meta.tail_index {
            return Err(RestoreError::OutOfOrder);
        }
        if segment.last().main > meta.revision
            || id.generation > meta.compactions
            || is_tail != (id.last == meta.tail_index)
        {
            return Err(RestoreError::Inconsistent("a segment and the revisions of the store"));
        }
        self.tail_came = is_tail;
        let segment = Arc::new(segment);
        if !is_tail {
            self.state.log.push_sealed(Arc::clone(&segment));
        }
        for slot in 0..segment.len() {
            let found = segment.record(slot);
            if is_tail {
                self.state.log.push(&found.record, Bytes::from(segment.encoded(slot)));
            }
            self.index_record(found.key(), &found.record)?;
        }
        Ok(())
    }

    /// Replays a record: the newest of a key wins, and carries its lease.
    fn index_record(&mut self, key: &[u8], record: &Record) -> Result<(), RestoreError> {
        let slot = Slot { revision: record.revision, alive: !record.tombstone };
        let before = self.state.index.insert(key, slot);
        self.check_links(key, record, before)?;
        if let Some(before) = before.and_then(|before| self.state.newest(&before))
            && before.record.lease != 0
        {
            self.state.attachments.remove(&attachment_key(before.record.lease, key));
        }
        if record.lease != 0 {
            self.state.attachments.insert(&attachment_key(record.lease, key), ());
        }
        Ok(())
    }

    /// A read follows links as long as they lead above the compaction point; there they must lead somewhere.
    fn check_links(&self, key: &[u8], record: &Record, before: Option<Slot>) -> Result<(), RestoreError> {
        let reachable = |link: &Revision| link.main > self.state.compacted;
        let previous = record.previous.filter(reachable);
        let anchor = record.anchor.filter(reachable);
        let found = |link: Revision| self.state.log.find(link).is_some_and(|found| found.key() == key);
        let sound = previous.is_none_or(|link| before.is_some_and(|before| before.revision == link))
            && anchor.is_none_or(|link| Some(link) == previous || found(link));
        if sound { Ok(()) } else { Err(RestoreError::Inconsistent("the versions of a key")) }
    }
}

#[cfg(test)]
mod tests;

//! Reads over one view: at once, pair by pair, or in turns.
//!
//! A view never changes, so the pages of a long read are one read, and the node continues between them.

use crate::error::Error;
use crate::planted::{self, Bug};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use volvox_core::Bytes;
use volvox_replica::View;
use volvox_store::{HashKv, Hasher, PairRef, RangeRequest, RangeResponse, RangeSummary, SortOrder, SortTarget};

/// A range to be read from a view.
#[derive(Clone, Debug)]
pub struct Reading {
    view: Arc<View>,
    request: RangeRequest,
    pairs_a_turn: usize,
}

impl Reading {
    pub(crate) fn new(view: Arc<View>, request: RangeRequest, pairs_a_turn: usize) -> Reading {
        Reading { view, request, pairs_a_turn: pairs_a_turn.max(1) }
    }

    /// The request.
    pub fn request(&self) -> &RangeRequest {
        &self.request
    }

    /// Whether it may find more pairs than fit in one turn, and can be cut into pages: then use [`Reading::pages`].
    pub fn is_long(&self) -> bool {
        let request = &self.request;
        let bounds = [
            request.min_mod_revision,
            request.max_mod_revision,
            request.min_create_revision,
            request.max_create_revision,
        ];
        !request.range_end.is_empty()
            && !request.count_only
            && (request.limit <= 0 || request.limit as u64 > self.pairs_a_turn as u64)
            && request.sort_target == SortTarget::Key
            && request.sort_order != SortOrder::Descend
            && bounds == [0; 4]
    }

    /// Reads pair by pair, each in place; nothing is copied or kept. `None` when `visit` stopped early.
    ///
    /// # Errors
    /// The revision is gone, or does not exist yet.
    pub fn visit(&self, visit: &mut dyn FnMut(PairRef<'_>) -> ControlFlow<()>) -> Result<Option<RangeSummary>, Error> {
        Ok(self.view.store.visit_range(&self.request, visit)?)
    }

    /// Reads everything at once.
    ///
    /// # Errors
    /// As [`Reading::visit`].
    pub fn whole(&self) -> Result<RangeResponse, Error> {
        Ok(self.view.store.range(&self.request)?)
    }

    /// Reads some pairs at a time.
    pub fn pages(self) -> Pages {
        let limit = self.pairs_a_turn as i64;
        let page = RangeRequest { limit, ..self.request.clone() };
        Pages { reading: self, page, response: None }
    }

    /// Reads everything as a door does that has nothing else to do between the pages.
    ///
    /// # Errors
    /// As [`Reading::visit`].
    pub fn read(self) -> Result<RangeResponse, Error> {
        if !self.is_long() {
            return self.whole();
        }
        let mut pages = self.pages();
        loop {
            if let Some(response) = pages.turn()? {
                return Ok(response);
            }
        }
    }
}

/// A long read in progress.
#[derive(Clone, Debug)]
pub struct Pages {
    reading: Reading,
    /// The next page.
    page: RangeRequest,
    /// Everything up to there.
    response: Option<RangeResponse>,
}

impl Pages {
    /// Reads the next page; the whole answer once there is no other.
    ///
    /// # Errors
    /// As [`Reading::visit`].
    pub fn turn(&mut self) -> Result<Option<RangeResponse>, Error> {
        let limit = self.reading.request.limit;
        let wanted = if limit <= 0 { i64::MAX } else { limit };
        let mut found = self.reading.view.store.range(&self.page)?;
        let response = match self.response.take() {
            None => found,
            Some(mut before) => {
                before.more = found.more;
                before.kvs.append(&mut found.kvs);
                before
            }
        };
        let left = wanted - response.kvs.len() as i64;
        if !response.more || left <= 0 {
            return Ok(Some(response));
        }
        let last = response.kvs.last().expect("there is more only behind something");
        self.page.key = if planted::is(Bug::PageRepeatsAKey) { last.key.clone() } else { after(&last.key) };
        self.page.limit = left.min(self.reading.pairs_a_turn as i64);
        self.response = Some(response);
        Ok(None)
    }
}

/// The key right behind another.
fn after(key: &Bytes) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    Bytes::from(next)
}

/// A hash of a view, to be computed in turns.
#[derive(Clone, Debug)]
pub struct Hashing {
    view: Arc<View>,
    revision: i64,
    records_a_turn: usize,
}

impl Hashing {
    pub(crate) fn new(view: Arc<View>, revision: i64, records_a_turn: usize) -> Hashing {
        Hashing { view, revision, records_a_turn }
    }

    /// Begins.
    ///
    /// # Errors
    /// The revision is gone, or does not exist yet.
    pub fn begin(&self) -> Result<HashTurns<'_>, Error> {
        Ok(HashTurns { hasher: self.view.store.hasher(self.revision)?, records_a_turn: self.records_a_turn })
    }
}

/// A hash in progress.
pub struct HashTurns<'a> {
    hasher: Hasher<'a>,
    records_a_turn: usize,
}

impl HashTurns<'_> {
    /// Hashes some records; whether there are more.
    pub fn turn(&mut self) -> bool {
        self.hasher.step(self.records_a_turn)
    }

    /// The hash, once no turn is left.
    pub fn finish(self) -> HashKv {
        self.hasher.finish()
    }
}

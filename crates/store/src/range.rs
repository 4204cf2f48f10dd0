//! Reads: ranges at any revision, and history for watchers.

use crate::checks::check_range;
use crate::error::Error;
use crate::key_range::{KeyRange, RangeEnd};
use crate::log::{Near, Pair, RecordRef};
use crate::request::{RangeRequest, SortOrder, SortTarget};
use crate::response::{Change, Event, EventKind, KeyValue, PairRef, RangeResponse, RangeSummary};
use crate::view::View;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::ControlFlow;
use volvox_core::Bytes;

impl View {
    /// Answers a read.
    ///
    /// # Errors
    /// [`Error::EmptyKey`], [`Error::InvalidSortOption`], [`Error::FutureRevision`], [`Error::Compacted`].
    pub fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        check_range(request)?;
        let at = self.resolve(request.revision)?;
        Ok(self.range_at(request, at, self.revision))
    }

    /// Answers a read pair by pair, each in place; nothing is counted, copied or kept. `None` when `visit` stopped
    /// early.
    ///
    /// # Errors
    /// As [`View::range`].
    pub fn visit_range(
        &self,
        request: &RangeRequest,
        visit: &mut dyn FnMut(PairRef<'_>) -> ControlFlow<()>,
    ) -> Result<Option<RangeSummary>, Error> {
        check_range(request)?;
        let at = self.resolve(request.revision)?;
        let summary = self.walk(request, at, self.revision, &mut |found| {
            let pair = found.borrowed();
            visit(PairRef { value: if request.keys_only { &[] } else { pair.value }, ..pair })
        });
        Ok(summary.continue_value())
    }

    /// Answers a checked read of revision `at`, or of the newest state, which inside a transaction is one that no
    /// revision names yet. `header` is the revision to answer with.
    pub(crate) fn range_at(&self, request: &RangeRequest, at: Option<i64>, header: i64) -> RangeResponse {
        let mut kvs = Vec::new();
        let summary = self.walk(request, at, header, &mut |found| {
            let pair = found.key_value();
            kvs.push(if request.keys_only { KeyValue { value: Bytes::new(), ..pair } } else { pair });
            ControlFlow::Continue(())
        });
        let RangeSummary { revision, more, count } = summary.continue_value().expect("nothing broke off");
        RangeResponse { revision, kvs, more, count }
    }

    fn walk<'a>(
        &'a self,
        request: &RangeRequest,
        at: Option<i64>,
        header: i64,
        visit: &mut impl FnMut(Pair<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<(), RangeSummary> {
        let range = KeyRange::new(&request.key, &request.range_end);
        // If the newest state is requested by its number, no history lookup is needed.
        let at = at.filter(|at| *at < header);
        let mut summary = RangeSummary { revision: header, more: false, count: 0 };
        if range.end == RangeEnd::Single {
            let found = self.index.get(range.begin).and_then(|slot| self.pair_near(slot, at, &mut Near::default()));
            summary.count = i64::from(found.is_some());
            if let Some(found) = found.filter(|pair| !request.count_only && passes(request, pair)) {
                visit(found)?;
            }
            return ControlFlow::Continue(summary);
        }
        summary.count = self.count_at(&range, at);
        if !request.count_only {
            summary.more = self.walk_pairs(request, range, at, summary.count, visit)?;
        }
        ControlFlow::Continue(summary)
    }

    /// Visits the pairs of a range that are wanted, in the order in which they are; whether there are more.
    fn walk_pairs<'a>(
        &'a self,
        request: &RangeRequest,
        range: KeyRange<'_>,
        at: Option<i64>,
        count: i64,
        visit: &mut impl FnMut(Pair<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<(), bool> {
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        if request.sort_target != SortTarget::Key {
            // A target without an order sorts what the limit has left, and one more: clients that set no order get that.
            let is_cut_first = request.sort_order == SortOrder::None && !is_filtered(request);
            let first = if is_cut_first { limit.saturating_add(1) } else { usize::MAX };
            let pairs = self.pairs(range, at, false);
            let mut all: Vec<Pair<'a>> = pairs.filter(|pair| passes(request, pair)).take(first).collect();
            sort(&mut all, request.sort_target, request.sort_order == SortOrder::Descend);
            let more = all.len() > limit;
            all.into_iter().take(limit).try_for_each(visit)?;
            return ControlFlow::Continue(more);
        }
        let mut pairs = self.pairs(range, at, request.sort_order == SortOrder::Descend);
        if !is_filtered(request) {
            // The count says whether there is more; do not fetch it.
            pairs.take(limit).try_for_each(visit)?;
            return ControlFlow::Continue(count as u64 > limit as u64);
        }
        let mut passing = pairs.by_ref().filter(|pair| passes(request, pair));
        let mut visited = 0;
        passing.by_ref().take(limit).inspect(|_| visited += 1).try_for_each(visit)?;
        ControlFlow::Continue(visited == limit && passing.next().is_some())
    }

    /// The pairs of a range, in ascending or descending key order.
    fn pairs<'a, 'r>(
        &'a self,
        range: KeyRange<'r>,
        at: Option<i64>,
        backward: bool,
    ) -> impl Iterator<Item = Pair<'a>> + use<'a, 'r>
    where
        'a: 'r,
    {
        // Dead keys do not count now, but may have been alive then.
        let newest = at.is_none();
        let (forward, backward) = if backward {
            (None, Some(self.index.backward(range, newest)))
        } else {
            (Some(self.index.forward(range, newest)), None)
        };
        let slots = forward.into_iter().flatten().chain(backward.into_iter().flatten());
        let mut near = Near::default();
        slots.filter_map(move |(_, slot)| self.pair_near(slot, at, &mut near))
    }

    /// The number of keys of a range that are, or were, alive.
    ///
    /// At an old revision: those alive now, less the births since, plus the deaths since. That costs nothing but the
    /// changes since; where these are more than the keys, the keys are looked at one by one.
    fn count_at(&self, range: &KeyRange<'_>, at: Option<i64>) -> i64 {
        let weight = self.index.weight_of(range);
        let Some(at) = at else {
            return weight.counted as i64;
        };
        if weight.entries == 0 {
            return 0;
        }
        if self.log.census_length_after(at) as u64 <= weight.entries {
            let changes = self.log.census_after(at).filter(|found| range.contains(found.key()));
            return weight.counted as i64 - changes.map(|found| i64::from(found.record.census())).sum::<i64>();
        }
        self.index.forward(*range, false).filter(|(_, slot)| self.version_at(slot, at).is_some()).count() as i64
    }

    /// History for watchers: the changes from `from_revision` on, each with all its events in the order they were
    /// made, at most `max_revisions` of them. `previous` is not filled: see [`View::previous_of`].
    ///
    /// History below [`View::compacted`] is incomplete: a caller that asks for it must get an error.
    pub fn changes(&self, from_revision: i64, max_revisions: usize) -> Changes<'_> {
        let mut records = self.log.records_from(from_revision.max(1).max(self.compacted));
        let next = records.next();
        Changes { view: self, records: alloc::boxed::Box::new(records), next, left: max_revisions }
    }

    /// The pair that an event replaced: as it was one revision before. `None` when there was none, or it is compacted, and
    /// for a creation: a pair that the same revision deleted before is in the event of that delete.
    pub fn previous_of(&self, event: &Event) -> Option<KeyValue> {
        if event.is_creation() {
            return None;
        }
        self.previous(&event.key_value.key, event.key_value.mod_revision - 1)
    }
}

/// See [`View::changes`].
pub struct Changes<'a> {
    view: &'a View,
    records: alloc::boxed::Box<dyn Iterator<Item = RecordRef<'a>> + Send + 'a>,
    next: Option<RecordRef<'a>>,
    left: usize,
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        if self.left == 0 {
            return None;
        }
        let mut found = self.next.take();
        // Records that compaction has yet to remove, or has already removed on another member, must not be visible.
        while let Some(record) = &found
            && !self.view.survives_as_event(record)
        {
            found = self.records.next();
        }
        let first = found?;
        let revision = first.record.revision.main;
        let mut events = alloc::vec![event_of(&first)];
        for record in self.records.by_ref() {
            if record.record.revision.main != revision {
                self.next = Some(record);
                break;
            }
            if self.view.survives_as_event(&record) {
                events.push(event_of(&record));
            }
        }
        self.left -= 1;
        Some(Change { revision, events })
    }
}

impl View {
    /// Whether an event is part of visible history: those at the compaction point are, as far as compaction keeps them.
    fn survives_as_event(&self, found: &RecordRef<'_>) -> bool {
        found.record.revision.main > self.compacted || self.survives(found.key(), &found.record, self.compacted)
    }
}

fn event_of(found: &RecordRef<'_>) -> Event {
    let kind = if found.record.tombstone { EventKind::Delete } else { EventKind::Put };
    Event { kind, key_value: found.key_value(), previous: None }
}

fn is_filtered(request: &RangeRequest) -> bool {
    let bounds =
        [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision];
    bounds.iter().any(|bound| *bound != 0)
}

fn passes(request: &RangeRequest, pair: &Pair<'_>) -> bool {
    let within = |revision: i64, min: i64, max: i64| (min == 0 || revision >= min) && (max == 0 || revision <= max);
    within(pair.mod_revision, request.min_mod_revision, request.max_mod_revision)
        && within(pair.create_revision, request.min_create_revision, request.max_create_revision)
}

fn sort(pairs: &mut [Pair<'_>], target: SortTarget, descending: bool) {
    let number = |pair: &Pair<'_>| match target {
        SortTarget::Version => pair.version,
        SortTarget::Create => pair.create_revision,
        _ => pair.mod_revision,
    };
    match (target, descending) {
        (SortTarget::Value, false) => pairs.sort_by(|a, b| a.value().cmp(b.value())),
        (SortTarget::Value, true) => pairs.sort_by(|a, b| b.value().cmp(a.value())),
        (_, false) => pairs.sort_by_key(number),
        (_, true) => pairs.sort_by_key(|pair| Reverse(number(pair))),
    }
}

//! The log in memory: the entries that are not yet in a checkpoint, and some earlier ones for slow followers.

use crate::entry::Entry;
use crate::index::{Index, Term};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use volvox_core::Position;

/// The log of one member.
///
/// Every entry remembers the position of the record that holds it, so the log knows how far it is durable, and which
/// records a checkpoint makes superfluous. Positions never decrease along the log: replacing an entry also drops all
/// after it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Log {
    /// The entry before the first one here; its data is part of a checkpoint.
    base_index: Index,
    base_term: Term,
    /// If the base is a received snapshot: the position at which it is durable.
    base_position: Position,
    slots: VecDeque<Slot>,
    weight: usize,
    durable: Index,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Slot {
    entry: Entry,
    position: Position,
}

impl Log {
    /// A log that begins after a snapshot, which is durable once the records up to `position` are.
    pub fn behind(index: Index, term: Term, position: Position) -> Log {
        let durable = if position == Position::NONE { index } else { Index::ZERO };
        Log { base_index: index, base_term: term, base_position: position, durable, ..Log::default() }
    }

    /// The entry before the first one in memory.
    pub fn base_index(&self) -> Index {
        self.base_index
    }

    /// The index of the first entry in memory, or of the next one.
    pub fn first_index(&self) -> Index {
        self.base_index.next()
    }

    /// The last entry.
    pub fn last_index(&self) -> Index {
        Index(self.base_index.0 + self.slots.len() as u64)
    }

    /// The term of the last entry.
    pub fn last_term(&self) -> Term {
        self.slots.back().map_or(self.base_term, |slot| slot.entry.term)
    }

    /// The last index that is durable.
    pub fn durable(&self) -> Index {
        self.durable
    }

    /// The weight of the entries in memory.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The entry at `index`, if it is in memory.
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.slot(index).map(|slot| &slot.entry)
    }

    /// The term at `index`, if known.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base_index { Some(self.base_term) } else { self.slot(index).map(|slot| slot.entry.term) }
    }

    /// Whether a log that ends with this entry holds at least as much as this log: the later last term wins, then
    /// the longer log (Raft 5.4.1).
    pub fn is_covered_by(&self, last_index: Index, last_term: Term) -> bool {
        (last_term, last_index) >= (self.last_term(), self.last_index())
    }

    /// The entries from `from` on, until one more would weigh more than `weight_max`, but at least one if there is one.
    pub fn slice(&self, from: Index, count_max: usize, weight_max: usize) -> Vec<Entry> {
        assert!(from > self.base_index, "a slice from {from}, but the log begins behind {}", self.base_index);
        let start = self.place(from).min(self.slots.len());
        let mut weight = 0;
        let count = self
            .slots
            .range(start..)
            .take(count_max)
            .take_while(|slot| {
                let fits = weight == 0 || weight + slot.entry.weight() <= weight_max;
                weight += slot.entry.weight();
                fits
            })
            .count();
        self.slots.range(start..start + count).map(|slot| slot.entry.clone()).collect()
    }

    /// The entries after `after` up to `through`, without copying.
    pub fn between(&self, after: Index, through: Index) -> impl Iterator<Item = &Entry> {
        let start = self.place(after.next()).min(self.slots.len());
        let end = self.place(through.next()).clamp(start, self.slots.len());
        self.slots.range(start..end).map(|slot| &slot.entry)
    }

    /// Appends the next entry, which the record at `position` holds.
    pub fn push(&mut self, entry: Entry, position: Position) {
        assert!(entry.index == self.last_index().next(), "entry {} behind {}", entry.index, self.last_index());
        assert!(entry.term >= self.last_term(), "term {} behind {}", entry.term, self.last_term());
        self.weight += entry.weight();
        self.slots.push_back(Slot { entry, position });
    }

    /// Drops the entries from `index` on.
    pub fn truncate_from(&mut self, index: Index) {
        assert!(index > self.base_index, "truncates at {index} what a checkpoint holds");
        while self.last_index() >= index {
            self.weight -= self.slots.pop_back().map_or(0, |slot| slot.entry.weight());
        }
        self.durable = self.durable.min(index.previous());
    }

    /// Records that the records up to `through` are durable.
    pub fn persisted(&mut self, through: Position) {
        if self.base_position > through {
            return;
        }
        self.durable = self.durable.max(self.base_index);
        while self.slot(self.durable.next()).is_some_and(|slot| slot.position <= through) {
            self.durable = self.durable.next();
        }
    }

    /// The first index of the run of entries with the same term as the one at `index`, if known: a follower's hint,
    /// with which the leader skips a whole term instead of one entry (Raft 5.3).
    pub fn first_of_term_at(&self, index: Index) -> Index {
        let Some(term) = self.term_at(index) else { return index };
        let mut first = index;
        while first > self.first_index() && self.term_at(first.previous()) == Some(term) {
            first = first.previous();
        }
        first
    }

    /// The last index, at or before `from`, whose term is at most `term`; the base when there is none.
    pub fn last_of_term_at_most(&self, term: Term, from: Index) -> Index {
        let mut index = from.min(self.last_index());
        while index > self.base_index && self.term_at(index).is_some_and(|own| own > term) {
            index = index.previous();
        }
        index.max(self.base_index)
    }

    /// The position of the first record that is still needed once the entries up to `index` are in a checkpoint; `None`
    /// when no entry is left.
    pub fn position_behind(&self, index: Index) -> Option<Position> {
        self.slot(index.next()).map(|slot| slot.position)
    }

    /// Drops entries up to `index`, oldest first, while the log weighs more than `keep`.
    pub fn trim(&mut self, index: Index, keep: usize) {
        while self.weight > keep && self.first_index() <= index {
            let Some(slot) = self.slots.pop_front() else { return };
            self.weight -= slot.entry.weight();
            self.base_index = slot.entry.index;
            self.base_term = slot.entry.term;
        }
    }

    fn place(&self, index: Index) -> usize {
        // An index before the base is invalid: callers use indices after the base, or the base itself.
        usize::try_from(index.0.saturating_sub(self.base_index.0 + 1)).unwrap_or(usize::MAX)
    }

    fn slot(&self, index: Index) -> Option<&Slot> {
        if index <= self.base_index { None } else { self.slots.get(self.place(index)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Payload;
    use alloc::vec;
    use volvox_core::Bytes;

    fn log_of(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for (at, term) in terms.iter().enumerate() {
            let entry = Entry { term: Term(*term), index: Index(at as u64 + 1), payload: Payload::Empty };
            log.push(entry, Position(at as u64 + 1));
        }
        log
    }

    #[test]
    fn durability_follows_positions_and_falls_with_truncation() {
        let mut log = log_of(&[1, 1, 2]);
        assert_eq!(log.durable(), Index(0));
        log.persisted(Position(2));
        assert_eq!(log.durable(), Index(2));
        log.truncate_from(Index(2));
        assert_eq!(log.durable(), Index(1));
        log.push(Entry { term: Term(3), index: Index(2), payload: Payload::Empty }, Position(4));
        log.persisted(Position(3));
        assert_eq!(log.durable(), Index(1), "the record with the new entry is not there yet");
        log.persisted(Position(4));
        assert_eq!(log.durable(), Index(2));
    }

    #[test]
    fn a_received_snapshot_is_durable_behind_its_record_only() {
        let mut log = Log::behind(Index(7), Term(2), Position(9));
        log.push(Entry { term: Term(2), index: Index(8), payload: Payload::Empty }, Position(10));
        log.persisted(Position(8));
        assert_eq!(log.durable(), Index(0));
        log.persisted(Position(10));
        assert_eq!(log.durable(), Index(8));
        assert_eq!(log.term_at(Index(7)), Some(Term(2)));
        assert_eq!(log.term_at(Index(6)), None);
    }

    #[test]
    fn the_later_term_wins_then_the_longer_log() {
        let log = log_of(&[1, 2, 2]);
        assert!(log.is_covered_by(Index(3), Term(2)));
        assert!(log.is_covered_by(Index(1), Term(3)));
        assert!(!log.is_covered_by(Index(9), Term(1)));
        assert!(!log.is_covered_by(Index(2), Term(2)));
    }

    #[test]
    fn slices_are_bounded_but_never_empty_while_there_are_entries() {
        let mut log = Log::default();
        for index in 1..=4 {
            let payload = Payload::Data(Bytes::from(vec![0u8; 100]));
            log.push(Entry { term: Term(1), index: Index(index), payload }, Position(index));
        }
        let lengths = |weight| log.slice(Index(2), 10, weight).len();
        assert_eq!((lengths(1), lengths(350), lengths(10_000)), (1, 2, 3));
        assert_eq!(log.slice(Index(1), 2, 10_000).len(), 2);
        assert!(log.slice(Index(5), 10, 10_000).is_empty());
        assert_eq!(log.between(Index(1), Index(3)).count(), 2);
    }

    #[test]
    fn hints_skip_whole_terms() {
        let log = log_of(&[1, 1, 4, 4, 5]);
        assert_eq!(log.first_of_term_at(Index(4)), Index(3));
        assert_eq!(log.last_of_term_at_most(Term(3), Index(5)), Index(2));
        assert_eq!(log.last_of_term_at_most(Term(4), Index(9)), Index(4));
        assert_eq!(log.last_of_term_at_most(Term(0), Index(5)), Index(0));
    }

    #[test]
    fn trimming_stops_at_the_checkpoint_and_at_what_is_to_be_kept() {
        let mut log = log_of(&[1, 1, 2, 2]);
        let one = log.weight() / 4;
        log.trim(Index(3), 2 * one);
        assert_eq!(log.first_index(), Index(3));
        log.trim(Index(3), 0);
        assert_eq!((log.first_index(), log.last_index(), log.term_at(Index(3))), (Index(4), Index(4), Some(Term(2))));
        assert_eq!(log.position_behind(Index(3)), Some(Position(4)));
        assert_eq!(log.position_behind(Index(4)), None);
    }
}

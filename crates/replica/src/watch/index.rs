//! Which watchers want a key, found once for each event.
//!
//! Single keys stand in an ordered map. Ranges are cut at every distinct boundary into elementary intervals, each of
//! which lists the ranges that cover it: looking a key up is one search and a walk over exactly the ranges that match.
//! Watchers of the same range share one entry, as the thousands of watchers of one prefix do.

use super::StreamId;
use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;
use volvox_core::Bytes;
use volvox_store::{KeyRange, RangeEnd};

/// A watcher: its stream and its id there.
pub type WatcherRef = (StreamId, i64);

/// The index of all synced watchers, or of those that one pass catches up.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Index {
    singles: BTreeMap<Bytes, BTreeSet<WatcherRef>>,
    /// By the number of the range.
    ranges: BTreeMap<u32, BTreeSet<WatcherRef>>,
    numbers: BTreeMap<(Bytes, Option<Bytes>), u32>,
    next_number: u32,
    /// From each boundary to the next: the ranges that cover the interval.
    intervals: BTreeMap<Bytes, BTreeSet<u32>>,
    /// How many distinct ranges begin or end at a boundary.
    boundaries: BTreeMap<Bytes, u32>,
}

impl Index {
    /// Adds a watcher of the keys that `key` and `range_end` select.
    pub fn insert(&mut self, key: &Bytes, range_end: &Bytes, watcher: WatcherRef) {
        let Some(end) = bound_of(key, range_end) else {
            self.singles.entry(key.clone()).or_default().insert(watcher);
            return;
        };
        let range = (key.clone(), end);
        let number = match self.numbers.get(&range) {
            Some(number) => *number,
            None => self.add_range(range),
        };
        self.ranges.entry(number).or_default().insert(watcher);
    }

    /// Takes a watcher out; nothing happens when it is not in.
    pub fn remove(&mut self, key: &Bytes, range_end: &Bytes, watcher: WatcherRef) {
        let Some(end) = bound_of(key, range_end) else {
            if let Some(watchers) = self.singles.get_mut(key) {
                watchers.remove(&watcher);
                if watchers.is_empty() {
                    self.singles.remove(key);
                }
            }
            return;
        };
        let range = (key.clone(), end);
        let Some(number) = self.numbers.get(&range).copied() else {
            return;
        };
        let watchers = self.ranges.get_mut(&number).expect("a numbered range has watchers");
        watchers.remove(&watcher);
        if watchers.is_empty() {
            self.remove_range(range, number);
        }
    }

    /// Calls `found` for every watcher of the key.
    pub fn matching(&self, key: &[u8], mut found: impl FnMut(WatcherRef)) {
        if let Some(watchers) = self.singles.get(key) {
            watchers.iter().for_each(|watcher| found(*watcher));
        }
        let below = (Bound::Unbounded, Bound::Included(key));
        if let Some((_, numbers)) = self.intervals.range::<[u8], _>(below).next_back() {
            for number in numbers {
                self.ranges[number].iter().for_each(|watcher| found(*watcher));
            }
        }
    }

    fn add_range(&mut self, range: (Bytes, Option<Bytes>)) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        self.cut(&range.0);
        if let Some(end) = &range.1 {
            self.cut(end);
        }
        for covered in self.covered_by(&range) {
            self.intervals.get_mut(&covered).expect("an interval just listed").insert(number);
        }
        self.numbers.insert(range, number);
        number
    }

    fn remove_range(&mut self, range: (Bytes, Option<Bytes>), number: u32) {
        for covered in self.covered_by(&range) {
            self.intervals.get_mut(&covered).expect("an interval just listed").remove(&number);
        }
        self.ranges.remove(&number);
        self.numbers.remove(&range);
        for boundary in core::iter::once(range.0).chain(range.1) {
            let users = self.boundaries.get_mut(&boundary).expect("a boundary in use is counted");
            *users -= 1;
            if *users == 0 {
                self.boundaries.remove(&boundary);
                self.intervals.remove(&boundary);
            }
        }
    }

    fn cut(&mut self, boundary: &Bytes) {
        *self.boundaries.entry(boundary.clone()).or_insert(0) += 1;
        if !self.intervals.contains_key(boundary) {
            let covering = self.intervals.range::<Bytes, _>(..boundary).next_back();
            let covering = covering.map(|(_, numbers)| numbers.clone()).unwrap_or_default();
            self.intervals.insert(boundary.clone(), covering);
        }
    }

    fn covered_by(&self, range: &(Bytes, Option<Bytes>)) -> alloc::vec::Vec<Bytes> {
        let upper = match &range.1 {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        self.intervals.range::<Bytes, _>((Bound::Included(&range.0), upper)).map(|(start, _)| start.clone()).collect()
    }
}

/// The upper bound of a range; `None` for a single key, `Some(None)` where there is no bound.
#[allow(clippy::option_option)]
fn bound_of(key: &Bytes, range_end: &Bytes) -> Option<Option<Bytes>> {
    match KeyRange::new(key, range_end).end {
        RangeEnd::Single => None,
        RangeEnd::Below(_) => Some(Some(range_end.clone())),
        RangeEnd::Unbounded => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use volvox_core::Rng;

    fn key(rng: &mut Rng) -> Bytes {
        let length = 1 + rng.below(2) as usize;
        Bytes::from((0..length).map(|_| b'a' + rng.below(5) as u8).collect::<Vec<u8>>())
    }

    #[test]
    fn agrees_with_asking_every_watcher() {
        for seed in 0..30 {
            let mut rng = Rng::new(seed);
            let mut index = Index::default();
            let mut oracle: BTreeMap<WatcherRef, (Bytes, Bytes)> = BTreeMap::new();
            for step in 0..400 {
                if rng.below(3) == 0 && !oracle.is_empty() {
                    let at = rng.below(oracle.len() as u64) as usize;
                    let (watcher, (from, to)) = oracle.iter().nth(at).map(|(w, r)| (*w, r.clone())).expect("inside");
                    index.remove(&from, &to, watcher);
                    oracle.remove(&watcher);
                } else {
                    let watcher = (StreamId(rng.below(5)), step);
                    let from = key(&mut rng);
                    let to = match rng.below(3) {
                        0 => Bytes::new(),
                        1 => Bytes::from("\0"),
                        _ => key(&mut rng).max(Bytes::from([from.as_slice(), b"\0"].concat())),
                    };
                    index.insert(&from, &to, watcher);
                    oracle.insert(watcher, (from, to));
                }
                let wanted = key(&mut rng);
                let mut found = Vec::new();
                index.matching(&wanted, |watcher| found.push(watcher));
                found.sort_unstable();
                let expected: Vec<WatcherRef> = oracle
                    .iter()
                    .filter(|(_, (from, to))| KeyRange::new(from, to).contains(&wanted))
                    .map(|(watcher, _)| *watcher)
                    .collect();
                assert_eq!(found, expected, "seed {seed} step {step} key {wanted}");
            }
            for (watcher, (from, to)) in oracle {
                index.remove(&from, &to, watcher);
            }
            let empty = Index { next_number: index.next_number, ..Index::default() };
            assert_eq!(index, empty, "seed {seed}: nothing may be left behind");
        }
    }
}

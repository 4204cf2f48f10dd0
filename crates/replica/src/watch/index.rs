//! Finds the watchers of a key, once per event.
//!
//! Single keys are kept in an ordered map, ranges in an interval tree (Cormen et al., Introduction to Algorithms,
//! 14.3): a balanced search tree by where a range starts, in which every node knows the furthest end below it. A key
//! walks down; it skips ranges that end before the key or start after it. So n distinct ranges cost n nodes however
//! they overlap, a change costs a path, and a look-up a path for each range found, or less.
//!
//! Watchers of the same range share one node, as the thousands of watchers of one prefix do.

use super::StreamId;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Ordering;
use volvox_core::Bytes;
use volvox_store::{KeyRange, RangeEnd};

/// A watcher: its stream and its id there.
pub type WatcherRef = (StreamId, i64);

/// The index of all synced watchers, or of those that one pass catches up.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Index {
    singles: BTreeMap<Bytes, BTreeSet<WatcherRef>>,
    ranges: Tree,
}

impl Index {
    /// Adds a watcher of the keys that `key` and `range_end` select.
    pub fn insert(&mut self, key: &Bytes, range_end: &Bytes, watcher: WatcherRef) {
        match Range::of(key, range_end) {
            None => {
                self.singles.entry(key.clone()).or_default().insert(watcher);
            }
            Some(range) => insert(&mut self.ranges, range, watcher),
        }
    }

    /// Removes a watcher, if it is in the index.
    pub fn remove(&mut self, key: &Bytes, range_end: &Bytes, watcher: WatcherRef) {
        match Range::of(key, range_end) {
            None => {
                if let Some(watchers) = self.singles.get_mut(key) {
                    watchers.remove(&watcher);
                    if watchers.is_empty() {
                        self.singles.remove(key);
                    }
                }
            }
            Some(range) => remove(&mut self.ranges, &range, watcher),
        }
    }

    /// Calls `found` for every watcher of the key.
    pub fn matching(&self, key: &[u8], mut found: impl FnMut(WatcherRef)) {
        if let Some(watchers) = self.singles.get(key) {
            watchers.iter().for_each(|watcher| found(*watcher));
        }
        matching(&self.ranges, key, &mut found);
    }
}

/// A range of more than one key. The derived order is that of the tree: by start, then by end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Range {
    start: Bytes,
    end: End,
}

/// The end of a range; unbounded is behind every bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum End {
    Below(Bytes),
    Unbounded,
}

impl Range {
    /// `None` for a single key.
    fn of(key: &Bytes, range_end: &Bytes) -> Option<Range> {
        let end = match KeyRange::new(key, range_end).end {
            RangeEnd::Single => return None,
            RangeEnd::Below(_) => End::Below(range_end.clone()),
            RangeEnd::Unbounded => End::Unbounded,
        };
        Some(Range { start: key.clone(), end })
    }
}

impl End {
    fn is_behind(&self, key: &[u8]) -> bool {
        match self {
            End::Below(bound) => bound.as_slice() > key,
            End::Unbounded => true,
        }
    }
}

/// The heights of two siblings differ by one at most, so the recursions below are no deeper than 1.44 log2 n.
type Tree = Option<Box<Node>>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    range: Range,
    watchers: BTreeSet<WatcherRef>,
    left: Tree,
    right: Tree,
    height: u8,
    /// The furthest end of this range and all below.
    furthest: End,
}

impl Node {
    /// Computes the summary of a node's subtree.
    fn refresh(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let below = [&self.left, &self.right].into_iter().flatten().map(|node| &node.furthest);
        self.furthest = below.fold(&self.range.end, |furthest, end| furthest.max(end)).clone();
    }
}

fn height(tree: &Tree) -> u8 {
    tree.as_ref().map_or(0, |node| node.height)
}

fn matching(tree: &Tree, key: &[u8], found: &mut impl FnMut(WatcherRef)) {
    let Some(node) = tree.as_ref().filter(|node| node.furthest.is_behind(key)) else {
        return;
    };
    matching(&node.left, key, found);
    if node.range.start.as_slice() <= key {
        if node.range.end.is_behind(key) {
            node.watchers.iter().for_each(|watcher| found(*watcher));
        }
        matching(&node.right, key, found);
    }
}

fn insert(tree: &mut Tree, range: Range, watcher: WatcherRef) {
    let Some(node) = tree else {
        let (furthest, watchers) = (range.end.clone(), BTreeSet::from([watcher]));
        *tree = Some(Box::new(Node { range, watchers, left: None, right: None, height: 1, furthest }));
        return;
    };
    match range.cmp(&node.range) {
        Ordering::Less => insert(&mut node.left, range, watcher),
        Ordering::Greater => insert(&mut node.right, range, watcher),
        Ordering::Equal => {
            node.watchers.insert(watcher);
            return;
        }
    }
    rebalance(tree);
}

fn remove(tree: &mut Tree, range: &Range, watcher: WatcherRef) {
    let Some(node) = tree else {
        return;
    };
    match range.cmp(&node.range) {
        Ordering::Less => remove(&mut node.left, range, watcher),
        Ordering::Greater => remove(&mut node.right, range, watcher),
        Ordering::Equal => {
            node.watchers.remove(&watcher);
            if !node.watchers.is_empty() {
                return;
            }
            let (left, right) = (node.left.take(), node.right.take());
            *tree = join(left, right);
        }
    }
    rebalance(tree);
}

/// Two trees, all of the first before all of the second, of heights that differ by one at most: the first of the second
/// becomes the root.
fn join(left: Tree, mut right: Tree) -> Tree {
    let Some(mut root) = take_first(&mut right) else {
        return left;
    };
    (root.left, root.right) = (left, right);
    Some(root)
}

fn take_first(tree: &mut Tree) -> Option<Box<Node>> {
    let node = tree.as_mut()?;
    if node.left.is_none() {
        let mut first = tree.take()?;
        *tree = first.right.take();
        return Some(first);
    }
    let first = take_first(&mut node.left);
    rebalance(tree);
    first
}

/// Restores the balance of a tree of which one side has grown or shrunk by one.
fn rebalance(tree: &mut Tree) {
    let Some(node) = tree else {
        return;
    };
    if height(&node.left) > height(&node.right) + 1 {
        if let Some(left) = &node.left
            && height(&left.left) < height(&left.right)
        {
            rotate_left(&mut node.left);
        }
        rotate_right(tree);
    } else if height(&node.right) > height(&node.left) + 1 {
        if let Some(right) = &node.right
            && height(&right.right) < height(&right.left)
        {
            rotate_right(&mut node.right);
        }
        rotate_left(tree);
    } else {
        node.refresh();
    }
}

/// The left child becomes the root.
fn rotate_right(tree: &mut Tree) {
    let mut old = tree.take().expect("a tree out of balance has a root");
    let mut new = old.left.take().expect("it leans to the left");
    old.left = new.right.take();
    old.refresh();
    new.right = Some(old);
    new.refresh();
    *tree = Some(new);
}

/// The right child becomes the root.
fn rotate_left(tree: &mut Tree) {
    let mut old = tree.take().expect("a tree out of balance has a root");
    let mut new = old.right.take().expect("it leans to the right");
    old.right = new.left.take();
    old.refresh();
    new.left = Some(old);
    new.refresh();
    *tree = Some(new);
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

    /// Checks a subtree, and counts its nodes.
    fn check(tree: &Tree) -> usize {
        let Some(node) = tree else {
            return 0;
        };
        assert!(height(&node.left).abs_diff(height(&node.right)) <= 1, "out of balance at {:?}", node.range);
        assert!(node.left.as_ref().is_none_or(|left| left.range < node.range), "out of order at {:?}", node.range);
        assert!(node.right.as_ref().is_none_or(|right| right.range > node.range), "out of order at {:?}", node.range);
        assert!(!node.watchers.is_empty(), "no client watches {:?}", node.range);
        let mut fresh = node.clone();
        fresh.refresh();
        assert_eq!((fresh.height, &fresh.furthest), (node.height, &node.furthest), "at {:?}", node.range);
        1 + check(&node.left) + check(&node.right)
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
                let distinct: BTreeSet<Range> = oracle.values().filter_map(|(from, to)| Range::of(from, to)).collect();
                assert_eq!(check(&index.ranges), distinct.len(), "seed {seed} step {step}");
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
            assert_eq!(index, Index::default(), "seed {seed}: nothing may be left behind");
        }
    }

    /// Ranges inside of one another, each over half of all others: an index that lists for each interval the ranges that
    /// cover it would hold the square of their number.
    #[test]
    fn ranges_inside_of_one_another_cost_a_node_each() {
        const COUNT: u32 = 20_000;
        let at = |place: u32| Bytes::from(&place.to_be_bytes()[..]);
        let mut index = Index::default();
        for number in 0..COUNT {
            index.insert(&at(number), &at(2 * COUNT - number), (StreamId(1), i64::from(number)));
        }
        assert_eq!(check(&index.ranges), COUNT as usize);
        assert!(height(&index.ranges) <= 21, "1.44 log2 of 20,000 is 20.6");
        let found = |place: u32| {
            let mut count = 0;
            index.matching(&at(place), |_| count += 1);
            count
        };
        assert_eq!([0, 99, COUNT, 2 * COUNT - 100, 2 * COUNT].map(found), [1, 100, COUNT, 100, 0]);
    }
}

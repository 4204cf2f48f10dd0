//! An ordered map from byte strings, as a persistent B+tree: a clone costs one reference count, and then shares every
//! node until one side changes it.
//!
//! A leaf is plain memory: its keys are end to end in one buffer, its values beside them. Copying a leaf that a view
//! still holds is three `memcpy`s, and touches no reference count: that is what keeps a write cheap while each batch
//! publishes a view. An inner node knows for each child how many entries lie below it, and how many of these *count* (a
//! deleted key that old revisions still need is an entry that does not), so the exact size of a range takes two
//! descents, and a walk skips subtrees in which nothing counts.
//!
//! Balance is simple: a node that grows too large is split, one that shrinks is joined with a neighbour when both fit.
//! All leaves are equally deep. Nodes are bounded by bytes too, so that large keys do not make large copies.

mod iter;
mod keys;
mod node;
#[cfg(test)]
mod tests;

use crate::key_range::{KeyRange, RangeEnd};
use alloc::sync::Arc;
use core::ops::{Add, AddAssign, Sub};
pub(crate) use iter::{Backward, Forward};
use node::{Inner, Leaf, Node};

/// An item of a tree.
pub(crate) trait Value: Clone {
    /// Whether it counts.
    fn counts(&self) -> bool {
        true
    }
}

impl Value for () {}

/// The size of a subtree or range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Weight {
    /// All entries.
    pub entries: u64,
    /// Those that count.
    pub counted: u64,
}

impl Add for Weight {
    type Output = Weight;
    fn add(self, other: Weight) -> Weight {
        Weight { entries: self.entries + other.entries, counted: self.counted + other.counted }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        *self = *self + other;
    }
}

impl Sub for Weight {
    type Output = Weight;
    fn sub(self, other: Weight) -> Weight {
        Weight { entries: self.entries - other.entries, counted: self.counted - other.counted }
    }
}

/// The map.
#[derive(Clone)]
pub(crate) struct Tree<V> {
    root: Arc<Node<V>>,
    weight: Weight,
}

impl<V: Value> Default for Tree<V> {
    fn default() -> Tree<V> {
        Tree { root: Arc::new(Node::Leaf(Leaf::default())), weight: Weight::default() }
    }
}

impl<V: Value> Tree<V> {
    /// The size of the map.
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(inner) => node = &inner.children[inner.child_of(key)].node,
                Node::Leaf(leaf) => return leaf.keys.find(key).ok().map(|at| &leaf.values[at]),
            }
        }
    }

    /// Sets the value of a key; the one before, if any.
    pub fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        let root = Arc::make_mut(&mut self.root);
        let counted = u64::from(value.counts());
        let (before, split) = root.insert(key, value);
        self.weight.counted += counted;
        match &before {
            Some(value) => self.weight.counted -= u64::from(value.counts()),
            None => self.weight.entries += 1,
        }
        if let Some((separator, right)) = split {
            let left = core::mem::replace(root, Node::Leaf(Leaf::default()));
            *root = Node::Inner(Inner::of_two(left, &separator, right));
        }
        before
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        // Looking first keeps a miss from copying a path.
        self.get(key)?;
        let root = Arc::make_mut(&mut self.root);
        let value = root.remove(key).expect("the key was found");
        self.weight.entries -= 1;
        self.weight.counted -= u64::from(value.counts());
        while let Node::Inner(inner) = &*self.root
            && inner.children.len() == 1
        {
            self.root = Arc::clone(&inner.children[0].node);
        }
        Some(value)
    }

    /// The size of a range, in two descents.
    pub fn weight_of(&self, range: &KeyRange<'_>) -> Weight {
        if range.is_empty() {
            return Weight::default();
        }
        match range.end {
            RangeEnd::Single => match self.get(range.begin) {
                Some(value) => Weight { entries: 1, counted: u64::from(value.counts()) },
                None => Weight::default(),
            },
            RangeEnd::Below(bound) => self.weight_below(bound) - self.weight_below(range.begin),
            RangeEnd::Unbounded => self.weight - self.weight_below(range.begin),
        }
    }

    /// The entries of a range, ascending; with `counted_only`, those that count.
    pub fn forward<'a>(&'a self, range: KeyRange<'a>, counted_only: bool) -> Forward<'a, V> {
        Forward::new(&self.root, range, counted_only)
    }

    /// The entries of a range, descending.
    pub fn backward<'a>(&'a self, range: KeyRange<'a>, counted_only: bool) -> Backward<'a, V> {
        Backward::new(&self.root, range, counted_only)
    }

    fn weight_below(&self, key: &[u8]) -> Weight {
        let mut below = Weight::default();
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(inner) => {
                    let at = inner.child_of(key);
                    for child in &inner.children[..at] {
                        below += child.weight;
                    }
                    node = &inner.children[at].node;
                }
                Node::Leaf(leaf) => {
                    let at = leaf.keys.find(key).unwrap_or_else(|at| at);
                    return below + leaf.weight_of_first(at);
                }
            }
        }
    }
}

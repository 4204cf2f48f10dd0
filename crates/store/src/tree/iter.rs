//! Walks over a range, in both directions.

use super::Value;
use super::node::{Inner, Leaf, Node};
use crate::key_range::{KeyRange, RangeEnd};
use alloc::vec::Vec;

/// Ascending.
pub(crate) struct Forward<'a, V> {
    /// Inner nodes on the way, each with the next child to visit.
    path: Vec<(&'a Inner<V>, usize)>,
    leaf: &'a [V],
    keys: Option<&'a Leaf<V>>,
    /// The next entry of the leaf.
    at: usize,
    range: KeyRange<'a>,
    counted_only: bool,
}

impl<'a, V: Value> Forward<'a, V> {
    pub(super) fn new(root: &'a Node<V>, range: KeyRange<'a>, counted_only: bool) -> Forward<'a, V> {
        let mut walk = Forward { path: Vec::new(), leaf: &[], keys: None, at: 0, range, counted_only };
        if range.is_empty() {
            return walk;
        }
        let mut node = root;
        while let Node::Inner(inner) = node {
            let at = inner.child_of(range.begin);
            walk.path.push((inner, at + 1));
            node = &inner.children[at].node;
        }
        if let Node::Leaf(leaf) = node {
            walk.enter(leaf, leaf.keys.find(range.begin).unwrap_or_else(|at| at));
        }
        walk
    }

    fn enter(&mut self, leaf: &'a Leaf<V>, at: usize) {
        self.leaf = &leaf.values;
        self.keys = Some(leaf);
        self.at = at;
    }

    fn next_leaf(&mut self) -> bool {
        while let Some((inner, next)) = self.path.last_mut() {
            let Some(child) = inner.children.get(*next) else {
                self.path.pop();
                continue;
            };
            *next += 1;
            if self.counted_only && child.weight.counted == 0 {
                continue;
            }
            match &*child.node {
                Node::Inner(inner) => self.path.push((inner, 0)),
                Node::Leaf(leaf) => {
                    self.enter(leaf, 0);
                    return true;
                }
            }
        }
        self.leaf = &[];
        false
    }
}

impl<'a, V: Value> Iterator for Forward<'a, V> {
    type Item = (&'a [u8], &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(value) = self.leaf.get(self.at) {
                let at = self.at;
                self.at += 1;
                if self.counted_only && !value.counts() {
                    continue;
                }
                let key = self.keys.expect("a leaf was entered").keys.get(at);
                if !self.range.reaches(key) {
                    self.leaf = &[];
                    self.path.clear();
                    return None;
                }
                return Some((key, value));
            }
            if !self.next_leaf() {
                return None;
            }
        }
    }
}

/// Descending.
pub(crate) struct Backward<'a, V> {
    /// Inner nodes on the way, each with how many children are left to visit.
    path: Vec<(&'a Inner<V>, usize)>,
    leaf: Option<&'a Leaf<V>>,
    /// How many entries of the leaf are left.
    left: usize,
    range: KeyRange<'a>,
    counted_only: bool,
}

impl<'a, V: Value> Backward<'a, V> {
    pub(super) fn new(root: &'a Node<V>, range: KeyRange<'a>, counted_only: bool) -> Backward<'a, V> {
        let mut walk = Backward { path: Vec::new(), leaf: None, left: 0, range, counted_only };
        if range.is_empty() {
            return walk;
        }
        let mut node = root;
        while let Node::Inner(inner) = node {
            let at = match range.end {
                RangeEnd::Single => inner.child_of(range.begin),
                RangeEnd::Below(bound) => inner.child_of(bound),
                RangeEnd::Unbounded => inner.children.len() - 1,
            };
            walk.path.push((inner, at));
            node = &inner.children[at].node;
        }
        if let Node::Leaf(leaf) = node {
            walk.leaf = Some(leaf);
            walk.left = match range.end {
                RangeEnd::Single => leaf.keys.find(range.begin).map_or_else(|at| at, |at| at + 1),
                RangeEnd::Below(bound) => leaf.keys.find(bound).unwrap_or_else(|at| at),
                RangeEnd::Unbounded => leaf.values.len(),
            };
        }
        walk
    }

    fn previous_leaf(&mut self) -> bool {
        while let Some((inner, left)) = self.path.last_mut() {
            if *left == 0 {
                self.path.pop();
                continue;
            }
            *left -= 1;
            let child = &inner.children[*left];
            if self.counted_only && child.weight.counted == 0 {
                continue;
            }
            match &*child.node {
                Node::Inner(inner) => self.path.push((inner, inner.children.len())),
                Node::Leaf(leaf) => {
                    self.leaf = Some(leaf);
                    self.left = leaf.values.len();
                    return true;
                }
            }
        }
        self.leaf = None;
        false
    }
}

impl<'a, V: Value> Iterator for Backward<'a, V> {
    type Item = (&'a [u8], &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let leaf = self.leaf?;
            while self.left > 0 {
                self.left -= 1;
                let value = &leaf.values[self.left];
                if self.counted_only && !value.counts() {
                    continue;
                }
                let key = leaf.keys.get(self.left);
                if key < self.range.begin {
                    self.leaf = None;
                    return None;
                }
                return Some((key, value));
            }
            if !self.previous_leaf() {
                return None;
            }
        }
    }
}

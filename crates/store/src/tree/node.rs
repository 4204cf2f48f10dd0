//! Nodes: how they grow, split, shrink and join.

use super::keys::{Keys, reserve_tightly};
use super::{Value, Weight};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// A leaf is split beyond this many entries.
pub(super) const LEAF_ENTRIES_MAX: usize = 64;
/// An inner node is split beyond this many children. Copying one touches the reference count of each.
pub(super) const CHILDREN_MAX: usize = 32;
/// A node of two or more keys is split beyond this many bytes of keys.
const KEY_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone)]
pub(super) enum Node<V> {
    Leaf(Leaf<V>),
    Inner(Inner<V>),
}

#[derive(Clone)]
pub(super) struct Leaf<V> {
    pub keys: Keys,
    pub values: Vec<V>,
}

#[derive(Clone)]
pub(super) struct Inner<V> {
    /// `separators[i]`: above every key in `children[i]`, not above any in `children[i + 1]`.
    pub separators: Keys,
    pub children: Vec<Child<V>>,
}

#[derive(Clone)]
pub(super) struct Child<V> {
    pub node: Arc<Node<V>>,
    pub weight: Weight,
}

/// The right half of a node that was split, and what separates it from the left.
type Split<V> = Option<(Vec<u8>, Node<V>)>;

impl<V> Default for Leaf<V> {
    fn default() -> Leaf<V> {
        Leaf { keys: Keys::default(), values: Vec::new() }
    }
}

impl<V: Value> Node<V> {
    pub fn insert(&mut self, key: &[u8], value: V) -> (Option<V>, Split<V>) {
        match self {
            Node::Leaf(leaf) => leaf.insert(key, value),
            Node::Inner(inner) => inner.insert(key, value),
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        match self {
            Node::Leaf(leaf) => leaf.remove(key),
            Node::Inner(inner) => inner.remove(key),
        }
    }

    fn weight(&self) -> Weight {
        match self {
            Node::Leaf(leaf) => leaf.weight_of_first(leaf.values.len()),
            Node::Inner(inner) => inner.children.iter().fold(Weight::default(), |sum, child| sum + child.weight),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.values.is_empty(),
            Node::Inner(inner) => inner.children.is_empty(),
        }
    }

    fn is_small(&self) -> bool {
        match self {
            Node::Leaf(leaf) => leaf.values.len() < LEAF_ENTRIES_MAX / 4,
            Node::Inner(inner) => inner.children.len() < CHILDREN_MAX / 4,
        }
    }

    /// Whether a node of both would still have room to grow.
    fn fits_with(&self, right: &Node<V>) -> bool {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                left.values.len() + right.values.len() <= LEAF_ENTRIES_MAX * 3 / 4
                    && left.keys.byte_length() + right.keys.byte_length() <= KEY_BYTES_MAX * 3 / 4
            }
            (Node::Inner(left), Node::Inner(right)) => {
                left.children.len() + right.children.len() <= CHILDREN_MAX * 3 / 4
                    && left.separators.byte_length() + right.separators.byte_length() <= KEY_BYTES_MAX * 3 / 4
            }
            _ => unreachable!("siblings are of one kind: all leaves are equally deep"),
        }
    }

    /// Appends the entries of the right neighbour.
    fn join(&mut self, separator: &[u8], right: &Node<V>) {
        match (self, right) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                left.keys.append(&right.keys);
                left.values.extend_from_slice(&right.values);
            }
            (Node::Inner(left), Node::Inner(right)) => {
                left.separators.insert(left.separators.len(), separator);
                left.separators.append(&right.separators);
                left.children.extend_from_slice(&right.children);
            }
            _ => unreachable!("siblings are of one kind: all leaves are equally deep"),
        }
    }
}

impl<V: Value> Leaf<V> {
    /// How much the first `count` entries weigh.
    pub fn weight_of_first(&self, count: usize) -> Weight {
        let counted = self.values[..count].iter().filter(|value| value.counts()).count();
        Weight { entries: count as u64, counted: counted as u64 }
    }

    fn insert(&mut self, key: &[u8], value: V) -> (Option<V>, Split<V>) {
        let at = match self.keys.find(key) {
            Ok(at) => return (Some(core::mem::replace(&mut self.values[at], value)), None),
            Err(at) => at,
        };
        self.keys.insert(at, key);
        reserve_tightly(&mut self.values, 1);
        self.values.insert(at, value);
        let count = self.values.len();
        if count <= LEAF_ENTRIES_MAX && (count < 2 || self.keys.byte_length() <= KEY_BYTES_MAX) {
            return (None, None);
        }
        let middle = split_point(count, at);
        let separator = shortest_between(self.keys.get(middle - 1), self.keys.get(middle)).to_vec();
        let right = Leaf { keys: self.keys.split_off(middle), values: self.values.split_off(middle) };
        self.values.shrink_to_fit();
        (None, Some((separator, Node::Leaf(right))))
    }

    fn remove(&mut self, key: &[u8]) -> Option<V> {
        let at = self.keys.find(key).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }
}

impl<V: Value> Inner<V> {
    pub fn of_two(left: Node<V>, separator: &[u8], right: Node<V>) -> Inner<V> {
        let mut separators = Keys::default();
        separators.insert(0, separator);
        Inner { separators, children: vec![Child::new(left), Child::new(right)] }
    }

    /// The child that a key belongs to.
    pub fn child_of(&self, key: &[u8]) -> usize {
        match self.separators.find(key) {
            Ok(at) => at + 1,
            Err(at) => at,
        }
    }

    fn insert(&mut self, key: &[u8], value: V) -> (Option<V>, Split<V>) {
        let at = self.child_of(key);
        let child = &mut self.children[at];
        let counted = u64::from(value.counts());
        let (before, split) = Arc::make_mut(&mut child.node).insert(key, value);
        let Some((separator, right)) = split else {
            child.weight.counted += counted;
            match &before {
                Some(value) => child.weight.counted -= u64::from(value.counts()),
                None => child.weight.entries += 1,
            }
            return (before, None);
        };
        child.weight = child.node.weight();
        self.separators.insert(at, &separator);
        self.children.insert(at + 1, Child::new(right));
        let count = self.children.len();
        if count <= CHILDREN_MAX && (count < 4 || self.separators.byte_length() <= KEY_BYTES_MAX) {
            return (before, None);
        }
        (before, Some(self.split(split_point(count, at + 1))))
    }

    fn split(&mut self, middle: usize) -> (Vec<u8>, Node<V>) {
        let separator = self.separators.get(middle - 1).to_vec();
        let right = self.separators.split_off(middle);
        self.separators.remove(middle - 1);
        let right = Inner { separators: right, children: self.children.split_off(middle) };
        (separator, Node::Inner(right))
    }

    fn remove(&mut self, key: &[u8]) -> Option<V> {
        let at = self.child_of(key);
        let child = &mut self.children[at];
        let value = Arc::make_mut(&mut child.node).remove(key)?;
        child.weight.entries -= 1;
        child.weight.counted -= u64::from(value.counts());
        if child.node.is_empty() {
            self.children.remove(at);
            if !self.children.is_empty() {
                self.separators.remove(at.saturating_sub(1));
            }
        } else if child.node.is_small() {
            self.join_with_neighbour(at);
        }
        Some(value)
    }

    fn join_with_neighbour(&mut self, at: usize) {
        let last = self.children.len() - 1;
        for left in [at.checked_sub(1), (at < last).then_some(at)].into_iter().flatten() {
            if self.children[left].node.fits_with(&self.children[left + 1].node) {
                let right = self.children.remove(left + 1);
                let child = &mut self.children[left];
                Arc::make_mut(&mut child.node).join(self.separators.get(left), &right.node);
                child.weight += right.weight;
                self.separators.remove(left);
                return;
            }
        }
    }
}

impl<V: Value> Child<V> {
    fn new(node: Node<V>) -> Child<V> {
        let weight = node.weight();
        Child { node: Arc::new(node), weight }
    }
}

/// The place to split `count` items when the one at `inserted` was too many. Keys that come in ascending order would
/// leave every node half full if it were always the middle.
fn split_point(count: usize, inserted: usize) -> usize {
    if inserted == count - 1 { (count * 7 / 8).clamp(1, count - 1) } else { count / 2 }
}

/// The shortest byte string above `left` and not above `right`.
fn shortest_between<'a>(left: &[u8], right: &'a [u8]) -> &'a [u8] {
    let shared = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    &right[..shared + 1]
}

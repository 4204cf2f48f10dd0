use super::node::{CHILDREN_MAX, LEAF_ENTRIES_MAX, Node};
use super::*;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use volvox_core::Rng;

/// Counts when even.
impl Value for u32 {
    fn counts(&self) -> bool {
        self.is_multiple_of(2)
    }
}

type Model = BTreeMap<Vec<u8>, u32>;

fn random_key(rng: &mut Rng, space: u64) -> Vec<u8> {
    let number = rng.below(space);
    match rng.below(20) {
        0 => format!("k{number}{}", "x".repeat(rng.below(600) as usize)).into_bytes(),
        1 => Vec::from([rng.below(3) as u8]),
        _ => format!("k{number:05}").into_bytes(),
    }
}

fn check_shape(tree: &Tree<u32>) {
    fn depth(node: &Node<u32>, root: bool) -> (usize, Weight) {
        match node {
            Node::Leaf(leaf) => {
                assert!(leaf.values.len() <= LEAF_ENTRIES_MAX && leaf.keys.len() == leaf.values.len());
                assert!(root || !leaf.values.is_empty());
                (0, leaf.weight_of_first(leaf.values.len()))
            }
            Node::Inner(inner) => {
                assert!(!inner.children.is_empty() && inner.children.len() <= CHILDREN_MAX);
                assert_eq!(inner.separators.len(), inner.children.len() - 1);
                let depths: Vec<_> = inner.children.iter().map(|child| depth(&child.node, false)).collect();
                let mut sum = Weight::default();
                for (child, (below, weight)) in inner.children.iter().zip(&depths) {
                    assert_eq!(child.weight, *weight);
                    assert_eq!(*below, depths[0].0, "all leaves are equally deep");
                    sum += *weight;
                }
                (depths[0].0 + 1, sum)
            }
        }
    }
    assert_eq!(depth(&tree.root, true).1, tree.weight);
}

fn check_range(tree: &Tree<u32>, model: &Model, key: &[u8], range_end: &[u8]) {
    let range = KeyRange::new(key, range_end);
    let expected: Vec<(&[u8], &u32)> =
        model.iter().filter(|(key, _)| range.contains(key)).map(|(k, v)| (k.as_slice(), v)).collect();
    let counted: Vec<_> = expected.iter().copied().filter(|(_, value)| value.counts()).collect();
    assert_eq!(tree.forward(range, false).collect::<Vec<_>>(), expected);
    assert_eq!(tree.forward(range, true).collect::<Vec<_>>(), counted);
    let weight = Weight { entries: expected.len() as u64, counted: counted.len() as u64 };
    assert_eq!(tree.weight_of(&range), weight);
    let mut reversed = tree.backward(range, false).collect::<Vec<_>>();
    reversed.reverse();
    assert_eq!(reversed, expected);
    let mut reversed = tree.backward(range, true).collect::<Vec<_>>();
    reversed.reverse();
    assert_eq!(reversed, counted);
}

fn check_all(tree: &Tree<u32>, model: &Model) {
    check_shape(tree);
    assert_eq!(tree.weight().entries, model.len() as u64);
    check_range(tree, model, b"\0", b"\0");
}

#[test]
fn behaves_as_a_sorted_map_and_old_clones_stay() {
    for seed in 0..6 {
        let mut rng = Rng::new(seed);
        let (mut tree, mut model) = (Tree::default(), Model::new());
        let mut kept: Vec<(Tree<u32>, Model)> = Vec::new();
        let space = [20, 300, 4000][seed as usize % 3];
        for step in 0..6000u32 {
            let key = random_key(&mut rng, space);
            // Phases of growth and of shrinking, so that nodes split and join.
            let grow = if step / 1500 % 2 == 0 { 8 } else { 2 };
            if rng.below(10) < grow {
                assert_eq!(tree.insert(&key, step), model.insert(key.clone(), step), "seed {seed}");
            } else {
                assert_eq!(tree.remove(&key), model.remove(&key), "seed {seed}");
            }
            assert_eq!(tree.get(&key), model.get(&key), "seed {seed}");
            if step % 97 == 0 {
                let (a, b) = (random_key(&mut rng, space), random_key(&mut rng, space));
                check_range(&tree, &model, &a, &b);
                check_range(&tree, &model, &a, b"");
                check_range(&tree, &model, &a, b"\0");
            }
            if step % 701 == 0 {
                check_all(&tree, &model);
                kept.push((tree.clone(), model.clone()));
            }
        }
        for key in model.keys().cloned().collect::<Vec<_>>() {
            assert!(tree.remove(&key).is_some());
        }
        assert_eq!(tree.weight(), Weight::default());
        for (tree, model) in &kept {
            check_all(tree, model);
        }
    }
}

#[test]
fn ascending_keys_fill_the_leaves() {
    let mut tree = Tree::default();
    for number in 0..10_000u32 {
        tree.insert(format!("key{number:08}").as_bytes(), number);
    }
    fn leaves(node: &Node<u32>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Inner(inner) => inner.children.iter().map(|child| leaves(&child.node)).sum(),
        }
    }
    let fill = 10_000 / leaves(&tree.root);
    assert!(fill >= LEAF_ENTRIES_MAX * 3 / 4, "{fill} entries a leaf");
}

#[test]
fn a_miss_copies_nothing() {
    let mut tree = Tree::default();
    tree.insert(b"a", 1);
    let view = tree.clone();
    assert_eq!(tree.remove(b"b"), None);
    assert!(Arc::ptr_eq(&tree.root, &view.root));
}

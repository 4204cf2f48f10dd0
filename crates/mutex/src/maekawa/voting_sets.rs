//! Voting sets of which any two share a node.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use volvox_core::NodeId;

/// Perfect difference sets: of K numbers below N = K(K-1) + 1, every difference modulo N occurs once. Moved by one place at
/// a time they are the lines of a finite projective plane, of which any two share exactly one point (Singer 1938).
const DIFFERENCE_SETS: [(usize, &[usize]); 5] =
    [(3, &[0, 1]), (7, &[0, 1, 3]), (13, &[0, 1, 3, 9]), (21, &[0, 1, 4, 14, 16]), (31, &[0, 1, 3, 8, 12, 18])];

/// The voting set of a node, which contains it: a line of a projective plane where one is known, otherwise its row and its
/// column in a square. Without the rule `intersection` a node and the next one, so that most sets are disjoint.
pub fn voting_set(id: NodeId, members: &[NodeId], intersects: bool) -> BTreeSet<NodeId> {
    let nodes: Vec<NodeId> = members.iter().copied().chain([id]).collect::<BTreeSet<_>>().into_iter().collect();
    let place = nodes.iter().position(|node| *node == id).expect("a node is a member");
    let plane = DIFFERENCE_SETS.iter().find(|(size, _)| *size == nodes.len());
    match plane {
        _ if !intersects => [id, nodes[(place + 1) % nodes.len()]].into(),
        Some((size, differences)) => differences.iter().map(|step| nodes[(place + step) % size]).collect(),
        None => {
            let side = (1..).find(|side| side * side >= nodes.len()).expect("a square is large enough");
            let is_in_line = |other: usize| other / side == place / side || other % side == place % side;
            nodes.iter().enumerate().filter(|(other, _)| is_in_line(*other)).map(|(_, node)| *node).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn sets(nodes: u64) -> Vec<BTreeSet<NodeId>> {
        let members: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        members.iter().map(|id| voting_set(*id, &members, true)).collect()
    }

    #[test]
    fn any_two_voting_sets_share_a_node() {
        for nodes in 1..=64 {
            let sets = sets(nodes);
            for (index, set) in sets.iter().enumerate() {
                assert!(set.contains(&NodeId(index as u64 + 1)), "N={nodes}: a node belongs to its own set");
                assert!(sets.iter().all(|other| !set.is_disjoint(other)), "N={nodes}: {set:?}");
            }
        }
    }

    #[test]
    fn lines_of_a_plane_share_exactly_one_node() {
        for (nodes, size) in [(3, 2), (7, 3), (13, 4), (21, 5), (31, 6)] {
            let sets = sets(nodes);
            for (index, set) in sets.iter().enumerate() {
                assert_eq!(set.len(), size, "N={nodes}");
                let shared = |other: &BTreeSet<NodeId>| set.intersection(other).count();
                assert!(sets[index + 1..].iter().all(|other| shared(other) == 1), "{}", format!("N={nodes}: {set:?}"));
            }
        }
    }
}

//! Full queues: where a model shows less than what it is a model of.

use volvox_core::NodeId;

/// A queue that was full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// From whom.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// How many messages were dropped there, in all steps together.
    pub dropped: u64,
}

impl Overflow {
    /// What came since `before`.
    pub(crate) fn since(before: &[Overflow], mut after: Vec<Overflow>) -> Vec<Overflow> {
        for link in &mut after {
            let earlier = before.iter().find(|one| (one.from, one.to) == (link.from, link.to));
            link.dropped -= earlier.map_or(0, |one| one.dropped);
        }
        after.retain(|link| link.dropped > 0);
        after
    }
}

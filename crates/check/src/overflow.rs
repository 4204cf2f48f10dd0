//! Full queues: they make a model show less than the real system.

use volvox_core::NodeId;

/// A queue that overflowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// The number of messages dropped there, over all steps.
    pub dropped: u64,
}

impl Overflow {
    /// The difference since `before`.
    pub(crate) fn since(before: &[Overflow], mut after: Vec<Overflow>) -> Vec<Overflow> {
        for link in &mut after {
            let earlier = before.iter().find(|one| (one.from, one.to) == (link.from, link.to));
            link.dropped -= earlier.map_or(0, |one| one.dropped);
        }
        after.retain(|link| link.dropped > 0);
        after
    }
}

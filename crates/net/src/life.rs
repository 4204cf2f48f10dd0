//! Which life of its storage a node lives.

use volvox_core::{Incarnation, NodeId};
use volvox_disk::Loss;

/// Which incarnation a node lives in, and how that began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Which cluster.
    pub cluster: u64,
    /// Which node.
    pub node: NodeId,
    /// Which life.
    pub incarnation: Incarnation,
    /// How it began.
    pub began: Began,
}

/// How this incarnation began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Began {
    /// The folder was empty.
    Fresh,
    /// The folder held everything that was ever acknowledged: the life before goes on.
    Resumed,
    /// The folder had lost records: the life before is over, and this is a fresh one.
    AfterLoss(Loss),
}

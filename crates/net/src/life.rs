//! The incarnation of a node's storage.

use volvox_core::{Incarnation, NodeId};
use volvox_disk::Loss;

/// A node's incarnation, and how it began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// The cluster.
    pub cluster: u64,
    /// The node.
    pub node: NodeId,
    /// The incarnation.
    pub incarnation: Incarnation,
    /// How it began.
    pub began: Began,
}

/// How this incarnation began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Began {
    /// The folder was empty.
    Fresh,
    /// The folder held everything that was ever acknowledged: the life before continues.
    Resumed,
    /// The folder had lost records: the life before is over, and this is a new one.
    AfterLoss(Loss),
}

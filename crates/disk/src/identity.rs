//! Whose log a folder holds.

use volvox_core::{Incarnation, NodeId};

/// Whose log it is; written once a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster that the node belongs to.
    pub cluster: u64,
    /// The node, forever.
    pub node: NodeId,
    /// Which life of its storage this is.
    pub incarnation: Incarnation,
    /// A random number, another one each life. It is part of the checksums of batches, so that neither what an earlier
    /// life wrote nor bytes that a client chose can pass for one. No client may learn it.
    pub nonce: u64,
}

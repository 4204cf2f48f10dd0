//! The owner of the log in a folder.

use volvox_core::{Incarnation, NodeId};

/// The owner of the log; written once per life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster that the node belongs to.
    pub cluster: u64,
    /// The node, forever.
    pub node: NodeId,
    /// The incarnation of its storage.
    pub incarnation: Incarnation,
    /// A random number, different in each life. It is part of the checksums of batches, so that neither what an earlier
    /// life wrote nor bytes that a client chose can pass for one. No client may learn it.
    pub nonce: u64,
}

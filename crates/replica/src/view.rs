//! The view for readers: immutable, and cloned in constant time.

use crate::members::Member;
use crate::tokens::Tokens;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::{Incarnation, NodeId};
use volvox_raft::RoleKind;

/// The view that a door reads.
#[derive(Clone, Debug)]
pub struct View {
    /// The store, as it is after the last applied entry.
    pub store: volvox_store::View,
    /// The status of this node.
    pub status: Status,
    /// All members, sorted by id.
    pub members: Arc<Vec<Member>>,
    /// The clients that logged in.
    pub tokens: Arc<Tokens>,
}

/// The status of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// The node.
    pub id: NodeId,
    /// The id of the cluster.
    pub cluster: u64,
    /// The incarnation of its storage.
    pub incarnation: Incarnation,
    /// Its term.
    pub term: u64,
    /// Its role.
    pub role: RoleKind,
    /// The leader that it follows; itself when it leads.
    pub leader: Option<NodeId>,
    /// Whether the members' table gives it no vote.
    pub is_learner: bool,
    /// Whether the Raft configuration counts this incarnation's vote.
    pub votes: bool,
    /// The last entry known committed.
    pub commit_index: u64,
    /// The last entry applied.
    pub applied_index: u64,
    /// How often it saw the leader change.
    pub leader_changes: u64,
    /// How much the store may hold.
    pub quota_bytes: i64,
    /// Requests that wait for consensus.
    pub proposals_pending: u64,
    /// Proposals of this node that failed.
    pub proposals_failed: u64,
    /// Leases that this node revoked because their time was over.
    pub leases_expired: u64,
    /// Watchers: all of them.
    pub watchers: u64,
    /// Watchers that are behind.
    pub watchers_behind: u64,
    /// Watch streams.
    pub watch_streams: u64,
}

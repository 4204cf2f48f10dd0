//! The requests of clients, their callers, and the limits of this member.

use volvox_core::NodeId;
use volvox_replica::MemberRequest;
use volvox_store::{
    AlarmRequest, CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
    RangeRequest, TxnRequest,
};

/// A request of a client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Reads pairs (book/src/etcd.md#4.1).
    Range(RangeRequest),
    /// Writes a pair.
    Put(PutRequest),
    /// Deletes pairs.
    DeleteRange(DeleteRangeRequest),
    /// Runs a transaction (book/src/etcd.md#4.5).
    Txn(TxnRequest),
    /// Drops history.
    Compact(CompactionRequest),
    /// Makes a lease (book/src/etcd.md#6.1).
    LeaseGrant {
        /// The wish; an id of 0 leaves the choice to the server.
        wish: LeaseGrantRequest,
        /// The chance from which an id is chosen: different for each request, on every member.
        seed: u64,
    },
    /// Ends a lease.
    LeaseRevoke(LeaseRevokeRequest),
    /// Renews a lease: one message of a stream that was admitted when it was opened.
    LeaseKeepAlive {
        /// The lease.
        lease: i64,
    },
    /// How long a lease still lives.
    LeaseTimeToLive {
        /// The lease.
        lease: i64,
        /// Whether to list the attached keys.
        keys: bool,
    },
    /// All leases that this member knows.
    Leases,
    /// Changes the members.
    Member(MemberRequest),
    /// All members.
    Members {
        /// As the cluster knows them, or as this member does.
        linearizable: bool,
    },
    /// Lists, raises or clears alarms (book/src/etcd.md#8.2).
    Alarm(AlarmRequest),
    /// The status of this member by itself.
    Status,
    /// Releases space: nothing is to be done, since it is released as soon as it is free.
    Defragment,
    /// A hash of everything.
    Hash,
    /// A hash of the history up to a revision; 0: the newest.
    HashKv {
        /// The revision.
        revision: i64,
    },
    /// A copy of the state.
    Snapshot,
    /// Hands leadership over.
    MoveLeader {
        /// The member that takes over.
        to: NodeId,
    },
    /// Asks for admission only: a stream opens, whose messages are requests of their own, or a client asks whether the
    /// server serves.
    Contact,
    /// Asks whether a linearizable read would be answered.
    Confirm,
}

/// The caller of a request, as its door knows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Caller {
    /// The user.
    pub identity: Identity,
    /// The caller wants to be refused while no leader is known (book/src/etcd.md#13.5).
    pub requires_leader: bool,
    /// The caller describes itself in a way that its door cannot read.
    pub is_malformed: bool,
}

/// The user on whose behalf a request is made.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Identity {
    /// No user is named. There are no users yet, so everything is allowed.
    #[default]
    Anonymous,
}

/// The limits of this member. Members may differ in them: they are checked before a request goes into the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// Operations in one level of a transaction.
    pub txn_operations_max: usize,
    /// The shortest life of a lease, in seconds (book/src/etcd.md#6.1).
    pub lease_ttl_seconds_min: i64,
    /// How many pairs of a long read are looked up before others get a turn.
    pub pairs_a_turn: usize,
    /// How many records are hashed before others get a turn.
    pub records_a_turn: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { txn_operations_max: 128, lease_ttl_seconds_min: 2, pairs_a_turn: 2000, records_a_turn: 10_000 }
    }
}

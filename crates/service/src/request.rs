//! The requests of clients, their callers, and the limits of this member.

use alloc::string::String;
use volvox_core::{Bytes, NodeId};
use volvox_replica::{MemberRequest, Token};
use volvox_store::{
    AlarmRequest, AuthCommand, CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest,
    PutRequest, RangeRequest, TxnRequest, UserIdentity,
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
    /// Asks whether a range may be watched, before the replica is asked to watch it.
    Watch {
        /// The first key, or the only one.
        key: Bytes,
        /// The end of the range.
        range_end: Bytes,
    },
    /// Changes users and roles; not for logging in.
    Auth(AuthCommand),
    /// Reads users and roles.
    AuthRead(AuthRead),
    /// Logs in (book/src/etcd.md#9.2).
    Authenticate {
        /// The user.
        name: String,
        /// Random letters of a token, fresh for each request; empty where the member signs its tokens.
        letters: String,
    },
    /// Asks for admission only: a stream opens, whose messages are requests of their own, or a client asks whether the
    /// server serves.
    Contact,
    /// Asks whether a linearizable read would be answered.
    Confirm,
}

/// A read of users and roles.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AuthRead {
    /// Whether auth is on.
    Status,
    /// The roles of a user.
    User(String),
    /// The names of all users.
    Users,
    /// The permissions of a role.
    Role(String),
    /// The names of all roles.
    Roles,
}

/// The caller of a request, as its door knows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Caller {
    /// The proof of who it is.
    pub credentials: Credentials,
    /// The caller wants to be refused while no leader is known (book/src/etcd.md#13.5).
    pub requires_leader: bool,
    /// The caller describes itself in a way that its door cannot read.
    pub is_malformed: bool,
}

/// The proof of who a caller is, as far as its door could check it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Credentials {
    /// None.
    #[default]
    None,
    /// A simple token, which the cluster knows or does not.
    Token(Token),
    /// A signed token names this user, and has not expired.
    Signed(UserIdentity),
    /// A verified certificate names this user.
    Certificate(String),
    /// A token whose signature or form is wrong, or that has expired.
    Invalid,
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

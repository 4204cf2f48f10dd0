//! The answers to requests.

use crate::reading::{Hashing, Reading};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use volvox_core::Bytes;
use volvox_replica::{Member, Token, View};
use volvox_store::{AlarmMember, Permission, Reply as Written, TxnResponse, UserIdentity};

/// The header of every answer (book/src/etcd.md#3.2): who answers, and in which state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Header {
    /// The cluster.
    pub cluster: u64,
    /// The member that answers.
    pub member: u64,
    /// The store's revision.
    pub revision: i64,
    /// The term of the member that answers.
    pub term: u64,
}

impl Header {
    /// The header of an answer about a revision.
    pub fn at(view: &View, revision: i64) -> Header {
        let status = &view.status;
        Header { cluster: status.cluster, member: status.id.0, revision, term: status.term }
    }

    /// The header of an answer about everything that a view holds.
    pub fn newest(view: &View) -> Header {
        Header::at(view, view.store.revision())
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its header.
    pub header: Header,
    /// The rest.
    pub body: Body,
}

/// The content of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// The pairs of a range, to be evaluated as the door encodes them.
    Range(Reading),
    /// The outcome of a transaction that only read.
    Txn(TxnResponse),
    /// The outcome of a write.
    Written(Written),
    /// A lease was renewed, or there is none.
    KeptAlive {
        /// The lease.
        lease: i64,
        /// Seconds until it expires; 0 when there is no such lease.
        ttl: i64,
    },
    /// The remaining time of a lease.
    TimeToLive {
        /// The lease.
        lease: i64,
        /// Whole seconds left; -1 when there is no such lease.
        ttl: i64,
        /// Seconds given at the grant; 0 when there is no such lease.
        granted_ttl: i64,
        /// The attached keys, if they were asked for.
        keys: Vec<Bytes>,
    },
    /// All leases.
    Leases(Vec<i64>),
    /// All members, sorted by id.
    Members {
        /// The member that was added, if one was.
        added: Option<Member>,
        /// The members.
        members: Arc<Vec<Member>>,
    },
    /// The alarms that are on.
    Alarms(Vec<AlarmMember>),
    /// The status of this member.
    Status {
        /// Its view.
        view: Arc<View>,
        /// Matters for an operator.
        problems: Vec<Problem>,
    },
    /// A hash, to be computed in turns.
    Hash(Hashing),
    /// The state to copy.
    Snapshot(Arc<View>),
    /// Whether auth is on.
    AuthStatus {
        /// It is on.
        enabled: bool,
        /// The revision of users and roles.
        revision: u64,
    },
    /// The names of users, of roles, or of the roles of a user.
    Names(Vec<String>),
    /// The permissions of a role.
    Permissions(Vec<Permission>),
    /// A user logged in.
    Authenticated {
        /// The user, and the revision at which its password was right.
        user: UserIdentity,
        /// The token, unless the member signs its own.
        token: Option<Token>,
    },
    /// It is done, and there is nothing to say.
    Done,
}

/// Something that an operator should look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// This member knows no leader.
    NoLeader,
    /// An alarm is on.
    Alarm(AlarmMember),
}

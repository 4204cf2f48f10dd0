//! The permission that a request needs from the view that admits or answers it (book/src/etcd.md#9.6). Changes of the store
//! need none here: they are authorised where they are applied.

use crate::request::{AuthRead, Request};
use volvox_store::{Access, AlarmAction};

/// The permission that is needed to be admitted.
pub(crate) fn to_admit(request: &Request) -> Access<'_> {
    match request {
        Request::Watch { key, range_end } => Access::Read(key, range_end),
        Request::LeaseKeepAlive { lease } => Access::LeaseRenew(*lease),
        Request::LeaseTimeToLive { .. } | Request::Members { .. } | Request::Status => Access::AsUser,
        Request::Leases => Access::Leases,
        Request::Alarm(alarm) if alarm.action == AlarmAction::Get => Access::AsUser,
        Request::Compact(_)
        | Request::Alarm(_)
        | Request::Member(_)
        | Request::Defragment
        | Request::Hash
        | Request::HashKv { .. }
        | Request::Snapshot
        | Request::MoveLeader { .. } => Access::AsRoot,
        Request::LeaseGrant { .. } | Request::LeaseRevoke(_) => Access::AsUser,
        // Reads are authorised when they are answered.
        Request::Range(_) | Request::Txn(_) | Request::AuthRead(_) => Access::Anything,
        Request::Put(_) | Request::DeleteRange(_) | Request::Auth(_) => Access::Anything,
        Request::Authenticate { .. } | Request::Contact | Request::Confirm => Access::Anything,
    }
}

/// Whether a request must say who makes it, if it can: the others are for every caller.
pub(crate) fn is_for_all(request: &Request) -> bool {
    matches!(request, Request::Authenticate { .. } | Request::Contact | Request::Confirm)
}

impl AuthRead {
    pub(crate) fn access(&self) -> Access<'_> {
        match self {
            AuthRead::Status | AuthRead::Users | AuthRead::Roles => Access::AsRoot,
            AuthRead::User(name) => Access::User(name),
            AuthRead::Role(name) => Access::Role(name),
        }
    }
}

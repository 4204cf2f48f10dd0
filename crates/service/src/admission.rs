//! Admission: which requests are served at all, in etcd's order (book/src/etcd.md#1.3).

use crate::error::Error;
use crate::request::{Caller, Limits, Request};
use volvox_replica::View;
use volvox_store::checks;

/// The checks of every call: learner, what the caller says of itself, leader; then those of its arguments.
///
/// # Errors
/// The first of them that fails. Nothing was done.
pub fn check(view: &View, caller: &Caller, request: &Request, limits: &Limits) -> Result<(), Error> {
    if view.status.is_learner && !is_served_by_learner(request) {
        return Err(Error::Learner);
    }
    if caller.is_malformed {
        return Err(Error::MalformedCaller);
    }
    if caller.requires_leader && view.status.leader.is_none() {
        return Err(Error::NoLeader);
    }
    check_arguments(request, limits)
}

/// A learner may be far behind and has no vote: it serves its own state, to callers that accept an old one.
fn is_served_by_learner(request: &Request) -> bool {
    match request {
        Request::Range(range) => range.serializable,
        Request::Status | Request::Snapshot => true,
        _ => false,
    }
}

fn check_arguments(request: &Request, limits: &Limits) -> Result<(), Error> {
    match request {
        Request::Range(range) => checks::check_range(range)?,
        Request::Put(put) => checks::check_put(put)?,
        Request::DeleteRange(delete) => checks::check_delete_range(delete)?,
        Request::Txn(txn) => checks::check_txn(txn, limits.txn_operations_max)?,
        Request::LeaseGrant { wish, .. } => {
            checks::check_lease_grant(wish, limits.lease_ttl_seconds_min)?;
        }
        _ => {}
    }
    Ok(())
}

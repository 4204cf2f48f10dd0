//! Converts requests of the protocol to those of the store and the replica.
//!
//! Keys and values are copied once here, from the buffer in which they arrived to their own.

use crate::proto::etcdserverpb as pb;
use pb::{compare, request_op};
use volvox_core::Bytes;
use volvox_replica::Member;
use volvox_replica::watch::WatchCreate;
use volvox_store as store;

/// Makes a separate copy.
pub fn owned(bytes: &bytes::Bytes) -> Bytes {
    Bytes::from(bytes.as_ref())
}

/// A read.
pub fn range(request: &pb::RangeRequest) -> store::RangeRequest {
    store::RangeRequest {
        key: owned(&request.key),
        range_end: owned(&request.range_end),
        limit: request.limit,
        revision: request.revision,
        sort_order: request.sort_order.into(),
        sort_target: request.sort_target.into(),
        serializable: request.serializable,
        keys_only: request.keys_only,
        count_only: request.count_only,
        min_mod_revision: request.min_mod_revision,
        max_mod_revision: request.max_mod_revision,
        min_create_revision: request.min_create_revision,
        max_create_revision: request.max_create_revision,
    }
}

/// A put.
pub fn put(request: &pb::PutRequest) -> store::PutRequest {
    store::PutRequest {
        key: owned(&request.key),
        value: owned(&request.value),
        lease: request.lease,
        prev_kv: request.prev_kv,
        ignore_value: request.ignore_value,
        ignore_lease: request.ignore_lease,
    }
}

/// A delete.
pub fn delete_range(request: &pb::DeleteRangeRequest) -> store::DeleteRangeRequest {
    store::DeleteRangeRequest {
        key: owned(&request.key),
        range_end: owned(&request.range_end),
        prev_kv: request.prev_kv,
    }
}

/// A transaction. The decoder has bounded how deep it is nested.
pub fn txn(request: &pb::TxnRequest) -> store::TxnRequest {
    store::TxnRequest {
        compare: request.compare.iter().map(one_compare).collect(),
        success: request.success.iter().map(op).collect(),
        failure: request.failure.iter().map(op).collect(),
    }
}

fn one_compare(request: &pb::Compare) -> store::Compare {
    let target_union = match &request.target_union {
        None => store::TargetUnion::None,
        Some(compare::TargetUnion::Version(number)) => store::TargetUnion::Version(*number),
        Some(compare::TargetUnion::CreateRevision(number)) => store::TargetUnion::CreateRevision(*number),
        Some(compare::TargetUnion::ModRevision(number)) => store::TargetUnion::ModRevision(*number),
        Some(compare::TargetUnion::Value(value)) => store::TargetUnion::Value(owned(value)),
        Some(compare::TargetUnion::Lease(number)) => store::TargetUnion::Lease(*number),
    };
    store::Compare {
        result: request.result.into(),
        target: request.target.into(),
        key: owned(&request.key),
        range_end: owned(&request.range_end),
        target_union,
    }
}

fn op(request: &pb::RequestOp) -> store::RequestOp {
    match &request.request {
        None => store::RequestOp::Empty,
        Some(request_op::Request::RequestRange(request)) => store::RequestOp::Range(range(request)),
        Some(request_op::Request::RequestPut(request)) => store::RequestOp::Put(put(request)),
        Some(request_op::Request::RequestDeleteRange(request)) => store::RequestOp::DeleteRange(delete_range(request)),
        Some(request_op::Request::RequestTxn(request)) => store::RequestOp::Txn(txn(request)),
    }
}

/// The watch request. Unknown filters are ignored (book/src/etcd.md#5.3).
pub fn watch_create(request: &pb::WatchCreateRequest) -> WatchCreate {
    let filters = |kind: pb::watch_create_request::FilterType| request.filters.contains(&(kind as i32));
    WatchCreate {
        key: owned(&request.key),
        range_end: owned(&request.range_end),
        start_revision: request.start_revision,
        progress_notify: request.progress_notify,
        no_put: filters(pb::watch_create_request::FilterType::Noput),
        no_delete: filters(pb::watch_create_request::FilterType::Nodelete),
        prev_kv: request.prev_kv,
        watch_id: request.watch_id,
        fragment: request.fragment,
    }
}

/// A member, as it is answered.
pub fn member(member: &Member) -> pb::Member {
    pb::Member {
        id: member.id.0,
        name: member.name.clone(),
        peer_ur_ls: member.peer_urls.clone(),
        client_ur_ls: member.client_urls.clone(),
        is_learner: member.is_learner,
    }
}

/// An alarm, as it is answered.
pub fn alarm(alarm: &store::AlarmMember) -> pb::AlarmMember {
    pb::AlarmMember { member_id: alarm.member_id, alarm: alarm.alarm.number() }
}

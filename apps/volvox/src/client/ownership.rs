//! The queue for a name: the client that comes first owns it.
//!
//! Each client that wants the name writes a key under it, attached to its own lease. The key with the smallest create
//! revision owns the name; each of the others watches only the one before it, so an owner that leaves wakes one client,
//! not all. All etcd clients use this layout, so ours share one queue with them.
//!
//! A lock does not stop a client that was paused while its lease ran out. A client that needs certainty compares the
//! create revision of its key in every transaction that the lock protects.

use anyhow::{Result, ensure};
use bytes::Bytes;
use volvox_etcd::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use volvox_etcd::proto::etcdserverpb::request_op::Request;
use volvox_etcd::proto::etcdserverpb::{
    Compare, PutRequest, RangeRequest, RequestOp, TxnRequest, response_op::Response,
};
use volvox_etcd::proto::mvccpb::KeyValue;
use volvox_etcd::proto::mvccpb::event::EventType;

use super::cluster::{Cluster, Repeat};
use super::range::read;
use super::span::prefix_end;
use super::subscription::{Interest, Subscription};

/// A place in the queue for a name.
#[derive(Clone, Debug)]
pub struct Place {
    /// Our key.
    pub key: Bytes,
    /// The create revision of our key: our rank.
    pub revision: i64,
}

/// The prefix of all keys that want `name`.
pub fn queue_prefix(name: &[u8]) -> Bytes {
    Bytes::from([name, b"/"].concat())
}

/// Joins the queue with a key that lives as long as the lease.
pub async fn join_queue(cluster: &Cluster, name: &[u8], lease: i64, value: Bytes) -> Result<Place> {
    let key = Bytes::from([&queue_prefix(name), format!("{lease:x}").as_bytes()].concat());
    let absent = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(TargetUnion::CreateRevision(0)),
    };
    let put = PutRequest { key: key.clone(), value, lease, ..PutRequest::default() };
    let get = RangeRequest { key: key.clone(), ..RangeRequest::default() };
    let operation = |request| RequestOp { request: Some(request) };
    let request = TxnRequest {
        compare: vec![absent],
        success: vec![operation(Request::RequestPut(put))],
        failure: vec![operation(Request::RequestRange(get))],
    };
    // Idempotent: a second execution finds the key of the first.
    let response = cluster
        .call("joining the queue", Repeat::Safe, async |channel| KvClient::new(channel).txn(request.clone()).await)
        .await?;
    let written = response.header.as_ref().map_or(0, |header| header.revision);
    let found = response.responses.first().and_then(|operation| match &operation.response {
        Some(Response::ResponseRange(range)) => range.kvs.first(),
        _ => None,
    });
    let revision = found.map_or(written, |pair| pair.create_revision);
    Ok(Place { key, revision })
}

/// Waits until every client before us has left, and checks that our key still exists.
pub async fn wait_for_turn(cluster: &Cluster, name: &[u8], place: &Place) -> Result<()> {
    let prefix = queue_prefix(name);
    loop {
        let request = RangeRequest {
            range_end: prefix_end(&prefix),
            key: prefix.clone(),
            max_create_revision: place.revision - 1,
            sort_order: SortOrder::Descend.into(),
            sort_target: SortTarget::Create.into(),
            limit: 1,
            ..RangeRequest::default()
        };
        let response = read(cluster, "waiting for our turn", request).await?;
        let Some(before_us) = response.kvs.into_iter().next() else { break };
        let seen = response.header.map_or(0, |header| header.revision);
        wait_for_deletion(cluster, before_us.key, seen + 1).await?;
    }
    let request = RangeRequest { key: place.key.clone(), ..RangeRequest::default() };
    let own = read(cluster, "looking for our place", request).await?;
    let still_there = own.kvs.first().is_some_and(|pair| pair.create_revision == place.revision);
    ensure!(still_there, "our place in the queue is gone: its lease expired or was revoked");
    Ok(())
}

async fn wait_for_deletion(cluster: &Cluster, key: Bytes, start_revision: i64) -> Result<()> {
    let interest = Interest { key, range_end: Bytes::new(), start_revision, prev_kv: false };
    let mut subscription = Subscription::new(cluster, interest);
    loop {
        let response = subscription.next().await?;
        if response.events.iter().any(|event| event.r#type() == EventType::Delete) {
            return Ok(());
        }
    }
}

/// The first in the queue, if any, and the revision at which it was read.
pub async fn owner(cluster: &Cluster, name: &[u8]) -> Result<(Option<KeyValue>, i64)> {
    let prefix = queue_prefix(name);
    let request = RangeRequest {
        range_end: prefix_end(&prefix),
        key: prefix,
        sort_order: SortOrder::Ascend.into(),
        sort_target: SortTarget::Create.into(),
        limit: 1,
        ..RangeRequest::default()
    };
    let response = read(cluster, "asking who leads", request).await?;
    let revision = response.header.map_or(0, |header| header.revision);
    Ok((response.kvs.into_iter().next(), revision))
}

//! Revisions, ranges, puts, transactions and compaction.

use crate::live::{CLUSTER, Live, MEMBER};
use crate::server::{Server, within};
use pb::range_request::{SortOrder, SortTarget};
use pb::{compare, request_op, response_op};
use tonic::transport::Channel;
use tonic::{Code, Status};
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::proto::mvccpb::KeyValue;

/// A client of a fresh store.
struct Client {
    kv: pb::kv_client::KvClient<Channel>,
    lease: pb::lease_client::LeaseClient<Channel>,
    _server: Server,
}

type Answer<T> = Result<T, Status>;

impl Client {
    async fn new() -> Client {
        let server = Server::live(&Live::start().await).await;
        let channel = server.channel().await;
        Client {
            kv: pb::kv_client::KvClient::new(channel.clone()),
            lease: pb::lease_client::LeaseClient::new(channel),
            _server: server,
        }
    }

    async fn range(&mut self, request: pb::RangeRequest) -> Answer<pb::RangeResponse> {
        within(self.kv.range(request)).await.map(tonic::Response::into_inner)
    }

    async fn put(&mut self, request: pb::PutRequest) -> Answer<pb::PutResponse> {
        within(self.kv.put(request)).await.map(tonic::Response::into_inner)
    }

    /// Writes a pair; the revision it made.
    async fn set(&mut self, key: &str, value: &str) -> i64 {
        revision(&self.put(put(key, value)).await.unwrap().header)
    }

    async fn get(&mut self, key: &str) -> Option<KeyValue> {
        self.range(range(key, "")).await.unwrap().kvs.pop()
    }

    async fn delete(&mut self, key: &str) -> (i64, i64) {
        let request = pb::DeleteRangeRequest { key: bytes(key), ..Default::default() };
        let response = within(self.kv.delete_range(request)).await.unwrap().into_inner();
        (response.deleted, revision(&response.header))
    }

    async fn txn(&mut self, request: pb::TxnRequest) -> Answer<pb::TxnResponse> {
        within(self.kv.txn(request)).await.map(tonic::Response::into_inner)
    }

    async fn compact(&mut self, at: i64) -> Answer<i64> {
        let request = pb::CompactionRequest { revision: at, physical: false };
        within(self.kv.compact(request)).await.map(|response| revision(&response.get_ref().header))
    }

    async fn grant(&mut self, id: i64) -> Answer<pb::LeaseGrantResponse> {
        let request = pb::LeaseGrantRequest { ttl: 60, id };
        within(self.lease.lease_grant(request)).await.map(tonic::Response::into_inner)
    }

    async fn revoke(&mut self, id: i64) -> Answer<i64> {
        let request = pb::LeaseRevokeRequest { id };
        within(self.lease.lease_revoke(request)).await.map(|response| revision(&response.get_ref().header))
    }

    async fn revision(&mut self) -> i64 {
        revision(&self.range(range("any", "")).await.unwrap().header)
    }
}

fn bytes(text: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str, value: &str) -> pb::PutRequest {
    pb::PutRequest { key: bytes(key), value: bytes(value), ..Default::default() }
}

fn range(key: &str, range_end: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: bytes(key), range_end: bytes(range_end), ..Default::default() }
}

fn revision(header: &Option<pb::ResponseHeader>) -> i64 {
    let header = header.as_ref().unwrap();
    assert_eq!((header.cluster_id, header.member_id), (CLUSTER, MEMBER));
    assert!(header.raft_term > 0);
    header.revision
}

fn keys(response: &pb::RangeResponse) -> Vec<&str> {
    response.kvs.iter().map(|pair| std::str::from_utf8(&pair.key).unwrap()).collect()
}

fn op_put(key: &str, value: &str) -> pb::RequestOp {
    pb::RequestOp { request: Some(request_op::Request::RequestPut(put(key, value))) }
}

fn op_range(request: pb::RangeRequest) -> pb::RequestOp {
    pb::RequestOp { request: Some(request_op::Request::RequestRange(request)) }
}

fn op_delete(key: &str, range_end: &str) -> pb::RequestOp {
    let request = pb::DeleteRangeRequest { key: bytes(key), range_end: bytes(range_end), prev_kv: false };
    pb::RequestOp { request: Some(request_op::Request::RequestDeleteRange(request)) }
}

fn op_txn(request: pb::TxnRequest) -> pb::RequestOp {
    pb::RequestOp { request: Some(request_op::Request::RequestTxn(request)) }
}

fn success(ops: Vec<pb::RequestOp>) -> pb::TxnRequest {
    pb::TxnRequest { success: ops, ..Default::default() }
}

fn one_compare(key: &str, target: i32, result: i32, constant: compare::TargetUnion) -> pb::Compare {
    pb::Compare { key: bytes(key), target, result, target_union: Some(constant), range_end: bytes::Bytes::new() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answer<T>, code: Code, text: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";

#[tokio::test]
async fn golden_01_an_empty_store_is_at_revision_1() {
    let mut client = Client::new().await;
    let response = client.range(range("a", "")).await.unwrap();
    assert_eq!((revision(&response.header), response.count, response.kvs.len()), (1, 0, 0));
}

#[tokio::test]
async fn golden_02_revisions_and_versions() {
    let mut client = Client::new().await;
    let life = |pair: KeyValue| (pair.create_revision, pair.mod_revision, pair.version);
    assert_eq!(client.set("a", "1").await, 2);
    assert_eq!(client.get("a").await.map(life), Some((2, 2, 1)));
    assert_eq!(client.set("a", "1").await, 3);
    assert_eq!(client.get("a").await.map(life), Some((2, 3, 2)));
    assert_eq!(client.delete("a").await, (1, 4));
    assert_eq!(client.delete("a").await, (0, 4));
    assert_eq!(client.set("a", "1").await, 5);
    assert_eq!(client.get("a").await.map(life), Some((5, 5, 1)));
}

#[tokio::test]
async fn golden_03_a_transaction_is_one_revision() {
    let mut client = Client::new().await;
    let response = client.txn(success(vec![op_put("x", "1"), op_put("y", "2")])).await.unwrap();
    assert_eq!(revision(&response.header), 2);
    let both = client.range(range("x", "z")).await.unwrap();
    assert!(both.kvs.iter().all(|pair| pair.mod_revision == 2) && both.kvs.len() == 2);
}

#[tokio::test]
async fn golden_04_transactions_that_change_nothing() {
    let mut client = Client::new().await;
    let response = client.txn(success(vec![op_delete("missing", "")])).await.unwrap();
    assert_eq!((response.succeeded, revision(&response.header)), (true, 1));
    let response = client.txn(pb::TxnRequest::default()).await.unwrap();
    assert_eq!((response.succeeded, response.responses.len(), revision(&response.header)), (true, 0, 1));
}

#[tokio::test]
async fn golden_05_revoking_deletes_the_keys_in_one_revision() {
    let mut client = Client::new().await;
    client.grant(7).await.unwrap();
    client.grant(8).await.unwrap();
    assert_eq!(client.revision().await, 1);
    for key in ["a", "b", "c"] {
        client.put(pb::PutRequest { lease: 7, ..put(key, "") }).await.unwrap();
    }
    assert_eq!(client.revoke(8).await.unwrap(), 4);
    assert_eq!(client.revoke(7).await.unwrap(), 5);
    assert_eq!(client.range(range("a", "z")).await.unwrap().count, 0);
}

#[tokio::test]
async fn golden_06_ranges() {
    let mut client = Client::new().await;
    refused(client.range(range("", "")).await, Code::InvalidArgument, "etcdserver: key is not provided");
    for key in ["a", "b", "c"] {
        client.set(key, "1").await;
    }
    assert_eq!(keys(&client.range(range("\0", "\0")).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(client.range(range("b", "a")).await.unwrap().count, 0);
    assert_eq!(keys(&client.range(range("b", "\0")).await.unwrap()), ["b", "c"]);
    assert_eq!(keys(&client.range(range("a", "c")).await.unwrap()), ["a", "b"]);
}

async fn five() -> Client {
    let mut client = Client::new().await;
    for key in ["a", "b", "c", "d", "e"] {
        client.set(key, "1").await;
    }
    client
}

#[tokio::test]
async fn golden_07_limits() {
    let mut client = five().await;
    let all = || range("a", "z");
    let response = client.range(pb::RangeRequest { limit: 2, ..all() }).await.unwrap();
    assert_eq!((response.kvs.len(), response.more, response.count), (2, true, 5));
    assert!(!client.range(pb::RangeRequest { limit: 5, ..all() }).await.unwrap().more);
    let response = client.range(pb::RangeRequest { limit: -1, ..all() }).await.unwrap();
    assert_eq!((response.kvs.len(), response.more), (5, false));
    let response = client.range(pb::RangeRequest { limit: 2, count_only: true, ..all() }).await.unwrap();
    assert_eq!((response.kvs.len(), response.more, response.count), (0, false, 5));
}

#[tokio::test]
async fn golden_08_filters_do_not_change_the_count() {
    let mut client = five().await;
    let request = pb::RangeRequest { min_mod_revision: 5, limit: 1, ..range("a", "z") };
    let response = client.range(request).await.unwrap();
    assert_eq!((keys(&response), response.more, response.count), (vec!["d"], true, 5));
}

#[tokio::test]
async fn golden_09_sorting() {
    let mut client = five().await;
    let last = pb::RangeRequest { limit: 1, sort_order: SortOrder::Descend as i32, ..range("a", "z") };
    let response = client.range(last).await.unwrap();
    assert_eq!((keys(&response), response.more), (vec!["e"], true));
    client.set("b", "2").await;
    let by_change = pb::RangeRequest { sort_target: SortTarget::Mod as i32, ..range("a", "z") };
    assert_eq!(keys(&client.range(by_change).await.unwrap()), ["a", "c", "d", "e", "b"]);
}

#[tokio::test]
async fn golden_10_old_and_future_revisions() {
    let mut client = five().await;
    let at = |revision| pb::RangeRequest { revision, ..range("a", "z") };
    refused(client.range(at(7)).await, Code::OutOfRange, FUTURE);
    assert_eq!(client.compact(5).await.unwrap(), 6);
    refused(client.range(at(4)).await, Code::OutOfRange, COMPACTED);
    for (revision, count) in [(5, 4), (0, 5), (-1, 5)] {
        assert_eq!(client.range(at(revision)).await.unwrap().count, count);
    }
}

#[tokio::test]
async fn golden_11_the_header_has_the_current_revision() {
    let mut client = five().await;
    let response = client.range(pb::RangeRequest { revision: 2, ..range("a", "z") }).await.unwrap();
    assert_eq!((revision(&response.header), response.count), (6, 1));
}

#[tokio::test]
async fn golden_12_unknown_sort_orders() {
    let mut client = Client::new().await;
    let text = "etcdserver: invalid sort option";
    let request = pb::RangeRequest { sort_order: 99, ..range("a", "") };
    refused(client.range(request).await, Code::InvalidArgument, text);
    let request = pb::RangeRequest { sort_target: 5, ..range("a", "") };
    refused(client.range(request).await, Code::InvalidArgument, text);
}

#[tokio::test]
async fn golden_13_puts_that_keep() {
    let mut client = Client::new().await;
    let keep_value = pb::PutRequest { ignore_value: true, ..put("a", "") };
    refused(client.put(keep_value).await, Code::InvalidArgument, "etcdserver: key not found");
    let with_value = pb::PutRequest { ignore_value: true, ..put("a", "x") };
    refused(client.put(with_value).await, Code::InvalidArgument, "etcdserver: value is provided");
    let with_lease = pb::PutRequest { ignore_lease: true, lease: 1, ..put("a", "x") };
    refused(client.put(with_lease).await, Code::InvalidArgument, "etcdserver: lease is provided");
}

#[tokio::test]
async fn golden_14_a_put_detaches() {
    let mut client = Client::new().await;
    client.grant(7).await.unwrap();
    client.put(pb::PutRequest { lease: 7, ..put("k", "1") }).await.unwrap();
    client.set("k", "2").await;
    client.revoke(7).await.unwrap();
    assert!(client.get("k").await.is_some());
}

#[tokio::test]
async fn golden_15_a_put_that_keeps_the_lease() {
    let mut client = Client::new().await;
    client.grant(7).await.unwrap();
    client.put(pb::PutRequest { lease: 7, ..put("k", "1") }).await.unwrap();
    client.put(pb::PutRequest { ignore_lease: true, ..put("k", "2") }).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().lease, 7);
    client.revoke(7).await.unwrap();
    assert!(client.get("k").await.is_none());
}

#[tokio::test]
async fn golden_16_a_put_with_an_unknown_lease() {
    let mut client = Client::new().await;
    let request = pb::PutRequest { lease: 9, ..put("k", "1") };
    refused(client.put(request).await, Code::NotFound, "etcdserver: requested lease not found");
    assert_eq!(client.revision().await, 1);
}

#[tokio::test]
async fn golden_17_a_request_that_is_too_large() {
    let mut client = Client::new().await;
    let large = "v".repeat(1_572_864);
    let text = "etcdserver: request is too large";
    refused(client.put(put("k", &large)).await, Code::InvalidArgument, text);
    let larger = "v".repeat(2_097_152);
    let text = "grpc: received message larger than max (2097160 vs. 2097152)";
    refused(client.put(put("k", &larger)).await, Code::ResourceExhausted, text);
    assert_eq!(client.set("k", &large[..1_500_000]).await, 2);
}

#[tokio::test]
async fn golden_18_operations_of_a_transaction() {
    let mut client = Client::new().await;
    let text = "etcdserver: too many operations in txn request";
    let puts = |count: usize| (0..count).map(|index| op_put(&format!("k{index}"), "")).collect::<Vec<_>>();
    assert!(client.txn(success(puts(128))).await.is_ok());
    refused(client.txn(success(puts(129))).await, Code::InvalidArgument, text);
    let compare = one_compare("k", 0, 0, compare::TargetUnion::Version(0));
    let request = pb::TxnRequest { compare: vec![compare; 129], ..Default::default() };
    refused(client.txn(request).await, Code::InvalidArgument, text);
    let empty = pb::RequestOp { request: None };
    refused(client.txn(success(vec![empty])).await, Code::InvalidArgument, "etcdserver: key not found");
}

#[tokio::test]
async fn golden_19_a_key_is_put_once() {
    let mut client = Client::new().await;
    let text = "etcdserver: duplicate key given in txn request";
    let twice = success(vec![op_put("k", "1"), op_put("k", "2")]);
    refused(client.txn(twice).await, Code::InvalidArgument, text);
    let either = pb::TxnRequest { failure: vec![op_put("k", "2")], ..success(vec![op_put("k", "1")]) };
    assert!(client.txn(either).await.is_ok());
    let deleted = success(vec![op_put("k", "1"), op_delete("a", "z")]);
    refused(client.txn(deleted).await, Code::InvalidArgument, text);
    assert!(client.txn(success(vec![op_delete("a", "m"), op_delete("b", "z")])).await.is_ok());
    assert!(client.txn(success(vec![op_delete("a", "\0"), op_put("b", "1")])).await.is_ok());
    assert_eq!(client.get("b").await.unwrap().version, 1);
    let response = client.txn(success(vec![op_put("k", "3"), op_range(range("k", ""))])).await.unwrap();
    let Some(response_op::Response::ResponseRange(seen)) = &response.responses[1].response else {
        panic!("a range answers a range");
    };
    assert_eq!(seen.kvs[0].value, "3");
}

#[tokio::test]
async fn golden_20_compares_with_missing_keys() {
    let mut client = Client::new().await;
    let cases = [
        (one_compare("k", 3, 0, compare::TargetUnion::Value(bytes(""))), false),
        (one_compare("k", 3, 3, compare::TargetUnion::Value(bytes("x"))), false),
        (one_compare("k", 0, 0, compare::TargetUnion::Version(0)), true),
        (one_compare("k", 1, 2, compare::TargetUnion::CreateRevision(1)), true),
    ];
    for (compare, holds) in cases {
        let request = pb::TxnRequest { compare: vec![compare.clone()], ..Default::default() };
        assert_eq!(client.txn(request).await.unwrap().succeeded, holds, "{compare:?}");
    }
}

#[tokio::test]
async fn golden_21_compares_over_ranges() {
    let mut client = Client::new().await;
    client.set("a", "1").await;
    for _ in 0..10 {
        client.set("b", "1").await;
    }
    let over = |begin: &str, end: &str, compare: pb::Compare| pb::TxnRequest {
        compare: vec![pb::Compare { key: bytes(begin), range_end: bytes(end), ..compare }],
        ..Default::default()
    };
    let changed_before_10 = one_compare("", 2, 2, compare::TargetUnion::ModRevision(10));
    assert!(!client.txn(over("a", "c", changed_before_10)).await.unwrap().succeeded);
    let never_created = one_compare("", 1, 0, compare::TargetUnion::CreateRevision(0));
    assert!(client.txn(over("x", "z", never_created)).await.unwrap().succeeded);
}

#[tokio::test]
async fn golden_22_nested_transactions_see_the_state_before() {
    let mut client = Client::new().await;
    client.set("a", "0").await;
    let inner = pb::TxnRequest {
        compare: vec![one_compare("a", 3, 0, compare::TargetUnion::Value(bytes("1")))],
        success: vec![op_put("new", "")],
        failure: vec![op_put("old", "")],
    };
    let response = client.txn(success(vec![op_put("a", "1"), op_txn(inner)])).await.unwrap();
    assert!(client.get("old").await.is_some() && client.get("new").await.is_none());
    let headers: Vec<pb::ResponseHeader> = response
        .responses
        .iter()
        .map(|op| match op.response.as_ref().unwrap() {
            response_op::Response::ResponsePut(put) => put.header.unwrap(),
            response_op::Response::ResponseTxn(txn) => txn.header.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let only_revision = pb::ResponseHeader { revision: 3, ..Default::default() };
    assert_eq!(headers, [only_revision, pb::ResponseHeader::default()]);
}

#[tokio::test]
async fn golden_23_a_transaction_is_all_or_nothing() {
    let mut client = five().await;
    client.compact(5).await.unwrap();
    let old = pb::RangeRequest { revision: 3, ..range("a", "") };
    let request = success(vec![op_put("a", "changed"), op_range(old.clone())]);
    refused(client.txn(request).await, Code::OutOfRange, COMPACTED);
    assert_eq!(client.get("a").await.unwrap().value, "1");
    refused(client.txn(success(vec![op_range(old)])).await, Code::OutOfRange, COMPACTED);
}

#[tokio::test]
async fn golden_24_reads_inside_see_the_new_revision() {
    let mut client = Client::new().await;
    let response = client.txn(success(vec![op_put("a", "1"), op_range(range("a", ""))])).await.unwrap();
    let Some(response_op::Response::ResponseRange(seen)) = &response.responses[1].response else {
        panic!("a range answers a range");
    };
    assert_eq!(seen.kvs[0].mod_revision, revision(&response.header));
}

#[tokio::test]
async fn golden_25_compactions() {
    let mut client = Client::new().await;
    assert_eq!(client.compact(0).await.unwrap(), 1);
    refused(client.compact(0).await, Code::OutOfRange, COMPACTED);
    client.set("a", "1").await;
    assert_eq!(client.compact(2).await.unwrap(), 2);
    refused(client.compact(2).await, Code::OutOfRange, COMPACTED);
    refused(client.compact(3).await, Code::OutOfRange, FUTURE);
}

#[tokio::test]
async fn golden_26_a_key_deleted_at_the_compaction_point_is_absent() {
    let mut client = Client::new().await;
    client.set("a", "1").await;
    client.delete("a").await;
    client.compact(3).await.unwrap();
    let request = pb::RangeRequest { revision: 3, ..range("a", "") };
    assert_eq!(client.range(request).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_long_range_is_one_answer() {
    let live = Live::start().await;
    let server = Server::live(&live).await;
    let mut kv = server.kv().await;
    for batch in 0..250 {
        let pairs = (batch * 100..batch * 100 + 100).map(|index| op_put(&format!("k{index:05}"), &"v".repeat(100)));
        within(kv.txn(success(pairs.collect()))).await.unwrap();
    }
    for (limit, length) in [(0, 25_000), (2000, 2000), (2001, 2001), (12_345, 12_345), (25_000, 25_000)] {
        let request = pb::RangeRequest { limit, ..range("k", "l") };
        let response = within(kv.range(request)).await.unwrap().into_inner();
        assert_eq!((response.kvs.len(), response.count, response.more), (length, 25_000, length < 25_000));
        assert!(response.kvs.is_sorted_by_key(|pair| pair.key.clone()));
        assert!(response.kvs.iter().all(|pair| pair.value.len() == 100));
    }
}

/// Tokens can be long.
#[tokio::test]
async fn long_metadata_is_served() {
    let mut client = Client::new().await;
    for length in [20_000, 100_000, 300_000] {
        let mut request = tonic::Request::new(put("k", "1"));
        request.metadata_mut().insert("token", "t".repeat(length).parse().unwrap());
        assert!(within(client.kv.put(request)).await.is_ok(), "{length}");
    }
    assert_eq!(client.get("k").await.unwrap().version, 3, "on the same connection");
}

#[tokio::test]
async fn transactions_are_nested_as_deep_as_in_etcd() {
    let mut client = Client::new().await;
    let never = one_compare("k", 0, 0, compare::TargetUnion::Version(7));
    let nested = |levels: usize| {
        let innermost = success(vec![op_put("k", "1")]);
        let inner = (2..levels).fold(innermost, |inner, _| success(vec![op_txn(inner)]));
        // The client reads fewer levels than it writes, so the answer has one.
        pb::TxnRequest { compare: vec![never.clone()], ..success(vec![op_txn(inner)]) }
    };
    assert!(!client.txn(nested(128)).await.unwrap().succeeded);
    let text = "etcdserver: too many operations in txn request";
    refused(client.txn(nested(129)).await, Code::InvalidArgument, text);
}

//! The plain HTTP endpoints, over HTTP/1.1.

use crate::fake::{Fake, MEMBER};
use crate::live::Live;
use crate::server::{Server, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::proto::etcdserverpb::request_op;
use volvox_store::{AlarmAction, AlarmRequest, AlarmType, Command};

/// Status, head and body.
async fn ask(server: &Server, method: &str, path: &str) -> (u16, String, String) {
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn get(server: &Server, path: &str) -> (u16, String) {
    let (status, _, body) = ask(server, "GET", path).await;
    (status, body)
}

fn text(status: u16, body: &str) -> (u16, String) {
    (status, body.to_owned())
}

fn raise(fake: &Fake, alarm: AlarmType) {
    let request = AlarmRequest { action: AlarmAction::Activate, member_id: MEMBER, alarm };
    fake.with(|state| state.store.apply(&Command::Alarm(request)).unwrap());
}

#[tokio::test]
async fn health() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    assert_eq!(get(&server, "/health").await, text(200, r#"{"health":"true","reason":""}"#));
    let (status, head, body) = ask(&server, "POST", "/health").await;
    assert_eq!((status, body.trim_end()), (405, "Method Not Allowed"));
    assert!(head.contains("allow: get"));

    fake.with(|state| state.leader = None);
    let no_leader = text(503, r#"{"health":"false","reason":"RAFT NO LEADER"}"#);
    assert_eq!(get(&server, "/health?serializable=false").await, no_leader);
    assert_eq!(get(&server, "/health?serializable=true").await.0, 200);

    raise(&fake, AlarmType::NoSpace);
    let no_space = text(503, r#"{"health":"false","reason":"ALARM NOSPACE"}"#);
    assert_eq!(get(&server, "/health").await, no_space);
    assert_eq!(get(&server, "/health?exclude=NOSPACE&serializable=true").await.0, 200);
    assert_eq!(get(&server, "/health?exclude=NOSPACE").await, no_leader);
    raise(&fake, AlarmType::Corrupt);
    let corrupt = text(503, r#"{"health":"false","reason":"ALARM CORRUPT"}"#);
    assert_eq!(get(&server, "/health?exclude=NOSPACE").await, corrupt);
}

#[tokio::test]
async fn live_and_ready() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    assert_eq!(get(&server, "/livez").await, text(200, "ok\n"));
    assert_eq!(get(&server, "/livez?verbose").await, text(200, "[+]serializable_read ok\nok\n"));
    let all = "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n";
    assert_eq!(get(&server, "/readyz?verbose").await, text(200, all));
    assert_eq!(get(&server, "/readyz/linearizable_read").await, text(200, "ok\n"));
    assert_eq!(get(&server, "/livez/linearizable_read").await.0, 404);

    raise(&fake, AlarmType::NoSpace);
    assert_eq!(get(&server, "/readyz").await.0, 200);
    raise(&fake, AlarmType::Corrupt);
    fake.with(|state| state.leader = None);
    let lines = "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n\
                 [-]linearizable_read failed: etcdserver: no leader\n[+]non_learner ok\n";
    assert_eq!(get(&server, "/readyz").await, text(503, lines));
    let excluded = "/readyz?exclude=data_corruption&exclude=linearizable_read";
    assert_eq!(get(&server, excluded).await, text(200, "ok\n"));
    assert_eq!(get(&server, "/livez").await, text(200, "ok\n"));
    fake.with(|state| state.is_learner = true);
    let learner = text(503, "[-]non_learner failed: not supported for learner\n");
    assert_eq!(get(&server, "/readyz/non_learner").await, learner);
}

#[tokio::test]
async fn version_and_unknown_paths() {
    let server = Server::start(&Fake::new()).await;
    let version = r#"{"etcdserver":"3.6.16","etcdcluster":"3.6.0","storage":"3.6.0"}"#;
    assert_eq!(get(&server, "/version").await, text(200, version));
    assert_eq!(get(&server, "/v3/kv/range").await.0, 404);
    assert_eq!(get(&server, "/").await.0, 404);
}

/// The value of a metric.
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn range_of(key: &bytes::Bytes) -> pb::RangeRequest {
    pb::RangeRequest { key: key.clone(), ..Default::default() }
}

fn transaction_of(requests: Vec<request_op::Request>) -> pb::TxnRequest {
    let success = requests.into_iter().map(|request| pb::RequestOp { request: Some(request) }).collect();
    pb::TxnRequest { success, ..Default::default() }
}

/// Reads, deletes what is not there, puts; and puts once more one level deeper.
fn transaction(key: &bytes::Bytes) -> pb::TxnRequest {
    let put = |key: &bytes::Bytes| pb::PutRequest { key: key.clone(), ..Default::default() };
    let other = bytes::Bytes::from_static(b"b");
    let absent = pb::DeleteRangeRequest { key: bytes::Bytes::from_static(b"c"), ..Default::default() };
    transaction_of(vec![
        request_op::Request::RequestRange(range_of(key)),
        request_op::Request::RequestDeleteRange(absent),
        request_op::Request::RequestPut(put(key)),
        request_op::Request::RequestTxn(transaction_of(vec![request_op::Request::RequestPut(put(&other))])),
    ])
}

#[tokio::test]
async fn metrics_follow_what_happens() {
    let live = Live::start().await;
    let server = Server::live(&live).await;
    let before = get(&server, "/metrics").await.1;
    let mut kv = server.kv().await;
    let key = bytes::Bytes::from_static(b"a");
    for _ in 0..3 {
        within(kv.put(pb::PutRequest { key: key.clone(), ..Default::default() })).await.unwrap();
    }
    within(kv.range(range_of(&key))).await.unwrap();
    assert!(within(kv.range(pb::RangeRequest::default())).await.is_err());
    within(kv.delete_range(pb::DeleteRangeRequest { key: key.clone(), ..Default::default() })).await.unwrap();
    within(kv.txn(transaction(&key))).await.unwrap();
    let reading = transaction_of(vec![request_op::Request::RequestRange(range_of(&key))]);
    within(kv.txn(reading)).await.unwrap();
    let mut leases = pb::lease_client::LeaseClient::new(server.channel().await);
    let granted = within(leases.lease_grant(pb::LeaseGrantRequest { ttl: 60, id: 0 })).await.unwrap().into_inner();
    // One that lives, and one that is not known: answered, and not renewed.
    let renewals = [granted.id, granted.id + 1].map(|id| pb::LeaseKeepAliveRequest { id });
    let mut renewed = within(leases.lease_keep_alive(futures_util::stream::iter(renewals))).await.unwrap().into_inner();
    while within(renewed.message()).await.unwrap().is_some() {}
    let (status, head, after) = ask(&server, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/openmetrics-text"));
    assert!(after.ends_with("# EOF\n"));
    let grew = |name: &str| value(&after, name) - value(&before, name);
    let call = |method: &str| format!(r#"{{grpc_service="etcdserverpb.KV",grpc_method="{method}",grpc_type="unary"}}"#);
    assert_eq!(grew(&format!("grpc_server_started_total{}", call("Put"))), 3.0);
    assert_eq!(grew(&format!("grpc_server_msg_received_total{}", call("Range"))), 2.0);
    assert_eq!(grew(&format!("grpc_server_msg_sent_total{}", call("Range"))), 1.0);
    let handled = |method: &str, code: &str| {
        let labels = call(method);
        format!(r#"grpc_server_handled_total{},grpc_code="{code}"}}"#, labels.trim_end_matches('}'))
    };
    assert_eq!(value(&after, &handled("Put", "OK")), 3.0);
    assert_eq!(value(&after, &handled("Range", "OK")), 1.0);
    assert_eq!(value(&after, &handled("Range", "InvalidArgument")), 1.0);
    // Three puts, a delete, a transaction that puts two keys.
    assert_eq!(grew("etcd_debugging_mvcc_current_revision"), 5.0);
    assert_eq!(grew("etcd_debugging_mvcc_keys_total"), 2.0);
    let operations = ["range", "put", "delete", "txn"].map(|name| grew(&format!("etcd_mvcc_{name}_total")));
    assert_eq!(operations, [3.0, 5.0, 2.0, 2.0], "inside of transactions too");
    assert_eq!((grew("etcd_debugging_lease_granted_total"), grew("etcd_debugging_lease_renewed_total")), (1.0, 1.0));
    assert_eq!(grew("etcd_server_read_indexes_failed_total"), 0.0);
    assert!(grew("etcd_server_proposals_applied_total") >= 3.0);
    assert!(grew("etcd_network_client_grpc_received_bytes_total") > 0.0);
    assert!(grew("etcd_network_client_grpc_sent_bytes_total") > 0.0);
    for (name, expected) in [("etcd_server_has_leader", 1.0), ("etcd_server_is_leader", 1.0)] {
        assert_eq!(value(&after, name), expected);
    }
    assert_eq!(value(&after, r#"etcd_server_version{server_version="3.6.16"}"#), 1.0);
    assert_eq!(value(&after, r#"etcd_cluster_version{cluster_version="3.6"}"#), 1.0);
    assert_eq!(value(&after, "etcd_server_quota_backend_bytes"), 2_147_483_648.0);
    assert!(value(&after, "process_resident_memory_bytes") > 1e6);
    assert!(value(&after, "etcd_mvcc_db_total_size_in_use_in_bytes") > 0.0);
    assert_eq!(value(&after, r#"etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"}"#), 0.0);
}

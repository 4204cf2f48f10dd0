//! The client port informs operators: health, metrics, names.

use crate::volvox::{Folder, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Status and body of a request to a client port.
fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it serves");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nHost: volvox\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).expect("a status").parse().expect("a number"), body.to_owned())
}

#[test]
fn a_cluster_that_is_up_knows_the_names_of_its_nodes() {
    let mut folder = Folder::new("names");
    folder.up("a");
    let status = folder.json("a", &["status"]);
    let members = status["members"].as_array().expect("a list");
    let names: Vec<&str> = members.iter().map(|member| member["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["n1", "n2", "n3"]);
}

#[test]
fn a_minority_is_alive_and_neither_healthy_nor_ready() {
    let mut folder = Folder::new("health");
    let base = folder.up("a");
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(get(base, path).0, 200, "{path} of a whole cluster");
    }
    folder.volvox("a", &["kill", "2"]);
    folder.volvox("a", &["kill", "3"]);
    // Whether it still takes itself for the leader or not: the answer comes within the time-out of a request.
    let asked = Instant::now();
    let (status, health) = get(base, "/health");
    assert_eq!(status, 503, "{health}");
    let refused = health.contains("RAFT NO LEADER") || health.contains("RANGE ERROR:etcdserver: ");
    assert!(refused && health.starts_with(r#"{"health":"false","reason":""#), "{health}");
    let (status, ready) = get(base, "/readyz");
    assert_eq!(status, 503, "{ready}");
    assert!(ready.contains("[-]linearizable_read failed: etcdserver: ") && ready.contains("[+]data_corruption ok"));
    assert!(asked.elapsed() < Duration::from_secs(16), "two requests of 7 s at most: {:?}", asked.elapsed());
    wait_until("the loss of the majority is seen", || get(base, "/health").1.contains("RAFT NO LEADER"));
    assert_eq!(get(base, "/livez"), (200, "ok\n".to_owned()));
    assert_eq!(get(base, "/health?serializable=true").0, 200);
    assert_eq!(get(base, "/readyz?exclude=linearizable_read"), (200, "ok\n".to_owned()));
}

/// The metrics that are zero while nothing goes wrong, or while no client does what they count; and those that are one
/// of several states.
const ZERO_IS_TRUE: &[&str] = &[
    "etcd_disk_backend_commit_duration_seconds",
    "etcd_debugging_mvcc_compact_revision",
    "etcd_debugging_mvcc_slow_watcher_total",
    "etcd_debugging_server_alarms",
    "etcd_network_disconnected_peers_total",
    "etcd_server_health_failures",
    "etcd_server_is_learner",
    "etcd_server_learner_promote_successes",
    "etcd_server_proposals_failed_total",
    "etcd_server_proposals_pending",
    "etcd_server_read_indexes_failed_total",
    "etcd_server_slow_apply_total",
    "volvox_client_connections_refused_total",
    "volvox_peer_messages_dropped_total",
];

/// Every family of `/metrics`, summed over its series and over the members.
fn families(ports: [u16; 3]) -> BTreeMap<String, f64> {
    let mut families = BTreeMap::new();
    for port in ports {
        let (status, text) = get(port, "/metrics");
        assert_eq!(status, 200);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let name = series.split('{').next().expect("a name");
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            *families.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().expect("a number");
        }
    }
    families
}

#[test]
fn no_metric_stays_zero_for_ever() {
    let mut folder = Folder::new("metrics");
    let base = folder.up("a");
    let ports = [base, base + 10, base + 20];
    let mut watch = folder.begin("a", &["watch", "--prefix", "k"]);
    wait_until("the watch stands", || families(ports)["etcd_debugging_mvcc_watcher_total"] == 1.0);
    let before = families(ports);
    for number in 0..20 {
        folder.volvox("a", &["put", &format!("k{number}"), "value"]);
    }
    folder.volvox("a", &["get", "k1"]);
    folder.volvox("a", &["del", "k2"]);
    let transaction = folder.path("transaction");
    std::fs::write(&transaction, "\nput k3 other\n\n\n").expect("written");
    folder.volvox("a", &["txn", transaction.to_str().expect("a path is text")]);
    let granted = folder.json("a", &["lease", "grant", "60"]);
    let kept = folder.json("a", &["lease", "grant", "60"]);
    let id = |lease: &serde_json::Value| lease["ID"].as_i64().map(|id| format!("{id:x}")).expect("an id");
    folder.volvox("a", &["lease", "keep-alive", "--once", &id(&kept)]);
    folder.volvox("a", &["lease", "revoke", &id(&granted)]);
    folder.volvox("a", &["lease", "grant", "2"]);
    assert_eq!(get(base, "/health").0, 200);
    wait_until("a lease expired, links were measured, the watcher heard everything", || {
        let now = families(ports);
        let moved = |name: &str, by: f64| now.get(name).is_some_and(|value| *value >= by);
        moved("etcd_debugging_server_lease_expired_total", 1.0)
            && moved("volvox_peer_round_trip_seconds", 1e-9)
            && moved("etcd_debugging_mvcc_events_total", 22.0)
    });
    let after = families(ports);
    let zero: BTreeSet<&str> =
        after.iter().filter(|(_, value)| **value == 0.0).map(|(name, _)| name.as_str()).collect();
    let untrue: Vec<&&str> = zero.iter().filter(|name| !ZERO_IS_TRUE.contains(name)).collect();
    assert!(untrue.is_empty(), "exposed, and zero whatever happens: {untrue:?}");
    let grew = |name: &str| after[name] - before.get(name).copied().unwrap_or_default();
    let exact = [
        ("etcd_mvcc_put_total", 21.0),
        ("etcd_mvcc_delete_total", 1.0),
        ("etcd_mvcc_txn_total", 1.0),
        ("etcd_debugging_mvcc_events_total", 22.0),
        ("etcd_debugging_lease_granted_total", 3.0),
        ("etcd_debugging_lease_renewed_total", 1.0),
        ("etcd_debugging_lease_revoked_total", 2.0),
        ("etcd_debugging_server_lease_expired_total", 1.0),
    ];
    for (name, change) in exact {
        assert_eq!(grew(name), change, "{name}");
    }
    let moved = [
        "etcd_network_peer_sent_bytes_total",
        "etcd_network_peer_received_bytes_total",
        "etcd_disk_wal_fsync_duration_seconds",
        "etcd_disk_wal_write_bytes_total",
        "etcd_server_proposals_committed_total",
        "etcd_server_proposals_applied_total",
        "grpc_server_handled_total",
        "volvox_peer_messages_sent_total",
    ];
    for name in moved {
        assert!(grew(name) > 0.0, "{name}");
    }
    let (_, text) = get(base, "/metrics");
    for label in ["peer_sent_bytes_total{To=", "peer_received_bytes_total{From="] {
        assert_eq!(text.matches(&format!("etcd_network_{label}")).count(), 2, "one series a peer: {label}");
    }
    watch.kill().expect("it runs");
    watch.wait().expect("it ends");
    wait_until("the watch is gone", || families(ports)["etcd_debugging_mvcc_watch_stream_total"] == 0.0);
}

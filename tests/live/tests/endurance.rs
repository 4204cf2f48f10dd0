//! Clients that do not read, links that break, and what a node says about itself meanwhile.
//!
//! `VOLVOX_LONG=1` lets the watcher sleep for a minute.

// Live nodes live in real time.
#![allow(clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tonic::transport::Endpoint;
use volvox_core::NodeId;
use volvox_disk::{Options, RealDirectory};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::watch_client::WatchClient;
use volvox_etcd::proto::etcdserverpb::watch_request::RequestUnion;
use volvox_etcd::proto::etcdserverpb::{PutRequest, RangeRequest, WatchCreateRequest, WatchRequest};
use volvox_live::cluster::LiveCluster;
use volvox_live::live_node::{LiveNode, Plan, block_on, introduce};
use volvox_live::program::cluster;
use volvox_live::wait::{PATIENCE, eventually};
use volvox_net::FreshLife;
use volvox_replica::Request;
use volvox_store::{Command, PutRequest as StorePut};

const GROWTH_MAX: u64 = 20 << 20;
const WATCHED: u64 = 32;
/// The watcher misses at least this much: were it kept for it, the node would grow by far more than it may.
const MISSED_BYTES_MIN: u64 = 3 * GROWTH_MAX;
const VALUE_BYTES: usize = 16 << 10;

fn sleep_time() -> Duration {
    Duration::from_secs(if std::env::var_os("VOLVOX_LONG").is_some() { 60 } else { 5 })
}

/// Two followers hold the same data, and one of them serves a watcher that does not read: what it has grown by more
/// than the other is what the watcher costs.
#[test]
fn a_watcher_that_does_not_read_gets_everything_and_costs_nothing() {
    let cluster = cluster("sleeper", 3, &[]);
    block_on(async {
        let leader = cluster.leader().await.expect("a node leads");
        let followers: Vec<u64> = cluster.nodes().filter(|id| *id != leader).collect();
        let channel = Endpoint::from_shared(cluster.endpoint(followers[0])).expect("a URL").connect().await;
        let mut watch = WatchClient::new(channel.expect("it serves")).max_decoding_message_size(64 << 20);
        let create = WatchCreateRequest { key: "w/".into(), range_end: "w0".into(), ..WatchCreateRequest::default() };
        let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        // The stream of requests stays open as long as the test wants to watch.
        let (requests, stream) = tokio::sync::mpsc::channel(1);
        requests.send(create).await.expect("room");
        let mut responses = watch.watch(Requests(stream)).await.expect("a stream").into_inner();
        let created = responses.message().await.expect("no error").expect("an answer");
        assert!(created.created);

        let before: Vec<u64> = followers.iter().map(|id| cluster.resident_bytes(*id).expect("it runs")).collect();
        let written = write_for(&cluster, leader, sleep_time()).await;
        cluster.wait_whole(PATIENCE).await.expect("all have it");
        let grown: Vec<i64> = (followers.iter().zip(before))
            .map(|(id, before)| cluster.resident_bytes(*id).expect("it runs") as i64 - before as i64)
            .collect();
        let missed = (written * VALUE_BYTES as u64) >> 10;
        println!(
            "{missed} KiB missed; grown by {} KiB with the sleeper, {} KiB without",
            grown[0] >> 10,
            grown[1] >> 10
        );
        assert!(grown[0] - grown[1] < GROWTH_MAX as i64, "{grown:?}");

        // It wakes up, and gets every change in order, once.
        let (mut seen, mut revision) = (0, 0);
        let began = Instant::now();
        while seen < written {
            assert!(began.elapsed() < PATIENCE, "{seen} of {written} events after {PATIENCE:?}");
            let response = responses.message().await.expect("no error").expect("the stream continues");
            assert!(!response.canceled, "{response:?}");
            for event in response.events {
                let pair = event.kv.expect("an event has a pair");
                assert_eq!(pair.value, value_of(seen), "event {seen}");
                assert!(pair.mod_revision > revision);
                (seen, revision) = (seen + 1, pair.mod_revision);
            }
        }
        drop(requests);
    });
}

/// A stream of requests, as tonic takes it.
struct Requests<T>(tokio::sync::mpsc::Receiver<T>);

impl<T> tonic::codegen::tokio_stream::Stream for Requests<T> {
    type Item = T;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

fn value_of(number: u64) -> Vec<u8> {
    let mut value = format!("{number:020}").into_bytes();
    value.resize(VALUE_BYTES, b'.');
    value
}

/// Writes the numbers 0, 1, 2, ... one after the other, evenly over the time, and for longer if that is not enough.
async fn write_for(cluster: &LiveCluster, through: u64, time: Duration) -> u64 {
    let mut kv = KvClient::connect(cluster.endpoint(through)).await.expect("it serves");
    let writes = MISSED_BYTES_MIN / VALUE_BYTES as u64;
    let mut interval = tokio::time::interval(time / writes as u32);
    let (began, mut number) = (Instant::now(), 0u64);
    while began.elapsed() < time || number < writes {
        interval.tick().await;
        let key = format!("w/{:02}", number % WATCHED).into_bytes();
        let value = value_of(number);
        kv.put(PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }).await.expect("served");
        number += 1;
    }
    number
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SNAPSHOT_VALUE_BYTES: usize = 256 << 10;
const SNAPSHOT_VALUES: u64 = 256;
const SNAPSHOT_BYTES: u64 = SNAPSHOT_VALUES * SNAPSHOT_VALUE_BYTES as u64;
const BREAKS: u64 = 3;

/// Every break loses the messages in flight. If the snapshot restarted each time, the follower would read it from the
/// start after 16, 32 and 48 MiB: 160 MiB in all.
#[test]
fn a_snapshot_of_64_mib_resumes_over_a_link_that_breaks_three_times() {
    let folder = Folder(std::env::temp_dir().join(format!("volvox-live-snapshot-{}", std::process::id())));
    let plan = Plan {
        heartbeat: Duration::from_millis(50),
        checkpoint_log_bytes: 8 << 20,
        log: Options { segment_bytes: 4 << 20, spare_segments_max: 2 },
        ..Plan::small()
    };
    block_on(async {
        let open = |id: u64| {
            let directory = RealDirectory::open(folder.0.join(format!("n{id}"))).expect("our own folder");
            LiveNode::open(&plan, id, directory, FreshLife::Bootstrap).expect("opens")
        };
        let mut nodes = vec![open(1), open(2)];
        introduce(&nodes);
        for number in 0..SNAPSHOT_VALUES {
            let request = large_put(number);
            eventually("a value is written", async || nodes[0].request(request.clone()).await.is_ok()).await;
        }
        nodes.push(open(3));
        introduce(&nodes);
        let behind = &nodes[2];
        let read = || behind.handle.counters().bytes_in;
        for number in 1..=BREAKS {
            let part = number * SNAPSHOT_BYTES / (BREAKS + 1);
            eventually("a part of the snapshot has come", async || read() >= part).await;
            assert_eq!(behind.view().store.len(), 0, "the snapshot was there before break {number}");
            break_links(&nodes, behind).await;
            introduce(&nodes);
        }
        let everything = SNAPSHOT_VALUES as usize;
        eventually("the snapshot is there", async || behind.view().store.len() == everything).await;
        let total = read();
        println!("{} MiB read for a snapshot of {} MiB", total >> 20, SNAPSHOT_BYTES >> 20);
        assert!(total >= SNAPSHOT_BYTES, "it came over the wire");
        assert!(total < SNAPSHOT_BYTES * 5 / 4, "{total} bytes: it was begun again");
        behind.request(Request::Read).await.expect("it takes part");
        let revision = nodes[0].view().store.revision();
        let hash = |node: &LiveNode| node.view().store.hash_kv(revision);
        assert_eq!(hash(behind), hash(&nodes[0]));
        for node in nodes {
            node.stop().await.expect("its disk is well");
        }
    });
}

/// Values differ, and exist only in the snapshot.
fn large_put(number: u64) -> Request {
    let value = number.to_le_bytes().repeat(SNAPSHOT_VALUE_BYTES / 8);
    let key = format!("key-{number:04}");
    Request::Write(Command::Put(StorePut { key: key.as_str().into(), value: value.into(), ..StorePut::default() }))
}

/// Takes the addresses away until no connection is left.
async fn break_links(nodes: &[LiveNode], behind: &LiveNode) {
    let others = || nodes.iter().filter(|node| node.id() != behind.id());
    for node in others() {
        node.handle.remove_peer(NodeId(behind.id()));
        behind.handle.remove_peer(NodeId(node.id()));
    }
    eventually("the links are gone", async || {
        behind.handle.peers().is_empty() && others().all(|node| node.handle.peers().len() == 1)
    })
    .await;
}

/// One value of `/metrics`, summed over all of its labels that contain `label`.
fn metric(cluster: &LiveCluster, id: u64, name: &str, label: &str) -> f64 {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", cluster.client_port(id))).expect("it serves");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: volvox\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, labels) = series.split_once('{').unwrap_or((series, ""));
        (found == name && labels.contains(label)).then(|| value.parse::<f64>().expect("a number"))
    });
    let values: Vec<f64> = values.collect();
    // A series with labels begins with its first call; one without is always there.
    assert!(!values.is_empty() || !label.is_empty(), "{name} is not in:\n{text}");
    values.iter().sum()
}

#[test]
fn metrics_show_puts_gets_and_a_lost_leader() {
    let cluster = cluster("metrics", 3, &[]);
    block_on(async {
        let leader = cluster.leader().await.expect("a node leads");
        cluster.wait_whole(PATIENCE).await.expect("all know it");
        let follower = cluster.nodes().find(|id| *id != leader).expect("there are three");
        let mut kv = KvClient::connect(cluster.endpoint(follower)).await.expect("it serves");
        let names = [
            ("grpc_server_handled_total", "grpc_method=\"Put\""),
            ("grpc_server_handled_total", "grpc_method=\"Range\""),
            ("etcd_mvcc_range_total", ""),
            ("etcd_debugging_mvcc_current_revision", ""),
            ("etcd_debugging_mvcc_keys_total", ""),
            ("etcd_server_proposals_committed_total", ""),
            ("etcd_server_proposals_applied_total", ""),
            ("etcd_disk_wal_write_bytes_total", ""),
        ];
        let read = || names.map(|(name, label)| metric(&cluster, follower, name, label));
        let before = read();
        for number in 0..10 {
            let key = format!("key-{number}").into_bytes();
            kv.put(PutRequest { key: key.into(), value: "v".into(), ..PutRequest::default() }).await.expect("served");
        }
        for _ in 0..7 {
            kv.range(RangeRequest { key: "key-1".into(), ..RangeRequest::default() }).await.expect("served");
        }
        let after = read();
        let change: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(change[..5], [10.0, 7.0, 7.0, 10.0, 10.0], "{names:?}: {change:?}");
        assert!(change[5] >= 10.0 && change[6] >= 10.0 && change[7] >= 10.0 * 100.0, "{names:?}: {change:?}");

        let changes = metric(&cluster, follower, "etcd_server_leader_changes_seen_total", "");
        assert_eq!(metric(&cluster, follower, "etcd_server_has_leader", ""), 1.0);
        assert_eq!(metric(&cluster, leader, "etcd_server_is_leader", ""), 1.0);
        cluster.volvox(&["kill", &leader.to_string()]).expect("it runs");
        let others: Vec<u64> = cluster.nodes().filter(|id| *id != leader).collect();
        let leaders = || others.iter().map(|id| metric(&cluster, *id, "etcd_server_is_leader", "")).sum::<f64>();
        let seen = || metric(&cluster, follower, "etcd_server_leader_changes_seen_total", "");
        eventually("a new leader shows in the metrics", async || leaders() == 1.0 && seen() > changes).await;
        let lost = |id| metric(&cluster, id, "etcd_network_active_peers", &format!("Remote=\"{leader:x}\""));
        assert_eq!(lost(follower), 0.0, "the dead leader is not connected");
    });
}

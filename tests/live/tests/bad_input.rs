//! Strangers, garbage and mistakes, against a cluster of the built program: a clear error each, nothing lost, and the
//! cluster serves throughout.
//!
//! `VOLVOX_LONG=1` makes the attack last ten seconds.

// The built program lives in real time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::Code;
use volvox_core::Rng;
use volvox_etcd::proto::etcdserverpb::PutRequest;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_live::cluster::LiveCluster;
use volvox_live::live_node::block_on;
use volvox_live::program::cluster;
use volvox_live::wait::{eventually, until};

/// The most memory that an attack may cost.
const GROWTH_MAX: u64 = 20 << 20;

fn attack_time() -> Duration {
    Duration::from_millis(if std::env::var_os("VOLVOX_LONG").is_some() { 10_000 } else { 2_500 })
}

/// The bytes sent to a port.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Bytes without any sense.
    Random,
    /// The right beginning, and frames whose lengths are wrong.
    WrongLengths,
    /// The right beginning, and a length of 4 GiB.
    FourGibibytes,
}

/// HTTP/2's preface and empty settings (RFC 9113 section 3.4).
const HTTP2_BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PEER_BEGINNING: &[u8] = b"VOLVOX\x01\0";

/// A HEADERS frame on stream 1: the start of a put, in literal header fields (RFC 7541 section 6.2.2).
fn put_headers() -> Vec<u8> {
    let mut block = Vec::new();
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/etcdserverpb.KV/Put"),
        (":authority", "127.0.0.1"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    http2_frame(1, 4, block.len() as u32, &block)
}

fn http2_frame(kind: u8, flags: u8, length: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, 1]);
    frame.extend_from_slice(payload);
    frame
}

fn bytes_for(attack: Attack, is_client_port: bool, rng: &mut Rng) -> Vec<u8> {
    let random: Vec<u8> = (0..8192).map(|_| rng.next_u64() as u8).collect();
    let mut bytes = if is_client_port { HTTP2_BEGINNING.to_vec() } else { PEER_BEGINNING.to_vec() };
    match (attack, is_client_port) {
        (Attack::Random, _) => return random,
        (Attack::WrongLengths, true) => {
            bytes.extend(put_headers());
            // Data whose message says another length than it has, then a frame that is shorter than it says.
            let mut message = vec![0];
            message.extend((rng.below(4000) as u32).to_be_bytes());
            message.extend_from_slice(&random[..100]);
            bytes.extend(http2_frame(0, 0, message.len() as u32, &message));
            bytes.extend(http2_frame(0, 1, rng.between(1, 1 << 14) as u32, &random[..50]));
        }
        (Attack::WrongLengths, false) => {
            bytes.extend((rng.between(1, 1 << 24) as u32).to_le_bytes());
            bytes.extend_from_slice(&random[..500]);
        }
        (Attack::FourGibibytes, true) => {
            bytes.extend(put_headers());
            let mut message = vec![0, 0xff, 0xff, 0xff, 0xff];
            message.extend_from_slice(&random[..4000]);
            bytes.extend(http2_frame(0, 0, message.len() as u32, &message));
        }
        (Attack::FourGibibytes, false) => {
            bytes.extend(u32::MAX.to_le_bytes());
            bytes.extend_from_slice(&random);
        }
    }
    bytes
}

/// One connection; being sent away in the midst of it is as it should be.
fn strike(port: u16, bytes: &[u8]) -> std::io::Result<()> {
    let limit = Duration::from_millis(200);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(bytes)?;
    let mut answer = [0; 512];
    stream.read(&mut answer).map(drop)
}

#[test]
fn garbage_on_every_port_costs_nothing_and_nobody_notices() {
    let cluster = cluster("garbage", 3, &[]);
    let victim = 2;
    let ports = [(cluster.client_port(victim), true), (cluster.client_port(victim) + 1, false)];
    let before = cluster.resident_bytes(victim).expect("it runs");
    let over = AtomicBool::new(false);
    let strikes = AtomicU64::new(0);
    let (served, slowest) = std::thread::scope(|scope| {
        for (port, is_client_port) in ports {
            for attack in [Attack::Random, Attack::WrongLengths, Attack::FourGibibytes] {
                let (over, strikes) = (&over, &strikes);
                scope.spawn(move || {
                    let mut rng = Rng::new(attack as u64);
                    while !over.load(Ordering::Relaxed) {
                        let _ = strike(port, &bytes_for(attack, is_client_port, &mut rng));
                        strikes.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        let result = std::panic::catch_unwind(|| block_on(serve_until(&cluster, attack_time())));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let strikes = strikes.into_inner();
    let grown = cluster.resident_bytes(victim).expect("it still runs").saturating_sub(before);
    println!("{strikes} strikes, {served} puts served, the slowest in {slowest:?}, grown by {} KiB", grown >> 10);
    assert!(strikes > 100 && served > 20, "{strikes} strikes, {served} puts");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes");
    let last_words = std::fs::read_to_string(cluster.data().join(format!("n{victim}.stderr"))).expect("there is one");
    assert_eq!(last_words, "", "nothing panicked");
}

/// Puts through every node in turn, none of which may fail.
async fn serve_until(cluster: &LiveCluster, time: Duration) -> (u64, Duration) {
    let mut clients = Vec::new();
    for id in cluster.nodes() {
        clients.push(KvClient::connect(cluster.endpoint(id)).await.expect("it serves"));
    }
    let mut interval = tokio::time::interval(Duration::from_millis(10));
    let (began, mut served, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while began.elapsed() < time {
        interval.tick().await;
        let put = PutRequest { key: "k".into(), value: served.to_string().into(), ..PutRequest::default() };
        let asked = Instant::now();
        clients[served as usize % 3].put(put).await.expect("served throughout");
        slowest = slowest.max(asked.elapsed());
        served += 1;
    }
    (served, slowest)
}

#[test]
fn requests_too_large_are_refused_as_etcd_does() {
    let cluster = cluster("oversized", 1, &[]);
    block_on(async {
        let mut kv = KvClient::connect(cluster.endpoint(1)).await.expect("it serves");
        let mut put = async |bytes: usize| {
            let put = PutRequest { key: "k".into(), value: vec![7; bytes].into(), ..PutRequest::default() };
            kv.put(put).await.map(drop).map_err(|status| (status.code(), status.message().to_owned()))
        };
        assert_eq!(put(1_500_000).await, Ok(()), "below --max-request-bytes");
        let too_large = (Code::InvalidArgument, "etcdserver: request is too large".to_owned());
        assert_eq!(put(1_600_000).await, Err(too_large));
        let (code, message) = put(3_000_000).await.expect_err("more than a message may have");
        assert_eq!(code, Code::ResourceExhausted, "{message}");
        assert!(message.contains("received message larger than max") && message.contains("2097152"), "{message}");
        assert_eq!(put(10).await, Ok(()), "and it continues");
    });
}

fn read_log(cluster: &LiveCluster, id: u64) -> String {
    std::fs::read_to_string(cluster.data().join(format!("n{id}.log"))).unwrap_or_default()
}

fn wait_for_log(cluster: &LiveCluster, id: u64, words: &[&str]) {
    until(&format!("node {id} says {words:?}"), || {
        read_log(cluster, id).lines().any(|line| words.iter().all(|word| line.contains(word)))
    });
}

#[test]
fn another_version_and_another_cluster_are_refused_with_a_reason() {
    let cluster = cluster("foreign", 3, &[]);
    let mut stream = TcpStream::connect(("127.0.0.1", cluster.client_port(1) + 1)).expect("the peer port");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    stream.write_all(b"VOLVOX\x07\0").expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(&answer[..7], b"VOLVOX\x01", "told our version, then closed");
    wait_for_log(&cluster, 1, &["speaks version 7", "this program version 1"]);

    // A node of another cluster takes the place of node 3, under its name and address.
    cluster.volvox(&["kill", "3"]).expect("it runs");
    let base = cluster.client_port(1);
    let address = |id: u16, port: u16| format!("127.0.0.1:{}", base + 10 * (id - 1) + port);
    let members = (1..=3).map(|id| format!("{id}={}", address(id, 1))).collect::<Vec<_>>().join(",");
    let folder = cluster.data().join("foreign");
    let log = cluster.data().join("foreign.log");
    let mut foreign = std::process::Command::new(volvox_live::program::program())
        .args(["node", "--id", "3", "--cluster", "99", "--initial-cluster", &members, "--folder"])
        .arg(&folder)
        .args(["--listen-client", &address(3, 0), "--listen-peer", &address(3, 1), "--listen-admin", &address(3, 2)])
        .arg("--log-file")
        .arg(&log)
        .spawn()
        .expect("the program starts");
    wait_for_log(&cluster, 1, &["wrong cluster", "0000000000000063"]);
    wait_for_log(&cluster, 2, &["wrong cluster", "0000000000000063"]);
    cluster.volvox(&["put", "k", "v"]).expect("two nodes serve");
    foreign.kill().expect("ours");
    foreign.wait().expect("ours");
    let foreign_log = std::fs::read_to_string(&log).expect("it logged");
    assert!(foreign_log.contains("wrong cluster"), "it knows too:\n{foreign_log}");

    // Our node refuses that folder, and restarts in its own.
    let taken = std::process::Command::new(volvox_live::program::program())
        .args(["node", "--id", "2", "--cluster", "99", "--initial-cluster", &members, "--folder"])
        .arg(&folder)
        .args(["--listen-client", "127.0.0.1:0", "--listen-peer", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&taken.stderr);
    assert!(!taken.status.success() && said.contains("belongs to n3 of cluster 0000000000000063"), "{said}");
    cluster.volvox(&["start", "3"]).expect("its own folder");
    block_on(cluster.wait_whole(Duration::from_secs(20))).expect("whole again");
}

#[test]
fn a_damaged_log_makes_a_fresh_incarnation_that_becomes_a_voter() {
    let cluster = cluster("damaged", 3, &[]);
    for number in 0..50 {
        cluster_put(&cluster, number);
    }
    block_on(cluster.wait_whole(Duration::from_secs(10))).expect("all have applied it");
    cluster.volvox(&["kill", "3"]).expect("it runs");
    let folder = cluster.data().join("n3");
    let segment = files(&folder, "log-").into_iter().next().expect("a log has a segment");
    let mut bytes = std::fs::read(&segment).expect("readable");
    // Many batches behind it are witnesses that this record was durable.
    let place = bytes.windows(6).position(|window| window == b"key-20").expect("the log has the key");
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).expect("writable");
    cluster.volvox(&["start", "3"]).expect("damage is no reason not to start");
    let status = block_on(wait_for_vote(&cluster, 3));
    assert!(status["incarnation"].as_u64().is_some_and(|incarnation| incarnation > 1), "{status}");
    let log = read_log(&cluster, 3);
    assert!(log.contains("records are lost") && log.contains("continues as a new incarnation"), "{log}");
    // It has everything again, and is counted: with node 1 gone it makes the majority.
    cluster.volvox(&["kill", "1"]).expect("it runs");
    let found = cluster.volvox(&["get", "key-", "--prefix", "--count-only"]).expect("a majority serves");
    assert!(found.contains("50"), "{found}");
    cluster.volvox(&["put", "after", "1"]).expect("a majority writes");
}

fn cluster_put(cluster: &LiveCluster, number: u64) {
    block_on(async {
        let mut kv = KvClient::connect(cluster.endpoint(1)).await.expect("it serves");
        let key = format!("key-{number}").into_bytes();
        kv.put(PutRequest { key: key.into(), value: "v".into(), ..PutRequest::default() }).await.expect("served");
    });
}

async fn wait_for_vote(cluster: &LiveCluster, id: u64) -> serde_json::Value {
    let mut status = serde_json::Value::Null;
    eventually("the node votes again", async || {
        status = cluster.status(id).await.unwrap_or_default();
        status["votes"] == true
    })
    .await;
    status
}

fn files(folder: &std::path::Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let named =
        |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    let mut found: Vec<_> = entries.filter(named).collect();
    found.sort();
    found
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let cluster = cluster("newer", 1, &[]);
    cluster_put(&cluster, 1);
    cluster.volvox(&["kill", "1"]).expect("it runs");
    let path = cluster.data().join("n1").join("identity");
    let original = std::fs::read(&path).expect("readable");
    let mut newer = original.clone();
    newer[4..8].copy_from_slice(&2u32.to_le_bytes());
    // The checksum of a head begins with the nonce, which only batches have.
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&[0; 8]), &newer[..8]);
    newer[8..12].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, &newer).expect("writable");
    let refused = cluster.output(&["start", "1"]).expect("runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("identity") && said.contains("version 2"), "{said}");
    assert_eq!(std::fs::read(&path).expect("readable"), newer, "nothing was written over it");
    std::fs::write(&path, &original).expect("writable");
    cluster.volvox(&["start", "1"]).expect("the right version");
    assert_eq!(cluster.volvox(&["get", "key-1"]).expect("served").trim(), "key-1\nv");
}

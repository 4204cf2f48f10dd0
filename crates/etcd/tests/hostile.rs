//! Whatever arrives at the client port, memory stays flat and other clients are served.
//!
//! A test binary of its own: it measures the memory of its process.

// A test is outside the simulation: its time limits are real.
#![allow(clippy::disallowed_methods)]

#[path = "door/fake.rs"]
#[allow(dead_code)]
mod fake;
#[path = "door/live.rs"]
#[allow(dead_code)]
mod live;
#[path = "door/server.rs"]
#[allow(dead_code)]
mod server;

use live::Live;
use server::{Server, within};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use volvox_core::Rng;
use volvox_etcd::Options;
use volvox_etcd::proto::etcdserverpb as pb;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn resident_mib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    (statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096) >> 20
}

fn noise(rng: &mut Rng, length: usize) -> Vec<u8> {
    (0..length).map(|_| rng.next_u64() as u8).collect()
}

/// A frame of HTTP/2 whose length need not be right.
fn frame(length: u32, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of a put, in literals of HPACK.
fn head() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut field = |name: &str, value: &str| {
        block.push(0x00);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    };
    field(":path", "/etcdserverpb.KV/Put");
    field(":authority", "x");
    field("content-type", "application/grpc");
    frame(block.len() as u32, 1, 0x4, 1, &block)
}

/// The bytes of one hostile client.
fn attack(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    match rng.below(6) {
        0 => return noise(rng, 4000),
        1 => {
            bytes.extend(SETTINGS);
            let (kind, flags) = (rng.below(12) as u8, rng.next_u64() as u8);
            let (length, stream) = (rng.below(1 << 24) as u32, rng.below(8) as u32);
            let payload = noise(rng, 3000);
            bytes.extend(frame(length, kind, flags, stream, &payload));
        }
        2 => {
            // A message of 4 GiB.
            bytes.extend(SETTINGS);
            bytes.extend(head());
            bytes.extend(frame(9, 0, 0, 1, &[0, 255, 255, 255, 255, 1, 2, 3, 4]));
        }
        3 => {
            // A message of just below 2 MiB that never ends.
            bytes.extend(SETTINGS);
            bytes.extend(head());
            bytes.extend(frame(16_000, 0, 0, 1, &[&[0, 0, 31, 255, 255][..], &noise(rng, 15_995)].concat()));
        }
        4 => {
            // An invalid message.
            bytes.extend(SETTINGS);
            bytes.extend(head());
            let payload = noise(rng, 995);
            bytes.extend(frame(1000, 0, 1, 1, &[&[0, 0, 0, 3, 227][..], &payload].concat()));
        }
        _ => {
            // Headers without end.
            bytes.extend(SETTINGS);
            bytes.extend(frame(100, 1, 0, 1, &noise(rng, 100)));
            for _ in 0..50 {
                bytes.extend(frame(100, 9, 0, 1, &noise(rng, 100)));
            }
        }
    }
    bytes
}

async fn send(address: SocketAddr, bytes: Vec<u8>) {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    // The server may cut the connection off at any byte.
    let _ = within(stream.write_all(&bytes)).await;
    let mut answer = [0; 512];
    let _ = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut answer)).await;
}

async fn attack_for(address: SocketAddr, span: Duration) -> u32 {
    let began = Instant::now();
    let mut attacks = 0;
    while began.elapsed() < span {
        let one = |lane: u64| send(address, attack(&mut Rng::new(u64::from(attacks) * 8 + lane)));
        futures_util::future::join_all((0..8).map(one)).await;
        attacks += 1;
    }
    attacks * 8
}

#[tokio::test]
async fn ten_seconds_of_rubbish_harm_nobody() {
    let live = Live::start().await;
    let server = Server::live(&live).await;
    let mut kv = server.kv().await;
    let put = || pb::PutRequest { key: "a".into(), value: vec![7; 100].into(), ..Default::default() };
    within(kv.put(put())).await.unwrap();
    attack_for(server.address, Duration::from_secs(1)).await;
    let before = resident_mib();
    let attacks = tokio::spawn(attack_for(server.address, Duration::from_secs(10)));
    let mut served = 0;
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    while !attacks.is_finished() {
        within(kv.put(put())).await.unwrap();
        served += 1;
        pace.tick().await;
    }
    let attacks = attacks.await.unwrap();
    let after = resident_mib();
    assert!(attacks > 500 && served > 500, "{attacks} attacks, {served} puts");
    assert!(after <= before + 20, "{before} MiB before, {after} MiB after {attacks} attacks");
}

#[tokio::test]
async fn clients_that_fall_silent_are_cut_off() {
    let options = Options {
        read_timeout: Duration::from_millis(200),
        ping_interval: Duration::from_millis(200),
        ping_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    let live = Live::start().await;
    let server = Server::of_backend(live.clone(), live.dispatcher.clone(), options).await;
    let half_a_preface = PREFACE[..10].to_vec();
    let half_a_head = b"GET /health HTTP/1.1\r\nHost:".to_vec();
    let no_pings = [PREFACE, SETTINGS].concat();
    let half_a_frame = [PREFACE, SETTINGS, &[0, 0, 9]].concat();
    for silent in [Vec::new(), half_a_preface, half_a_head, no_pings, half_a_frame] {
        let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
        within(stream.write_all(&silent)).await.unwrap();
        // Whatever the server sends before it closes.
        within(stream.read_to_end(&mut Vec::new())).await.ok();
    }
    // A unary request that is not finished is answered, and the call with it.
    let unfinished = [PREFACE, SETTINGS, &head(), &frame(10, 0, 0, 1, &[0, 0, 0, 1, 0, 1, 2, 3, 4, 5])].concat();
    let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
    within(stream.write_all(&unfinished)).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.ok();
    assert!(!answer.is_empty());
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let live = Live::start().await;
    let options = Options { connections_max: 2, ..Options::default() };
    let server = Server::of_backend(live.clone(), live.dispatcher.clone(), options).await;
    let mut kv = server.kv().await;
    within(kv.put(pb::PutRequest { key: "a".into(), ..Default::default() })).await.unwrap();
    let second = within(TcpStream::connect(server.address)).await.unwrap();
    let mut third = within(TcpStream::connect(server.address)).await.unwrap();
    assert_eq!(within(third.read(&mut [0; 1])).await.unwrap_or(0), 0, "turned away at once");
    drop(second);
    within(async {
        while let Ok(mut next) = TcpStream::connect(server.address).await {
            let _ = next.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            let mut answer = String::new();
            if next.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200") {
                return;
            }
        }
    })
    .await;
}

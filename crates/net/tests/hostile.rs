//! The peer port faces strangers: wrong handshakes are refused with a reason at both ends, garbage costs nothing.

use crate::support::{
    Folder, Message, RawPeer, Running, answered, book, call, introduce, options, start, start_in, until,
};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use volvox_core::{NodeId, Rng, decode_all};
use volvox_disk::SimulatedDirectory;
use volvox_net::frame::{Kind, put_frame};
use volvox_net::{NodeOptions, PEER_PROTOCOL_VERSION, Refusal};

fn node(options: NodeOptions) -> Running {
    let seed = options.id.0;
    start(options, SimulatedDirectory::new(seed))
}

fn last_error(node: &Running) -> String {
    node.handle.peers().first().and_then(|peer| peer.last_error.clone()).unwrap_or_default()
}

#[test]
fn another_cluster_is_refused_and_both_ends_know_why() {
    let one = node(options(1));
    let two = node(NodeOptions { cluster: 0xbad, ..options(2) });
    one.handle.set_peer(NodeId(2), two.address());
    two.handle.set_peer(NodeId(1), one.address());
    for node in [&one, &two] {
        until("refused", || {
            last_error(node).contains("wrong cluster") && node.handle.counters().connections_refused > 0
        });
        let error = last_error(node);
        assert!(error.contains("0000000000000bad") && error.contains("000000000000ec40"), "{error}");
    }
}

#[test]
fn another_version_is_refused_and_told_ours() {
    let one = node(NodeOptions { peers: book(&[(9, "127.0.0.1:1")]), ..options(1) });
    let mut peer = RawPeer::connect(&one.address());
    peer.hello(PEER_PROTOCOL_VERSION + 1, crate::support::CLUSTER, 9, 1);
    let mut preamble = [0; 8];
    std::io::Read::read_exact(&mut peer.stream, &mut preamble).expect("our version");
    assert_eq!((&preamble[..6], preamble[6]), (&b"VOLVOX"[..], PEER_PROTOCOL_VERSION as u8));
    peer.expect_closed();
    until("counted", || one.handle.counters().connections_refused == 1);

    // The dialling end says so too.
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    one.handle.set_peer(NodeId(9), listener.local_addr().expect("bound").to_string());
    let (mut stream, _) = listener.accept().expect("dialled");
    stream.write_all(b"VOLVOX\x07\x00").expect("another version");
    until("refused", || last_error(&one).contains("version 7"));
}

#[test]
fn strangers_and_namesakes_are_refused() {
    let one = node(NodeOptions { peers: book(&[(9, "127.0.0.1:1")]), ..options(1) });
    let cases = [
        (8, 1, Refusal::UnknownNode(NodeId(8))),
        (1, 1, Refusal::OwnId(NodeId(1))),
        (9, 2, Refusal::Addressee { wanted: NodeId(2), here: NodeId(1) }),
    ];
    for (count, (from, to, refusal)) in (1..).zip(cases) {
        let mut peer = RawPeer::connect(&one.address());
        peer.hello(PEER_PROTOCOL_VERSION, crate::support::CLUSTER, from, to);
        let (kind, body) = peer.answer().expect("an answer");
        assert_eq!((kind, decode_all::<Refusal>(&body)), (Kind::Refused as u8, Ok(refusal)));
        peer.expect_closed();
        until("counted", || one.handle.counters().connections_refused == count);
    }
}

#[test]
fn an_address_that_leads_to_another_node_is_said() {
    let [one, two] = [1, 2].map(|id| node(options(id)));
    one.handle.set_peer(NodeId(3), two.address());
    until("wrong address", || last_error(&one).contains("n3 was dialled, and n2 answers there"));
}

#[test]
fn who_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    let mut impatient = NodeOptions { peers: book(&[(9, &address)]), ..options(1) };
    impatient.limits.handshake_time_max = Duration::from_millis(100);
    let one = node(impatient);
    until("the dialling end gives up", || last_error(&one).contains("no answer within"));
    let mut silent = RawPeer::connect(&one.address());
    silent.expect_closed();
    let mut half = RawPeer::connect(&one.address());
    half.stream.write_all(b"VOL").expect("sent");
    half.expect_closed();
    until("counted", || one.handle.counters().connections_refused == 2);
}

#[test]
fn strangers_cannot_keep_a_peer_out() {
    let mut small = options(1);
    small.limits.strangers_max = 8;
    small.limits.connections_max = 16;
    small.limits.handshake_time_max = Duration::from_secs(600);
    let [one, two] = [node(small), node(options(2))];
    let address = one.address();
    let strangers: Vec<RawPeer> = (0..100).map(|_| RawPeer::connect(&address)).collect();
    until("all are accepted", || one.handle.counters().connections_accepted == 100);
    assert_eq!(one.handle.counters().connections_refused, 92, "the oldest strangers are closed");
    introduce(&[&one, &two]);
    drop(strangers);
}

#[test]
fn a_bad_frame_closes_its_connection_and_no_other() {
    let one = node(NodeOptions { peers: book(&[(8, "127.0.0.1:1"), (9, "127.0.0.1:1")]), ..options(1) });
    let mut good = RawPeer::welcomed(&one.address(), 8, 1);
    good.ready();
    let mut message = Vec::new();
    put_frame(Kind::Message, &mut message, |out| volvox_core::Encode::encode(&Message::Quick(1), out));
    let mut checksum = message.clone();
    *checksum.last_mut().expect("a body") ^= 1;
    let mut too_long = message.clone();
    too_long[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut kind = message.clone();
    kind[4] = 99;
    let mut undecodable = Vec::new();
    put_frame(Kind::Message, &mut undecodable, |out| out.push(77));
    for (count, bad) in (1..).zip([checksum, too_long, kind, undecodable]) {
        let mut peer = RawPeer::welcomed(&one.address(), 9, 1);
        peer.ready();
        peer.stream.write_all(&bad).expect("sent");
        peer.expect_closed();
        until("counted", || one.handle.counters().bad_frames == count);
    }
    good.say(&Message::Quick(5)).expect("still open");
    one.expect("heard", |event| matches!(event, crate::support::Event::Heard { number: 5, .. }));
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split_whitespace().nth(1).expect("resident pages").parse::<u64>().expect("a number") * 4096
}

/// One connection full of what a stranger or a broken peer may send.
fn attack(address: &str, sort: u64, rng: &mut Rng) -> std::io::Result<()> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut bytes = vec![0; 4096];
    for byte in &mut bytes {
        *byte = rng.next_u64() as u8;
    }
    match sort % 3 {
        0 => {}
        1 => {
            // The right beginning, and a frame of 4 GiB.
            bytes[..8].copy_from_slice(b"VOLVOX\x01\x00");
            bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        }
        _ => {
            // A known peer's handshake, then frames whose lengths are wrong by a little.
            let mut peer = RawPeer { stream };
            peer.try_hello(PEER_PROTOCOL_VERSION, crate::support::CLUSTER, 9, 1)?;
            peer.answer()?;
            let mut ready = Vec::new();
            put_frame(Kind::Ready, &mut ready, |_| {});
            peer.stream.write_all(&ready)?;
            for _ in 0..8 {
                let mut frame = Vec::new();
                put_frame(Kind::Message, &mut frame, |out| out.extend_from_slice(&bytes[..200]));
                let length = 200 + rng.between(1, 1 << 24) as u32;
                frame[..4].copy_from_slice(&length.to_le_bytes());
                peer.stream.write_all(&frame)?;
            }
            return Ok(());
        }
    }
    stream.write_all(&bytes)?;
    stream.write_all(&bytes)
}

#[test]
fn ten_seconds_of_garbage_leave_memory_flat_and_the_node_serving() {
    // Real folders: a simulated disk would be memory that grows.
    let folders = [Folder::new(), Folder::new()];
    let [one, two] = [1, 2].map(|id| start_in(options(id), &folders[id as usize - 1].0));
    introduce(&[&one, &two]);
    one.handle.set_peer(NodeId(9), "127.0.0.1:1");
    let address = one.address();
    one.handle.command(call(2, 1)).expect("room");
    one.expect("served before", answered(1));
    let before = resident_bytes();
    let over = AtomicBool::new(false);
    let attacks = AtomicU64::new(0);
    let answered_meanwhile = std::thread::scope(|scope| {
        for sort in 0..3u64 {
            let (address, over, attacks) = (&address, &over, &attacks);
            scope.spawn(move || {
                let mut rng = Rng::new(sort);
                while !over.load(Ordering::Relaxed) {
                    // A connection that the node has closed meanwhile is what should happen.
                    let _ = attack(address, sort, &mut rng);
                    attacks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let until = Instant::now() + Duration::from_secs(10);
        let mut number = 1;
        while Instant::now() < until {
            number += 1;
            one.handle.command(call(2, number)).expect("room");
            one.expect("served meanwhile", answered(number));
        }
        over.store(true, Ordering::Relaxed);
        number
    });
    let grown = resident_bytes().saturating_sub(before);
    println!("{attacks:?} attacks, {answered_meanwhile} calls answered, grown by {grown} bytes");
    assert!(attacks.load(Ordering::Relaxed) > 100, "{attacks:?}");
    assert!(answered_meanwhile > 100, "{answered_meanwhile}");
    assert!(grown < 20 << 20, "grown by {grown} bytes");
}

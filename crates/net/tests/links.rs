//! The guarantees of a link: one valid connection, in order, bounded; faults act at the receiver.

use crate::support::{
    CLUSTER, Command, Event, Message, RawPeer, Running, answered, book, call, hold_key, introduce, options, quick,
    release, start, until,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use volvox_core::{Bytes, Encode, Fault, NodeId};
use volvox_disk::SimulatedDirectory;
use volvox_net::frame::{Kind, put_frame};
use volvox_net::{FaultRefused, FreshLife, NodeOptions};

fn node(options: NodeOptions) -> Running {
    let seed = options.id.0;
    start(options, SimulatedDirectory::new(seed))
}

fn development(id: u64) -> NodeOptions {
    NodeOptions { development: true, ..options(id) }
}

fn faults(texts: &[&str]) -> Vec<Fault> {
    texts.iter().map(|text| text.parse().expect("a fault")).collect()
}

fn heard(number: u64) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Heard { number: got, .. } if *got == number)
}

#[test]
fn a_partition_holds_until_it_is_healed() {
    let [one, two] = [1, 2].map(|id| node(development(id)));
    introduce(&[&one, &two]);
    for node in [&one, &two] {
        node.handle.set_faults(&faults(&["partition 1|2"])).expect("accepted");
    }
    one.handle.command(call(2, 1)).expect("room");
    until("the call is dropped", || two.handle.counters().dropped_by_faults == 1);
    assert!(one.handle.peers()[0].connected, "the connection stays");
    for node in [&one, &two] {
        node.handle.set_faults(&[]).expect("healed");
    }
    one.handle.command(call(2, 2)).expect("room");
    one.expect("an answer", answered(2));
    assert_eq!(two.handle.view().written, [2]);
}

#[test]
fn a_one_way_cut_lets_the_other_way_through() {
    let [one, two] = [1, 2].map(|id| node(development(id)));
    introduce(&[&one, &two]);
    two.handle.set_faults(&faults(&["partition 1->2"])).expect("accepted");
    one.handle.command(quick(2, 1)).expect("room");
    two.handle.command(quick(1, 2)).expect("room");
    one.expect("the other way", heard(2));
    until("this way is cut", || two.handle.counters().dropped_by_faults == 1);
    assert_eq!(two.handle.faults(), faults(&["partition 1->2"]));
}

#[test]
fn delayed_messages_keep_their_order_also_when_the_delay_ends() {
    let [one, two] = [1, 2].map(|id| node(development(id)));
    introduce(&[&one, &two]);
    two.handle.set_faults(&faults(&["slow 1->2 delay 150ms"])).expect("accepted");
    let began = Instant::now();
    for number in 1..=5 {
        one.handle.command(quick(2, number)).expect("room");
    }
    until("they arrived", || two.handle.counters().messages_in == 5);
    two.handle.set_faults(&[]).expect("healed");
    one.handle.command(quick(2, 6)).expect("room");
    for number in 1..=6 {
        let next = two.expect("a message", |event| matches!(event, Event::Heard { .. }));
        assert!(heard(number)(&next), "{number} expected, {next:?} heard");
    }
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_node_in_earnest_refuses_faults() {
    let one = node(options(1));
    assert_eq!(one.handle.set_faults(&faults(&["partition 1|2"])), Err(FaultRefused::NotDevelopment));
}

#[test]
fn messages_that_wait_after_a_stall_come_before_timers_that_are_due() {
    let [one, two] = [1, 2].map(|id| node(options(id)));
    introduce(&[&one, &two]);
    for round in 1..=10 {
        let key = hold_key();
        two.handle.command(Command::Hold(key)).expect("room");
        until("the hold is taken", || two.handle.commands_waiting() == 0);
        let before = one.handle.counters();
        one.handle.command(quick(2, round)).expect("room");
        until("the message has left", || one.handle.counters().bytes_out > before.bytes_out + 12);
        // Several ticks of 20 ms are due by now, and the message lies in the socket.
        let stalled = Instant::now();
        until("ticks are due", || stalled.elapsed() > Duration::from_millis(50));
        release(key);
        let Event::Held { ticks } = two.expect("released", |event| matches!(event, Event::Held { .. })) else {
            unreachable!()
        };
        let Event::Heard { ticks: at_message, .. } = two.expect("the message", heard(round)) else { unreachable!() };
        assert_eq!(at_message, ticks, "a timer fired before the message of round {round}");
    }
    assert!(two.handle.counters().slow_steps >= 10);
}

#[test]
fn the_newest_connection_of_a_peer_is_the_only_one_that_is_heard() {
    let one = node(NodeOptions { peers: book(&[(9, "127.0.0.1:1")]), ..options(1) });
    let address = one.address();
    let mut old = RawPeer::welcomed(&address, 9, 1);
    old.ready();
    old.say(&Message::Quick(1)).expect("sent");
    one.expect("the old connection", heard(1));
    let mut new = RawPeer::welcomed(&address, 9, 1);
    new.ready();
    new.say(&Message::Quick(2)).expect("sent");
    one.expect("the new connection", heard(2));
    // Messages on the old connection arrive nowhere now, and it is closed.
    let _ = old.say(&Message::Quick(3));
    old.expect_closed();
    new.say(&Message::Quick(4)).expect("sent");
    let next = one.expect("the next", |event| matches!(event, Event::Heard { .. }));
    assert!(heard(4)(&next), "{next:?}");
}

#[test]
fn a_connection_from_before_cannot_displace_a_living_one() {
    let one = node(NodeOptions { peers: book(&[(9, "127.0.0.1:1")]), ..options(1) });
    let address = one.address();
    let mut dead = RawPeer::welcomed(&address, 9, 1);
    let mut living = RawPeer::welcomed(&address, 9, 1);
    living.ready();
    living.say(&Message::Quick(1)).expect("sent");
    one.expect("the living one", heard(1));
    dead.ready();
    dead.expect_closed();
    living.say(&Message::Quick(2)).expect("sent");
    one.expect("the living one still", heard(2));
}

#[test]
fn a_peer_that_does_not_read_costs_a_bounded_queue() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    let mut bounded = NodeOptions { peers: book(&[(2, &address)]), ..options(1) };
    bounded.limits.send_queue_bytes_max = 1 << 20;
    bounded.limits.silence_max = Duration::from_secs(600);
    let one = node(bounded);
    let (mut stream, _) = listener.accept().expect("dialled");
    stream.read_exact(&mut [0; 8]).expect("the preamble");
    let mut out = Vec::from(*b"VOLVOX");
    out.extend(1u16.to_le_bytes());
    put_frame(Kind::Welcome, &mut out, |out| {
        out.extend(CLUSTER.to_le_bytes());
        ((2u64, 1u64), 1u64).encode(out);
    });
    stream.write_all(&out).expect("welcomed");
    until("the link stands", || one.handle.peers()[0].connected);

    let payload = Bytes::from(vec![7; 64 << 10]);
    let mut number = 0;
    while one.handle.counters().dropped_full == 0 {
        number += 1;
        // One at a time: a turn that holds many would find the kernel's buffer still empty.
        one.handle.command(Command::Call { to: NodeId(2), number, payload: payload.clone() }).expect("room");
        until("taken", || one.handle.counters().messages_out + one.handle.counters().dropped_full == number);
        assert!(number < 10_000, "{:?}", one.handle.peers());
    }
    let status = &one.handle.peers()[0];
    assert_eq!(status.dropped, 1);
    assert!(status.queued_bytes <= (1 << 20) + (65 << 10), "{status:?}");
    assert!(status.connected);
}

#[test]
fn messages_for_a_peer_that_is_away_wait_up_to_a_bound() {
    let [one, two] = [1, 2].map(|id| node(options(id)));
    // No process listens there.
    one.handle.set_peer(NodeId(2), "127.0.0.1:1");
    until("an attempt failed", || one.handle.peers().first().is_some_and(|peer| peer.last_error.is_some()));
    one.handle.command(quick(2, 1)).expect("room");
    let payload = Bytes::from(vec![7; 100 << 10]);
    for number in 2..=20 {
        one.handle.command(Command::Call { to: NodeId(2), number, payload: payload.clone() }).expect("room");
    }
    until("some are dropped", || {
        let counters = one.handle.counters();
        counters.dropped_full > 0 && counters.dropped_full + counters.messages_out == 20
    });
    assert!(one.handle.peers()[0].queued_bytes <= (1 << 20) + (101 << 10));
    one.handle.command(quick(3, 1)).expect("room");
    until("no route to n3 is known", || one.handle.counters().dropped_unroutable == 1);
    // A changed address makes a new link; messages get through again.
    introduce(&[&one, &two]);
    one.handle.command(call(2, 100)).expect("room");
    one.expect("an answer", answered(100));
    assert_eq!(one.handle.peers()[0].queued_bytes, 0);
}

#[test]
fn what_waits_for_a_peer_that_returns_as_somebody_else_is_forgotten() {
    let [one, two] = [1, 2].map(|id| node(options(id)));
    introduce(&[&one, &two]);
    let listen = two.handle.listen_address();
    let gone = |two: Running| {
        two.stop().expect("ends well");
        until("it is gone", || !one.handle.peers()[0].connected);
        one.handle.command(quick(2, 1)).expect("room");
        until("a message waits", || one.handle.peers()[0].queued_bytes > 0);
    };
    let back = |fresh| {
        let two = node(NodeOptions { listen, fresh, peers: book(&[(1, &one.address())]), ..options(2) });
        until("the link stands", || one.handle.peers()[0].connected);
        one.handle.command(quick(2, 2)).expect("room");
        two
    };
    gone(two);
    // A fresh disk, but the same incarnation: for its peers it is the same node.
    let two = back(FreshLife::Bootstrap);
    two.expect("what waited", heard(1));
    two.expect("what came after", heard(2));
    gone(two);
    let two = back(FreshLife::Join);
    let first = two.expect("a message", |event| matches!(event, Event::Heard { .. }));
    assert!(heard(2)(&first), "{first:?} was meant for another life");
}

#[test]
fn a_peer_that_is_removed_is_not_heard_any_more() {
    let [one, two] = [1, 2].map(|id| node(options(id)));
    introduce(&[&one, &two]);
    one.handle.remove_peer(NodeId(2));
    until("both links end", || one.handle.peers().is_empty() && !two.handle.peers()[0].connected);
    until("it may not return", || {
        two.handle.peers()[0].last_error.as_ref().is_some_and(|error| error.contains("n2 is not a peer"))
    });
    one.handle.set_peer(NodeId(2), two.address());
    two.handle.command(quick(1, 5)).expect("room");
    one.expect("heard again", heard(5));
}

#[test]
fn a_link_that_falls_silent_is_made_anew() {
    // It takes the connection, says welcome, and then nothing more.
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    let mut impatient = NodeOptions { peers: book(&[(2, &address)]), ..options(1) };
    impatient.limits.silence_max = Duration::from_millis(60);
    let one = node(impatient);
    let mut connections = Vec::new();
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().expect("dialled");
        let mut out = Vec::from(*b"VOLVOX");
        out.extend(1u16.to_le_bytes());
        put_frame(Kind::Welcome, &mut out, |out| {
            out.extend(CLUSTER.to_le_bytes());
            ((2u64, 1u64), 1u64).encode(out);
        });
        stream.write_all(&out).expect("welcomed");
        connections.push(stream);
    }
    until("both were links", || one.handle.peers()[0].connects == 2);
    let error = one.handle.peers()[0].last_error.clone().expect("a reason");
    assert!(error.contains("no data received"), "{error}");
}

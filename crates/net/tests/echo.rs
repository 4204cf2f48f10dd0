//! Nodes that answer one another over real sockets, and write to real files.

use crate::support::{Command, Event, Folder, answered, call, introduce, options, start_in, until};
use volvox_core::{Incarnation, NodeId};
use volvox_net::Began;

#[test]
fn three_nodes_answer_one_another() {
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let [one, two, three] = [1, 2, 3].map(|id| start_in(options(id), &folders[id as usize - 1].0));
    introduce(&[&one, &two, &three]);
    for (node, to, number) in [(&one, 2, 12), (&two, 3, 23), (&three, 1, 31), (&one, 3, 13)] {
        node.handle.command(call(to, number)).expect("room");
        let answer = node.expect("an answer", answered(number));
        assert_eq!(answer, Event::Answered { from: NodeId(to), number, bytes: 7 });
    }
    // The view was published before the event was handed out, and the answer waited for the disk.
    assert_eq!(two.handle.view().written, [12]);
    assert_eq!(three.handle.view().written, [23, 13]);
    let counters = two.handle.counters();
    assert_eq!((counters.batches, counters.records), (1, 1));
    assert!(counters.messages_in >= 2 && counters.bytes_in > 0, "{counters:?}");
    until("round trips are measured", || one.handle.peers().iter().all(|peer| peer.round_trip.is_some()));
    until("timers fire", || one.handle.view().ticks > 3);
    for node in [one, two, three] {
        node.stop().expect("ends well");
    }
}

#[test]
fn a_restart_keeps_incarnation_and_records_and_the_peer_reconnects() {
    let folders = [Folder::new(), Folder::new()];
    let one = start_in(options(1), &folders[0].0);
    let two = start_in(options(2), &folders[1].0);
    introduce(&[&one, &two]);
    one.handle.command(call(2, 7)).expect("room");
    one.expect("an answer", answered(7));
    let address = two.handle.listen_address();
    two.stop().expect("ends well");
    until("the loss is seen", || !one.handle.peers()[0].connected);

    let again = volvox_net::NodeOptions { listen: address, ..options(2) };
    let two = start_in(again, &folders[1].0);
    assert_eq!((two.handle.life().incarnation, &two.handle.life().began), (Incarnation(1), &Began::Resumed));
    assert_eq!((two.handle.view().written.clone(), two.handle.view().restored), (vec![7], 1));
    two.handle.set_peer(NodeId(1), one.address());
    one.handle.command(call(2, 8)).expect("room");
    one.expect("an answer after the restart", answered(8));
    assert_eq!(one.handle.peers()[0].connects, 2);
    assert_eq!(one.handle.peers()[0].incarnation, Some(Incarnation(1)));
}

#[test]
fn a_checkpoint_replaces_the_records_before_it() {
    let folder = Folder::new();
    let one = start_in(options(1), &folder.0);
    for number in 1..=5 {
        one.handle.command(Command::Write(number)).expect("room");
    }
    one.handle.command(Command::Checkpoint).expect("room");
    one.handle.command(Command::Write(6)).expect("room");
    one.expect("written", |event| *event == Event::Written(6));
    one.stop().expect("ends well");
    let one = start_in(options(1), &folder.0);
    let view = one.handle.view();
    assert_eq!((view.written.clone(), view.parts, view.restored), (vec![1, 2, 3, 4, 5, 6], 1, 1));
}

#[test]
fn checkpoints_between_batches_lose_nothing() {
    let folder = Folder::new();
    let mut number = 0;
    for life in 1..=4 {
        let one = start_in(options(1), &folder.0);
        assert_eq!(one.handle.view().count as u64, number, "life {life}");
        for _ in 0..20 {
            for _ in 0..10 {
                number += 1;
                one.handle.command(Command::Write(number)).expect("room");
            }
            one.handle.command(Command::Checkpoint).expect("room");
        }
        one.expect("written", |event| *event == Event::Written(number));
        one.stop().expect("ends well");
    }
    let one = start_in(options(1), &folder.0);
    assert_eq!(one.handle.view().written, (1..=number).collect::<Vec<_>>());
    assert_eq!(one.handle.life().began, Began::Resumed);
}

#[test]
fn a_wiped_folder_begins_another_life() {
    let folder = Folder::new();
    let mut joining = options(1);
    joining.fresh = volvox_net::FreshLife::Join;
    let one = start_in(joining.clone(), &folder.0);
    let first = one.handle.life().incarnation;
    one.stop().expect("ends well");
    std::fs::remove_dir_all(&folder.0).expect("wiped");
    let one = start_in(joining, &folder.0);
    assert_eq!(one.handle.life().began, Began::Fresh);
    assert!(one.handle.life().incarnation > first, "{:?} after {first}", one.handle.life());
}

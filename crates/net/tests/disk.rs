//! The behaviour of a node with a faulty disk, and its use of a good one.

use crate::support::{
    Command, Event, Folder, PATIENCE, Running, answered, call, hold_key, introduce, options, release, start, start_in,
    try_start, until,
};
use volvox_core::{Fault, Incarnation, NodeId};
use volvox_disk::{
    AppendError, Faults, OpenError, RealDirectory, RecordingDirectory, SequenceCounter, SimulatedDirectory,
};
use volvox_net::{Began, NodeError, NodeOpenError, Overloaded};

fn write(node: &Running, number: u64) {
    node.handle.command(Command::Write(number)).expect("room");
}

fn read(node: &Running) -> Event {
    node.handle.command(Command::Read).expect("room");
    node.expect("a read", |event| matches!(event, Event::Read(_)))
}

#[test]
fn a_full_disk_acknowledges_nothing_serves_reads_and_goes_on_once_there_is_space() {
    let disk = SimulatedDirectory::new(1);
    let mut small = options(1);
    small.log.segment_bytes = 64 << 10;
    let node = start(small.clone(), disk.clone());
    write(&node, 1);
    node.expect("written", |event| *event == Event::Written(1));
    disk.set_faults(Faults { capacity_bytes: Some(disk.used_bytes()), ..Faults::default() });
    // The segment that is there is used up first; then nothing more is acknowledged.
    let mut number = 1;
    while node.handle.counters().disk_full == 0 {
        number += 1;
        write(&node, number);
        until("written or full", || node.handle.view().durable.0 >= number || node.handle.counters().disk_full > 0);
    }
    let acknowledged = node.handle.view().durable.0;
    write(&node, number + 1);
    let Event::Read(seen) = read(&node) else { unreachable!() };
    assert!(seen as u64 > acknowledged, "reads are served from what is not on the disk yet");
    until("the disk is asked again", || node.handle.counters().disk_full > 2);
    assert_eq!(node.handle.view().durable.0, acknowledged, "nothing was acknowledged meanwhile");
    assert!(!node.handle.has_stopped());

    disk.set_faults(Faults::default());
    node.expect("the waiting record", |event| *event == Event::Written(number + 1));
    node.stop().expect("ends well");
    let node = start(small, disk);
    assert_eq!(node.handle.view().written, (1..=number + 1).collect::<Vec<_>>());
}

#[test]
fn a_failed_sync_stops_the_node_and_acknowledges_nothing() {
    let disk = SimulatedDirectory::new(2);
    let node = start(options(1), disk.clone());
    disk.set_faults(Faults { failed_sync: true, ..Faults::default() });
    write(&node, 1);
    until("the node stops", || node.handle.has_stopped());
    assert_eq!(node.handle.command(Command::Read), Err(Overloaded::Stopped));
    assert_eq!(node.events.try_recv().ok(), None, "nothing was acknowledged");
    let error = node.join().expect_err("a failed sync");
    assert!(matches!(error, NodeError::Log { source: AppendError::SyncFailed { .. }, .. }), "{error}");
    assert!(error.to_string().contains("fsync"), "{error}");
}

#[test]
fn the_faults_of_development_reach_the_disk() {
    let mut development = options(1);
    development.development = true;
    let node = start(development, SimulatedDirectory::new(3));
    let set = |text: &str| node.handle.set_faults(&[text.parse::<Fault>().expect("a fault")]).expect("accepted");
    set("disk 1 full");
    write(&node, 1);
    until("the disk is full", || node.handle.counters().disk_full > 0);
    assert_eq!(node.handle.view().durable.0, 0);
    set("disk 1 slow 30ms");
    let began = std::time::Instant::now();
    node.expect("written", |event| *event == Event::Written(1));
    write(&node, 2);
    node.expect("written slowly", |event| *event == Event::Written(2));
    assert!(began.elapsed() >= std::time::Duration::from_millis(30));
    set("disk 1 failsync");
    write(&node, 3);
    node.join().expect_err("a failed sync");
}

#[test]
fn one_sync_a_batch_and_one_batch_for_all_that_waits() {
    let node = start(options(1), SimulatedDirectory::new(4));
    let key = hold_key();
    node.handle.command(Command::Hold(key)).expect("room");
    until("the hold is taken", || node.handle.commands_waiting() == 0);
    for number in 1..=1000 {
        write(&node, number);
    }
    release(key);
    node.expect("the last", |event| *event == Event::Written(1000));
    let counters = node.handle.counters();
    // The first turn takes 512 commands, the second the rest.
    assert!(counters.batches <= 3, "{counters:?}");
    assert_eq!((counters.records, counters.log.batch_syncs), (1000, counters.batches));
}

#[test]
fn an_idle_node_closes_the_window_once() {
    let node = start(options(1), SimulatedDirectory::new(5));
    write(&node, 1);
    node.expect("written", |event| *event == Event::Written(1));
    let before = node.handle.counters().log;
    until("the idle batch", || node.handle.counters().log.other_syncs > before.other_syncs);
    let after = node.handle.counters().log;
    let ticks = node.handle.view().ticks;
    until("ten more ticks", || node.handle.view().ticks > ticks + 10);
    assert_eq!(node.handle.counters().log, after, "an idle node leaves its disk alone");
}

#[test]
fn a_node_runs_over_a_recording_disk() {
    let folder = Folder::new();
    let sequence = SequenceCounter::default();
    let real = RealDirectory::open(&folder.0).expect("opens");
    let recorder = RecordingDirectory::new(real, sequence.clone()).expect("records");
    let recording = recorder.recording();
    let node = start(options(1), recorder);
    write(&node, 1);
    node.expect("written", |event| *event == Event::Written(1));
    let acknowledged = sequence.tick();
    write(&node, 2);
    node.expect("written", |event| *event == Event::Written(2));
    node.stop().expect("ends well");
    for seed in 0..20 {
        let node = start(options(1), recording.image_at(acknowledged, seed));
        assert_eq!(node.handle.view().written.first(), Some(&1), "image {seed} lost an acknowledged write");
        assert_eq!(node.handle.life().incarnation, Incarnation(1));
    }
}

#[test]
fn lost_records_begin_another_life() {
    let disk = SimulatedDirectory::new(6);
    let node = start(options(1), disk.clone());
    for number in 1..=3 {
        write(&node, number);
        node.expect("written", |event| *event == Event::Written(number));
    }
    until("the window is closed", || node.handle.counters().log.other_syncs > 0);
    node.stop().expect("ends well");
    // The first record's batch rots while the node is down.
    let files = disk.files();
    let content = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != 0).count();
    let (name, bytes) = files.iter().max_by_key(|(_, bytes)| content(bytes)).expect("a segment");
    let mut rotten = bytes.clone();
    let end = rotten.iter().rposition(|byte| *byte != 0).expect("records");
    for byte in &mut rotten[..end / 2] {
        *byte ^= 0x5a;
    }
    disk.put_file(name, &rotten);
    let node = start(options(1), disk.clone());
    let life = node.handle.life().clone();
    assert!(matches!(life.began, Began::AfterLoss(_)), "{life:?}");
    assert!(life.incarnation > Incarnation(1), "{life:?}");
    assert_eq!(node.handle.view().written, [] as [u64; 0], "it knows nothing");
    write(&node, 9);
    node.expect("written", |event| *event == Event::Written(9));
    node.stop().expect("ends well");
    let node = start(options(1), disk);
    assert_eq!((node.handle.life().incarnation, &node.handle.life().began), (life.incarnation, &Began::Resumed));
}

#[test]
fn a_disk_that_cannot_be_read_is_said_at_the_start_and_changes_nothing() {
    let disk = SimulatedDirectory::new(10);
    let node = start(options(1), disk.clone());
    write(&node, 1);
    node.expect("written", |event| *event == Event::Written(1));
    node.stop().expect("ends well");
    disk.set_faults(Faults { failed_read: true, ..Faults::default() });
    let error = try_start(options(1), disk.clone(), |_| {}).err().expect("unreadable");
    assert!(matches!(error, NodeOpenError::Log(OpenError::Io { .. })), "{error}");
    disk.set_faults(Faults::default());
    let node = start(options(1), disk);
    assert_eq!((&node.handle.life().began, node.handle.view().count), (&Began::Resumed, 1));
}

#[test]
fn a_folder_in_use_a_foreign_folder_and_a_port_taken_are_said_clearly() {
    let folder = Folder::new();
    let node = start_in(options(1), &folder.0);
    let in_use = RealDirectory::open(&folder.0).expect_err("in use").to_string();
    assert!(in_use.contains("in use"), "{in_use}");
    let mut same_port = options(2);
    same_port.listen = node.handle.listen_address();
    let taken = try_start(same_port, SimulatedDirectory::new(7), |_| {}).err().expect("taken");
    assert!(matches!(taken, NodeOpenError::Listen { .. }), "{taken}");
    node.stop().expect("ends well");

    let open = || RealDirectory::open(&folder.0).expect("free again");
    let foreign = try_start(options(2), open(), |_| {}).err().expect("another node's");
    assert!(matches!(foreign, NodeOpenError::Foreign { found_node: NodeId(1), .. }), "{foreign}");
    let mut elsewhere = options(1);
    elsewhere.cluster = 9;
    let foreign = try_start(elsewhere, open(), |_| {}).err().expect("another cluster's");
    assert!(matches!(foreign, NodeOpenError::Foreign { .. }), "{foreign}");
    start(options(1), open()).stop().expect("nothing was changed");
}

#[test]
fn a_disk_that_stays_full_bounds_what_waits_and_then_everything_goes_on() {
    let mut tight = options(2);
    tight.development = true;
    tight.limits.unwritten_bytes_max = 1000;
    tight.limits.inbox_messages_max = 16;
    tight.limits.commands_max = 32;
    let one = start(options(1), SimulatedDirectory::new(8));
    let two = start(tight, SimulatedDirectory::new(9));
    introduce(&[&one, &two]);
    two.handle.set_faults(&["disk 2 full".parse().expect("a fault")]).expect("accepted");
    let calls = 5000;
    for number in 1..=calls {
        one.handle.command(call(2, number)).expect("room");
    }
    until("the node takes no more", || two.handle.counters().disk_full > 1);
    let deadline = std::time::Instant::now() + PATIENCE;
    while two.handle.command(Command::Write(0)) != Err(Overloaded::Full) {
        assert!(std::time::Instant::now() < deadline, "commands are taken without end");
    }
    // A turn that began below the limit may still end: that much beyond it, and no more.
    let waiting = two.handle.view().count;
    assert!(waiting < 3000, "{waiting} records wait in memory");
    let ticks = two.handle.view().ticks;
    until("timers continue", || two.handle.view().ticks > ticks);

    two.handle.set_faults(&[]).expect("healed");
    one.expect("the last call is answered", answered(calls));
    assert_eq!(one.handle.counters().dropped_full, 0);
}

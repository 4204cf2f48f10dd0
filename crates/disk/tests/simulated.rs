//! The simulated disk itself: it keeps what it must, and does not keep what it need not.

use std::collections::BTreeSet;
use std::time::Duration;
use volvox_disk::{Directory, Faults, File, RecordingDirectory, SequenceCounter, SimulatedDirectory};

const SECTOR: usize = 512;

fn contents(disk: &SimulatedDirectory, name: &str) -> Option<Vec<u8>> {
    disk.files().into_iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes)
}

/// A file of three synced sectors of ones, over which three sectors of twos are written and not synced.
fn half_synced() -> SimulatedDirectory {
    let disk = SimulatedDirectory::new(1);
    let file = disk.create("file").expect("created");
    file.write_at(&[1; 3 * SECTOR], 0).expect("written");
    file.sync().expect("synced");
    disk.sync().expect("synced");
    file.write_at(&[2; 3 * SECTOR], 0).expect("written");
    disk
}

#[test]
fn a_crash_keeps_any_subset_of_unsynced_sectors() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let disk = half_synced();
        disk.crash(seed);
        let bytes = contents(&disk, "file").expect("its name was synced");
        let sectors: Vec<u8> = bytes.chunks(SECTOR).map(|sector| sector[0]).collect();
        assert!(bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "torn sectors");
        seen.insert(sectors);
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn a_crash_is_the_same_for_the_same_seed() {
    for seed in 0..50 {
        let (one, other) = (half_synced(), half_synced());
        one.crash(seed);
        other.crash(seed);
        assert_eq!(one.files(), other.files());
    }
}

#[test]
fn torn_sectors_only_when_asked_for() {
    let torn = (0..100).filter(|seed| {
        let disk = half_synced();
        disk.set_faults(Faults { torn_sectors_ppm: 500_000, ..Faults::default() });
        disk.crash(*seed);
        let bytes = contents(&disk, "file").expect("its name was synced");
        bytes.chunks(SECTOR).any(|sector| sector.iter().any(|byte| *byte != sector[0]))
    });
    assert!(torn.count() > 20);
}

#[test]
fn names_are_certain_only_after_the_folder_was_synced() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimulatedDirectory::new(1);
        disk.put_file("old", b"old");
        let file = disk.create("new").expect("created");
        file.write_at(b"new", 0).expect("written");
        file.sync().expect("synced");
        disk.rename("new", "old").expect("renamed");
        disk.crash(seed);
        seen.insert(disk.files());
    }
    let file = |name: &str, bytes: &str| (name.to_owned(), bytes.as_bytes().to_vec());
    assert!(seen.contains(&vec![file("old", "old")]) && seen.contains(&vec![file("old", "new")]), "{seen:?}");
    assert!(seen.contains(&vec![file("new", "new"), file("old", "old")]), "{seen:?}");
}

#[test]
fn open_files_are_of_no_use_after_a_crash_or_a_kill() {
    let ends: [fn(&SimulatedDirectory); 3] =
        [SimulatedDirectory::kill, SimulatedDirectory::erase, |disk: &SimulatedDirectory| disk.crash(1)];
    for end in ends {
        let disk = half_synced();
        let file = disk.open("file").expect("opened");
        end(&disk);
        assert!(file.write_at(b"x", 0).is_err() && file.sync().is_err() && file.length().is_err());
    }
}

#[test]
fn a_killed_process_loses_nothing() {
    let disk = half_synced();
    disk.kill();
    assert_eq!(contents(&disk, "file"), Some(vec![2; 3 * SECTOR]));
}

/// Linux marks the pages clean after a failed fsync: they are seen until the crash, and no later fsync writes them.
#[test]
fn what_a_failed_sync_dropped_stays_dropped() {
    let dropped = (0..50).filter(|seed| {
        let disk = SimulatedDirectory::new(*seed);
        disk.put_file("file", &[1; 3 * SECTOR]);
        let file = disk.open("file").expect("opened");
        file.write_at(&[2; 3 * SECTOR], 0).expect("written");
        disk.set_faults(Faults { failed_sync: true, ..Faults::default() });
        assert!(file.sync().is_err());
        disk.set_faults(Faults::default());
        file.sync().expect("it claims to");
        assert_eq!(contents(&disk, "file"), Some(vec![2; 3 * SECTOR]));
        disk.crash(*seed);
        contents(&disk, "file") != Some(vec![2; 3 * SECTOR])
    });
    assert!(dropped.count() > 20);
}

#[test]
fn a_fork_is_independent_and_a_clone_is_not() {
    let disk = half_synced();
    let (fork, clone) = (disk.fork(), disk.clone());
    disk.remove("file").expect("removed");
    assert!(fork.files().len() == 1 && clone.files().is_empty());
}

#[test]
fn delays_are_reported_once() {
    let disk = half_synced();
    disk.set_faults(Faults { sync_delay: Duration::from_millis(20), ..Faults::default() });
    disk.sync().expect("synced");
    disk.open("file").expect("opened").sync().expect("synced");
    assert_eq!(disk.take_delay(), Duration::from_millis(40));
    assert_eq!(disk.take_delay(), Duration::ZERO);
}

#[test]
fn a_flip_is_in_what_is_seen_and_in_what_is_safe() {
    let disk = SimulatedDirectory::new(1);
    assert_eq!(disk.flip_bit(1), None);
    disk.put_file("a", &[0; 100]);
    disk.put_file("b", &[0; 900]);
    let before = disk.files();
    let (name, offset) = disk.flip_bit(7).expect("a byte");
    assert_ne!(contents(&disk, &name).expect("there")[offset as usize], 0);
    disk.crash(1);
    assert_ne!(disk.files(), before);
    assert_eq!(disk.used_bytes(), 1000);
}

#[test]
fn a_recording_replays_to_the_same_bytes() {
    let sequence = SequenceCounter::default();
    let start = SimulatedDirectory::new(1);
    start.put_file("there before", b"123");
    let disk = RecordingDirectory::new(start.clone(), sequence.clone()).expect("readable");
    let file = disk.create("new").expect("created");
    file.write_at(&[7; 100], 50).expect("written");
    file.sync().expect("synced");
    let synced = sequence.tick();
    disk.open("there before").expect("opened").write_at(b"4", 3).expect("written");
    disk.rename("new", "newer").expect("renamed");
    disk.remove("there before").expect("removed");
    disk.sync().expect("synced");
    assert_eq!(disk.recording().state_at(u64::MAX).files(), start.files());
    assert_eq!(disk.recording().state_at(0).files(), [("there before".to_owned(), b"123".to_vec())]);
    let half = disk.recording().state_at(synced);
    assert_eq!(half.files().len(), 2);
    half.crash_to_synced();
    assert_eq!(half.files().len(), 1, "the name was not synced");
    let whole = disk.recording().image_at(sequence.now(), 5);
    assert_eq!(whole.files(), start.files(), "all was synced");
    assert_eq!(disk.recording().sequences().len() as u64, sequence.now() - 1);
    assert!(matches!(disk.open("missing"), Err(error) if error.kind() == std::io::ErrorKind::NotFound));
}

//! Disk faults while the log runs: each fault has one stated behaviour.

use crate::story::{identity, open, options, part};
use volvox_core::{Bytes, Part, Position};
use volvox_disk::{
    AppendError, CheckpointError, Faults, Log, Loss, OpenError, Options, Outcome, ReadPartError, SimulatedDirectory,
};

fn fresh(disk: &SimulatedDirectory) -> Log<SimulatedDirectory> {
    let (mut log, found) = open(disk.clone());
    assert_eq!(found.outcome, Outcome::Fresh);
    log.start_life(identity(1)).expect("a life");
    log
}

fn reopened(disk: &SimulatedDirectory) -> Vec<Vec<u8>> {
    let found = open(disk.clone()).1;
    assert!(matches!(found.outcome, Outcome::Intact | Outcome::TornTail { .. }), "{}", found.outcome);
    found.records.iter().map(|(_, record)| record.to_vec()).collect()
}

#[test]
fn a_full_disk_refuses_and_forgets_nothing() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    disk.set_faults(Faults { capacity_bytes: Some(20_000), ..Faults::default() });
    let mut written = Vec::new();
    let refused = loop {
        let record = vec![written.len() as u8; 700];
        match log.append([record.as_slice()]) {
            Ok(_) => written.push(record),
            Err(error) => break error,
        }
        log.maintain().expect("preparing a segment waits for space, and fails for no caller");
    };
    assert!(matches!(refused, AppendError::Full), "{refused}");
    assert!(written.len() > 8, "the first segment was free");
    for _ in 0..3 {
        let again = log.append([b"again".as_slice(), &[0; 600]]).expect_err("still full");
        assert!(matches!(again, AppendError::Full), "{again}");
        let large = Part { number: 9, data: Bytes::from(vec![9; 20_000]) };
        let refused = log.write_part(&large).expect_err("still full");
        assert!(matches!(refused, CheckpointError::Write(AppendError::Full)), "{refused}");
    }
    assert_eq!(reopened(&disk.fork()), written, "what was acknowledged is there");
    disk.set_faults(Faults::default());
    let next = log.next_position();
    assert_eq!(log.append([b"there is space again".as_slice()]).expect("appended").0, next);
    drop(log);
    disk.crash(1);
    written.push(b"there is space again".to_vec());
    assert_eq!(reopened(&disk), written);
}

/// A copy-on-write file system needs space even to write where there is a file already.
#[test]
fn a_disk_without_any_space_refuses_and_forgets_nothing() {
    for seed in 0..50 {
        let disk = SimulatedDirectory::new(seed);
        let mut log = fresh(&disk);
        log.append([b"one".as_slice()]).expect("appended");
        disk.set_faults(Faults { full: true, ..Faults::default() });
        assert!(matches!(log.append([b"lost".as_slice()]), Err(AppendError::Full)));
        assert!(matches!(log.write_idle(), Err(AppendError::Full)));
        assert!(matches!(log.start_life(identity(2)), Err(AppendError::Full)));
        assert!(matches!(log.install_checkpoint(Position(1), &[]), Err(CheckpointError::Write(AppendError::Full))));
        disk.set_faults(Faults::default());
        log.append([b"two".as_slice()]).expect("appended");
        disk.crash(seed);
        assert_eq!(reopened(&disk), [b"one".to_vec(), b"two".to_vec()]);
    }
}

#[test]
fn a_checkpoint_makes_space_on_a_full_disk() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    log.write_part(&part(1)).expect("a part");
    disk.set_faults(Faults { capacity_bytes: Some(30_000), ..Faults::default() });
    let mut count = 0;
    while log.append([[1; 700].as_slice()]).is_ok() {
        count += 1;
    }
    log.install_checkpoint(Position(count), &[1]).expect("a manifest is small");
    for _ in 0..count {
        log.append([[2; 700].as_slice()]).expect("the segments were recycled");
        let covers = log.durable();
        log.install_checkpoint(covers, &[1]).expect("a checkpoint");
    }
}

#[test]
fn after_a_failed_fsync_the_log_refuses_everything() {
    let mut gone = 0;
    for seed in 0..100 {
        let disk = SimulatedDirectory::new(seed);
        let mut log = fresh(&disk);
        log.append([b"safe".as_slice()]).expect("appended");
        disk.set_faults(Faults { failed_sync: true, ..Faults::default() });
        let failed = log.append([vec![7; 2000].as_slice()]).expect_err("the sync failed");
        assert!(matches!(failed, AppendError::SyncFailed { .. }), "{failed}");
        // The disk works again. The page cache still shows data that the disk does not hold, and must not be trusted.
        disk.set_faults(Faults::default());
        assert!(matches!(log.append([b"x".as_slice()]), Err(AppendError::Stopped)));
        assert!(matches!(log.sync(), Err(AppendError::Stopped)));
        assert!(matches!(log.write_idle(), Err(AppendError::Stopped)));
        assert!(matches!(log.maintain(), Err(AppendError::Stopped)));
        assert!(matches!(log.start_life(identity(2)), Err(AppendError::Stopped)));
        assert!(matches!(log.write_part(&part(1)), Err(CheckpointError::Write(AppendError::Stopped))));
        assert!(matches!(log.install_checkpoint(Position(1), &[]), Err(CheckpointError::Write(AppendError::Stopped))));
        drop(log);
        // The node restarts while the cache still lies. It may build on the data that it reads, so these must become
        // durable.
        disk.kill();
        let read = reopened(&disk);
        assert_eq!(read, [b"safe".to_vec(), vec![7; 2000]]);
        let before = disk.fork();
        before.crash(seed);
        assert_eq!(reopened(&before), read, "recovered from the cache, and not from the disk");
        disk.crash(seed);
        gone += 1;
    }
    assert_eq!(gone, 100);
}

/// Every file that the log syncs: batches, segments, parts, manifests, identities and the folder.
#[test]
fn a_failed_sync_or_write_anywhere_stops_the_log_and_loses_nothing() {
    let faults =
        [Faults { failed_sync: true, ..Faults::default() }, Faults { failed_write: true, ..Faults::default() }];
    type Act = fn(&mut Log<SimulatedDirectory>) -> bool;
    let acts: [(&str, Act); 5] = [
        ("append", |log| log.append([b"x".as_slice()]).is_ok()),
        ("roll", |log| log.append([[1; 7000].as_slice()]).is_ok()),
        ("idle", |log| log.write_idle().is_ok()),
        ("part", |log| log.write_part(&part(2)).is_ok()),
        ("checkpoint", |log| log.install_checkpoint(Position(2), &[1]).is_ok()),
    ];
    for (name, act) in acts {
        for fault in &faults {
            for seed in 0..20 {
                println!("{name} {fault:?} seed {seed}");
                let disk = SimulatedDirectory::new(seed);
                let mut log = fresh(&disk);
                log.append([b"one".as_slice()]).expect("appended");
                log.append([[1; 3000].as_slice()]).expect("appended");
                log.write_part(&part(1)).expect("a part");
                disk.set_faults(fault.clone());
                assert!(!act(&mut log), "the fault was not noticed");
                assert!(matches!(log.append([b"x".as_slice()]), Err(AppendError::Stopped)));
                disk.set_faults(Faults::default());
                disk.crash(seed);
                let found = open(disk).1;
                assert!(matches!(found.outcome, Outcome::Intact | Outcome::TornTail { .. }), "{}", found.outcome);
                assert!(found.next_position >= Position(3));
            }
        }
    }
}

#[test]
fn a_disk_that_cannot_read_is_an_error_that_names_the_file() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    log.write_part(&part(1)).expect("a part");
    log.install_checkpoint(Position(0), &[1]).expect("a checkpoint");
    disk.set_faults(Faults { failed_read: true, ..Faults::default() });
    assert!(matches!(log.read_part(1), Err(ReadPartError::Io { .. })));
    let refused = Log::open(disk.clone(), options()).expect_err("cannot read");
    assert!(refused.to_string().contains("the folder"), "{refused}");
    disk.set_faults(Faults::default());
    assert_eq!(log.read_part(1).expect("readable"), part(1));
    assert!(matches!(log.read_part(2), Err(ReadPartError::NoSuchPart { number: 2 })));
    disk.flip_at("part-0000000000000001", 30, 1);
    assert!(matches!(log.read_part(1), Err(ReadPartError::Damaged { number: 1 })));
}

/// Writes that vanish, or land elsewhere in the file: whatever was acknowledged and is not there is noticed, once a
/// later batch says that it was.
#[test]
fn lost_and_misdirected_writes_are_noticed() {
    let (mut lost, mut whole) = (0, 0);
    for seed in 0..400 {
        println!("seed {seed}");
        let disk = SimulatedDirectory::new(seed);
        let mut log = fresh(&disk);
        let mut written = Vec::new();
        for number in 0..30u8 {
            let (lost_writes_ppm, misdirected_writes_ppm) =
                if seed.is_multiple_of(2) { (30_000, 0) } else { (0, 30_000) };
            disk.set_faults(Faults { lost_writes_ppm, misdirected_writes_ppm, ..Faults::default() });
            if number == 29 {
                disk.set_faults(Faults::default());
            }
            let record = vec![number; usize::from(number) * 37];
            log.append([record.as_slice()]).expect("the disk says so");
            written.push(record);
        }
        drop(log);
        disk.crash(seed);
        let found = open(disk).1;
        match found.outcome {
            Outcome::Lost(Loss::Records { .. } | Loss::Segment { .. }) => lost += 1,
            Outcome::Intact | Outcome::TornTail { .. } => {
                whole += 1;
                let records: Vec<Vec<u8>> = found.records.iter().map(|(_, record)| record.to_vec()).collect();
                assert!(records == written || records == written[..29], "{} records, not noticed", records.len());
                assert_eq!(records.len(), 30, "the last batch was written well");
            }
            other => panic!("{other}"),
        }
    }
    assert!(lost > 100 && whole > 100, "{lost} lost, {whole} whole: the test has lost its teeth");
}

#[test]
fn a_newer_version_of_any_file_is_refused_by_name() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    log.append([b"one".as_slice()]).expect("appended");
    log.write_part(&part(1)).expect("a part");
    log.install_checkpoint(Position(0), &[1]).expect("a checkpoint");
    drop(log);
    for (file, mut bytes) in disk.files() {
        let nonce = if file.starts_with("log-") { identity(1).nonce } else { 0 };
        bytes[4..8].copy_from_slice(&9u32.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&nonce.to_le_bytes()), &bytes[..8]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        let newer = disk.fork();
        newer.put_file(&file, &bytes);
        match Log::open(newer.clone(), options()) {
            Err(OpenError::NewerVersion { file: named, found: 9, supported: 1 }) => assert_eq!(named, file),
            other => panic!("{file}: {other:?}"),
        }
        assert_eq!(newer.files().len(), disk.files().len(), "nothing was changed");
    }
}

#[test]
fn limits_are_errors_and_change_nothing() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    let large = vec![0; volvox_disk::RECORD_BYTES_MAX + 1];
    assert!(matches!(log.append([large.as_slice()]), Err(AppendError::TooLarge { .. })));
    let many = [&large[1..]; 5];
    assert!(matches!(log.append(many), Err(AppendError::TooLarge { .. })));
    let part = Part { number: 1, data: Bytes::from(&large[..volvox_core::PART_BYTES_MAX + 1]) };
    assert!(matches!(log.write_part(&part), Err(CheckpointError::TooLarge { .. })));
    assert!(matches!(log.install_checkpoint(Position(0), &[1]), Err(CheckpointError::NoSuchPart { number: 1 })));
    assert!(matches!(log.install_checkpoint(Position(1), &[]), Err(CheckpointError::Covers { .. })));
    let parts = vec![0; volvox_disk::PARTS_MAX + 1];
    assert!(matches!(log.install_checkpoint(Position(0), &parts), Err(CheckpointError::TooMany { .. })));
    assert_eq!(log.append([b"one".as_slice()]).expect("appended").0, Position(1));
    drop(log);
    disk.crash(1);
    assert_eq!(reopened(&disk), [b"one".to_vec()]);
}

/// A record may be far larger than a segment; it gets one of its own length, which is not kept afterwards.
#[test]
fn a_record_larger_than_a_segment() {
    let disk = SimulatedDirectory::new(1);
    let mut log = fresh(&disk);
    let large = vec![5; 1 << 20];
    log.append([b"small".as_slice()]).expect("appended");
    log.append([large.as_slice(), large.as_slice()]).expect("appended");
    log.append([b"small".as_slice()]).expect("appended");
    disk.crash(1);
    let (mut log, found) = open(disk.clone());
    assert_eq!(found.records.len(), 4);
    assert_eq!(found.records[2].1.as_slice(), large);
    log.append([[1; 7000].as_slice()]).expect("appended");
    log.install_checkpoint(Position(5), &[]).expect("a checkpoint");
    assert!(disk.used_bytes() < 100_000, "{} bytes", disk.used_bytes());
}

#[test]
fn one_fsync_a_batch_and_none_to_spare() {
    let disk = SimulatedDirectory::new(1);
    disk.set_faults(Faults { sync_delay: std::time::Duration::from_nanos(1), ..Faults::default() });
    let mut log = Log::open(disk.clone(), Options::default()).expect("opens").0;
    log.start_life(identity(1)).expect("a life");
    let (before, _) = (log.counters(), disk.take_delay());
    for number in 0..500u64 {
        log.append((0..number % 7 + 1).map(|_| b"record".as_slice())).expect("appended");
    }
    let after = log.counters();
    assert_eq!(after.batches - before.batches, 500);
    assert_eq!(after.batch_syncs, after.batches);
    assert_eq!(after.other_syncs, before.other_syncs);
    assert_eq!(disk.take_delay().as_nanos(), 500, "the disk counted the same");
    assert!(log.write_idle().expect("idle"));
    assert!(!log.write_idle().expect("idle"), "the window is closed");
    assert_eq!(disk.take_delay().as_nanos(), 1);
}

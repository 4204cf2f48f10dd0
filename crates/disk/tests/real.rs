//! The same log in a real folder.

use crate::story::{identity, part};
use std::path::PathBuf;
use volvox_core::Position;
use volvox_disk::{
    FolderError, Log, Options, Outcome, RealDirectory, RecordingDirectory, SequenceCounter, SimulatedDirectory,
};

/// A folder that goes when the test ends well.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("volvox-disk-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    fn open(&self) -> RealDirectory {
        RealDirectory::open(&self.0).expect("the folder opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> Options {
    Options { segment_bytes: 64 << 10, spare_segments_max: 2 }
}

#[test]
fn a_log_comes_back_from_a_real_folder() {
    let folder = Folder::new("round-trip");
    let nested = folder.0.join("a").join("b");
    let directory = RealDirectory::open(&nested).expect("missing parents are made");
    let (mut log, found) = Log::open(directory, options()).expect("opens");
    assert_eq!(found.outcome, Outcome::Fresh);
    log.start_life(identity(1)).expect("a life");
    for number in 1..=300u64 {
        log.append([number.to_le_bytes().as_slice(), &[7; 900]]).expect("appended");
        log.maintain().expect("maintained");
        if number == 200 {
            log.write_part(&part(1)).expect("a part");
            log.install_checkpoint(Position(350), &[1]).expect("a checkpoint");
        }
    }
    assert_eq!(log.counters().batch_syncs, 300);
    drop(log);
    let directory = RealDirectory::open(&nested).expect("the lock went with the log");
    let (log, found) = Log::open(directory, options()).expect("opens");
    assert_eq!((found.outcome, found.identity), (Outcome::Intact, Some(identity(1))));
    assert_eq!((found.covers, &found.parts), (Position(350), &vec![1]));
    assert_eq!(log.read_part(1).expect("readable"), part(1));
    assert_eq!(found.records.len(), 250);
    for (position, record) in found.records.iter().filter(|(position, _)| position.0 % 2 == 1) {
        assert_eq!(record.as_slice(), position.0.div_ceil(2).to_le_bytes());
    }
}

/// A log belongs to one thread, and may be given to it.
#[test]
fn a_log_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<Log<RealDirectory>>();
    is_send::<Log<RecordingDirectory<SimulatedDirectory>>>();
}

#[test]
fn a_folder_in_use_is_an_error_that_names_it() {
    let folder = Folder::new("in-use");
    let first = folder.open();
    match RealDirectory::open(&folder.0) {
        Err(error @ FolderError::InUse(_)) => assert!(error.to_string().contains("in-use"), "{error}"),
        other => panic!("{other:?}"),
    }
    drop(first);
    folder.open();
}

#[test]
fn a_folder_that_cannot_be_one_is_an_error_that_names_it() {
    let folder = Folder::new("a-file");
    std::fs::write(&folder.0, "not a folder").expect("written");
    match RealDirectory::open(folder.0.join("below")) {
        Err(error @ FolderError::Io { .. }) => assert!(error.to_string().contains("a-file"), "{error}"),
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(&folder.0).expect("removed");
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = Folder::new("others");
    let directory = folder.open();
    for name in ["log-zz", "log-1", "notes.txt", "part-FFFFFFFFFFFFFFFF", "log-ffffffffffffffff", "spare-"] {
        std::fs::write(folder.0.join(name), "mine").expect("written");
    }
    std::fs::create_dir(folder.0.join("log-0000000000000005")).expect("made");
    let (mut log, found) = Log::open(directory, options()).expect("opens");
    assert_eq!(found.outcome, Outcome::Fresh);
    log.start_life(identity(1)).expect("a life");
    drop(log);
    assert_eq!(Log::open(folder.open(), options()).expect("opens").1.outcome, Outcome::Intact);
    assert_eq!(std::fs::read_to_string(folder.0.join("notes.txt")).expect("there"), "mine");
    assert_eq!(std::fs::read_to_string(folder.0.join("log-ffffffffffffffff")).expect("there"), "mine");
}

/// The procedure of `powercut`: a real folder is recorded, the power is cut, and a real folder is made of the image.
#[test]
fn a_power_cut_of_a_real_folder() {
    let folder = Folder::new("recorded");
    let sequence = SequenceCounter::default();
    let directory = RecordingDirectory::new(folder.open(), sequence.clone()).expect("readable");
    let recording = directory.recording();
    let (mut log, _) = Log::open(directory, options()).expect("opens");
    log.start_life(identity(1)).expect("a life");
    let mut acknowledged = Vec::new();
    for number in 1..=40u64 {
        log.append([number.to_le_bytes().as_slice(), &[7; 3000]]).expect("appended");
        acknowledged.push((sequence.tick(), log.durable()));
    }
    drop(log);
    for (cut, durable) in acknowledged {
        let image: SimulatedDirectory = recording.image_at(cut, cut);
        let copy = Folder::new("image");
        drop(copy.open());
        image.write_to(&copy.0).expect("written");
        let (_, found) = Log::open(copy.open(), options()).expect("opens");
        assert!(found.next_position > durable, "{durable} was acknowledged, and only {} is there", found.next_position);
        assert!(!matches!(found.outcome, Outcome::Lost(_)), "{}", found.outcome);
    }
}

//! Every byte of a small log is damaged in turn, every file removed and cut short, and the outcome is exactly what
//! decisions/0009 says: what was proven durable is a lost record, what was not is a torn tail.

use crate::story::{identity, open, options, part};
use std::ops::Range;
use volvox_core::{Incarnation, Position};
use volvox_disk::{
    AppendError, Directory, Identity, Log, Loss, Outcome, RecordingDirectory, Recovered, SequenceCounter,
    SimulatedDirectory,
};

const SECTOR: usize = 512;
const HEADER: usize = 76;

/// A log of three segments, a checkpoint that covers the first of its records, and a last batch that is proven or not.
fn small_log(closed: bool) -> (SimulatedDirectory, Recovered) {
    let disk = SimulatedDirectory::new(1);
    let (mut log, _) = open(disk.clone());
    log.start_life(identity(1)).expect("a life");
    for number in 1..=22u8 {
        let record = vec![number; 100 * usize::from(number % 4)];
        log.append([record.as_slice(), b"second"]).expect("appended");
        if number == 4 {
            log.write_part(&part(1)).expect("a part");
            log.write_part(&part(2)).expect("a part");
            log.install_checkpoint(Position(6), &[2, 1]).expect("a checkpoint");
        }
        if number == 9 {
            log.write_idle().expect("an idle batch");
        }
        if number == 11 {
            log.append([[9; 5000].as_slice()]).expect("rolls");
        }
    }
    if closed {
        log.write_idle().expect("an idle batch");
    }
    drop(log);
    // A look must not change what is looked at.
    let recovered = open(disk.fork()).1;
    assert_eq!(recovered.outcome, Outcome::Intact);
    assert_eq!((recovered.covers, recovered.records.len()), (Position(6), 39));
    (disk, recovered)
}

/// A batch as the drawing of the format describes it, read without the code under test.
#[derive(Clone, Debug)]
struct Batch {
    file: String,
    /// The header and the body; behind it lies padding.
    bytes: Range<usize>,
    first: u64,
    last: u64,
    synced_through: u64,
}

fn batches(disk: &SimulatedDirectory) -> Vec<Batch> {
    let mut batches = Vec::new();
    for (file, bytes) in disk.files().into_iter().filter(|(name, _)| name.starts_with("log-")) {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let small = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")));
        for at in (0..bytes.len()).step_by(SECTOR).filter(|at| bytes[*at..].starts_with(b"VxLg")) {
            let (first, count, length) = (number(at + 32), small(at + 56), small(at + 60) as usize);
            let bytes = at..at + HEADER + length;
            let synced_through = number(at + 40);
            batches.push(Batch { file: file.clone(), bytes, first, last: first + count - 1, synced_through });
        }
    }
    batches
}

/// The required outcome when this byte is damaged.
#[derive(PartialEq, Debug)]
enum Verdict {
    Lost(Loss),
    /// The last batch, which nothing proves: gone, and nothing shows that it was not torn.
    TornAwayFrom(Position),
    /// The end of the log does not look as it should, and every record is there.
    TornButComplete,
    Complete,
}

fn verdict(batches: &[Batch], covers: u64, file: &str, offset: usize) -> Verdict {
    match &file[..5] {
        "ident" => return Verdict::Lost(Loss::Identity),
        "manif" => return Verdict::Lost(Loss::Manifest),
        "part-" => return Verdict::Lost(Loss::Part { number: u64::from_str_radix(&file[5..], 16).expect("hex") }),
        "spare" => return Verdict::Complete,
        _ => {}
    }
    let last = batches.last().expect("a batch");
    let behind_last = last.bytes.end.next_multiple_of(SECTOR);
    if file == last.file && (behind_last..behind_last + SECTOR).contains(&offset) {
        return Verdict::TornButComplete;
    }
    let Some(hit) = batches.iter().position(|batch| batch.file == file && batch.bytes.contains(&offset)) else {
        return Verdict::Complete;
    };
    let batch = &batches[hit];
    let others = batches.iter().enumerate().filter(|(index, _)| *index != hit);
    // A header that still verifies is believed though the body behind it is damaged.
    let own = (offset >= batch.bytes.start + HEADER).then_some(batch.synced_through);
    let proven = others.map(|(_, other)| other.synced_through).chain(own).max().unwrap_or(0);
    let has_records = batch.last >= batch.first && batch.last > covers;
    match has_records {
        true if batch.first.max(covers + 1) <= proven => {
            Verdict::Lost(Loss::Records { first: Position(batch.first.max(covers + 1)), last: Position(proven) })
        }
        true => Verdict::TornAwayFrom(Position(batch.first)),
        false if hit == batches.len() - 1 => Verdict::TornButComplete,
        false => Verdict::Complete,
    }
}

fn assert_verdict(disk: &SimulatedDirectory, whole: &Recovered, verdict: &Verdict) {
    let (mut log, found) = open(disk.clone());
    match verdict {
        Verdict::Lost(loss) => {
            assert_eq!(found.outcome, Outcome::Lost(loss.clone()));
            assert!(found.records.is_empty() && found.parts.is_empty(), "a node must not build on a part");
            return;
        }
        Verdict::TornAwayFrom(first) => {
            assert!(matches!(&found.outcome, Outcome::TornTail { first: at, .. } if at == first), "{}", found.outcome);
            assert_eq!(found.next_position, *first);
            assert_eq!(found.records, whole.records[..found.records.len()]);
        }
        Verdict::TornButComplete | Verdict::Complete => {
            let torn = matches!(&found.outcome, Outcome::TornTail { .. });
            assert_eq!(torn, *verdict == Verdict::TornButComplete, "{}", found.outcome);
            assert_eq!((&found.records, &found.parts), (&whole.records, &whole.parts));
        }
    }
    // Cut records never return, and damage that is not missed never matters.
    log.append([b"new".as_slice()]).expect("appended");
    drop(log);
    disk.crash(1);
    let again = open(disk.clone()).1;
    assert_eq!(again.outcome, Outcome::Intact);
    let kept = again.records.len() - 1;
    assert_eq!(again.records[..kept], found.records);
    assert_eq!((again.records[kept].0, again.records[kept].1.as_slice()), (found.next_position, b"new".as_slice()));
}

fn damage_every_byte(closed: bool) -> [usize; 4] {
    let (disk, whole) = small_log(closed);
    let batches = batches(&disk);
    let mut counts = [0; 4];
    for (file, bytes) in disk.files() {
        for offset in 0..bytes.len() {
            for bits in [0x01, 0x80, 0xff] {
                println!("{file} byte {offset} bits {bits:#x}");
                let verdict = verdict(&batches, 6, &file, offset);
                let damaged = disk.fork();
                damaged.flip_at(&file, offset as u64, bits);
                assert_verdict(&damaged, &whole, &verdict);
                counts[match verdict {
                    Verdict::Lost(_) => 0,
                    Verdict::TornAwayFrom(_) => 1,
                    Verdict::TornButComplete => 2,
                    Verdict::Complete => 3,
                }] += 1;
            }
        }
    }
    counts
}

#[test]
fn every_byte_of_a_log_that_fell_idle() {
    let [lost, torn, torn_but_complete, complete] = damage_every_byte(true);
    assert!(lost > 3_000 && torn_but_complete > 1_000 && complete > 1_000, "{lost} {torn_but_complete} {complete}");
    assert_eq!(torn, 0, "once the log is idle, no damage to a record passes for a torn write");
}

/// The one thing that cannot be told apart: rot of exactly the last batch while the node was down looks like a write
/// that a crash tore. The record may have been acknowledged. Every other byte has one verdict.
#[test]
fn every_byte_of_a_log_that_was_busy() {
    let [lost, torn, _, complete] = damage_every_byte(false);
    assert!(lost > 3_000 && torn > 500 && complete > 1_000, "{lost} {torn} {complete}");
}

#[test]
fn every_file_gone() {
    for closed in [false, true] {
        let (disk, whole) = small_log(closed);
        let files: Vec<String> = disk.files().into_iter().map(|(name, _)| name).collect();
        let segments: Vec<&String> = files.iter().filter(|name| name.starts_with("log-")).collect();
        assert!(segments.len() >= 3, "{files:?}");
        for gone in &files {
            println!("{gone} is gone");
            let damaged = disk.fork();
            damaged.remove(gone).expect("removed");
            let expected = match &gone[..5] {
                "log-0" => Verdict::Lost(Loss::Segment { number: number(gone) }),
                "spare" => Verdict::Complete,
                _ => verdict(&batches(&disk), 6, gone, 0),
            };
            assert_verdict(&damaged, &whole, &expected);
        }
    }
}

#[test]
fn every_file_cut_short() {
    let (disk, whole) = small_log(true);
    let batches = batches(&disk);
    for (file, bytes) in disk.files() {
        for length in (0..bytes.len()).filter(|length| bytes.len() < 4096 || length % 256 == 0) {
            println!("{file} cut to {length} bytes");
            let damaged = disk.fork();
            damaged.put_file(&file, &bytes[..length]);
            let found = Log::open(damaged, options()).expect("opens").1;
            let reaches = |batch: &&Batch| batch.file == file && batch.bytes.end > length && batch.last > 6;
            let lost = batches.iter().find(|batch| reaches(batch) && batch.first <= batch.last);
            match (&file[..5], lost) {
                ("spare", _) => assert_eq!(found.records, whole.records, "{}", found.outcome),
                ("log-0", lost) => match loss(&found) {
                    Loss::Records { .. } => assert!(lost.is_some()),
                    other => assert_eq!(other, Loss::Segment { number: number(&file) }),
                },
                _ => assert_eq!(Verdict::Lost(loss(&found)), verdict(&batches, 6, &file, 0)),
            }
        }
    }
}

/// A node with lost records must never restart under its old identity: not at any moment of the change.
#[test]
fn a_lost_life_stays_lost_at_every_cut_of_the_next_one() {
    let (disk, _) = small_log(true);
    let files: Vec<(String, Vec<u8>)> = disk.files();
    for (file, _) in files.iter().filter(|(name, _)| !name.starts_with("spare")) {
        for gone in [false, true] {
            println!("{file} gone {gone}");
            let damaged = disk.fork();
            match gone {
                true => damaged.remove(file).expect("removed"),
                false => damaged.flip_at(file, 30.min(length(&files, file) - 1), 0x10),
            }
            let sequence = SequenceCounter::default();
            let recorded = RecordingDirectory::new(damaged, sequence.clone()).expect("readable");
            let (mut log, found) = open(recorded.clone());
            if !matches!(found.outcome, Outcome::Lost(_)) {
                continue;
            }
            let reborn = Identity { incarnation: Incarnation(2), nonce: 77, ..identity(1) };
            log.start_life(reborn).expect("a life");
            let kinds: Vec<String> = recorded.list().expect("listed").iter().map(|name| name[..4].to_owned()).collect();
            let old = kinds.iter().filter(|kind| ["part", "mani"].contains(&kind.as_str())).count();
            assert!(old == 0 && kinds.iter().filter(|kind| *kind == "log-").count() == 1, "{kinds:?}");
            log.append([b"reborn".as_slice()]).expect("appended");
            let acknowledged = sequence.now();
            for cut in 0..=acknowledged {
                for seed in 0..20 {
                    let again = open(recorded.recording().image_at(cut, seed)).1;
                    match (&again.outcome, again.identity) {
                        (Outcome::Lost(_), _) => assert!(cut < acknowledged, "the new life is lost"),
                        (outcome, Some(who)) => {
                            assert!(who == reborn, "{outcome} as who it was, at cut {cut} with seed {seed}");
                            assert!(again.records.len() == 1 || cut < acknowledged);
                        }
                        (outcome, None) => panic!("{outcome}"),
                    }
                }
            }
        }
    }
}

/// Everything but the identity and the manifest is gone, in every combination of files.
#[test]
fn a_lost_life_stays_lost_whatever_is_missing() {
    let (disk, _) = small_log(true);
    let files: Vec<String> = disk.files().into_iter().map(|(name, _)| name).collect();
    for gone in 1u32..1 << files.len() {
        println!("without {gone:b} of {files:?}");
        let damaged = disk.fork();
        for (_, file) in files.iter().enumerate().filter(|(index, _)| gone >> index & 1 == 1) {
            damaged.remove(file).expect("removed");
        }
        let sequence = SequenceCounter::default();
        let recorded = RecordingDirectory::new(damaged, sequence.clone()).expect("readable");
        let (mut log, found) = open(recorded.clone());
        let is_gone = |index: usize| gone >> index & 1 == 1;
        let spare = |index: usize| files[index].starts_with("spare");
        match &found.outcome {
            Outcome::Fresh => assert!((0..files.len()).all(|index| is_gone(index) || spare(index))),
            Outcome::Lost(_) => assert!((0..files.len()).any(|index| is_gone(index) && !spare(index))),
            _ => {
                assert!((0..files.len()).all(|index| !is_gone(index) || spare(index)), "{gone:b} of {files:?}");
                continue;
            }
        }
        let reborn = Identity { incarnation: Incarnation(2), nonce: 77, ..identity(1) };
        log.start_life(reborn).expect("a life");
        for cut in 0..=sequence.now() {
            let again = open(recorded.recording().image_at(cut, cut)).1;
            let old = again.identity == Some(identity(1));
            assert!(!old || matches!(again.outcome, Outcome::Lost(_)), "cut {cut} without {gone:b} of {files:?}");
        }
    }
}

fn number(name: &str) -> u64 {
    u64::from_str_radix(&name[4..], 16).expect("hex")
}

fn length(files: &[(String, Vec<u8>)], file: &str) -> u64 {
    files.iter().find(|(name, _)| name == file).expect("a file").1.len() as u64
}

fn loss(found: &Recovered) -> Loss {
    match &found.outcome {
        Outcome::Lost(loss) => loss.clone(),
        other => panic!("{other}"),
    }
}

/// The records before a checkpoint are all still there, and yet it is missed: they need not lead to its state.
#[test]
fn a_checkpoint_that_vanishes_is_missed_at_once() {
    let disk = SimulatedDirectory::new(1);
    let (mut log, _) = open(disk.clone());
    log.start_life(identity(1)).expect("a life");
    log.append([b"one".as_slice()]).expect("appended");
    log.write_part(&part(1)).expect("a part");
    log.install_checkpoint(Position(1), &[1]).expect("a checkpoint");
    let older = disk.files().into_iter().find(|(name, _)| name.starts_with("manifest")).expect("a manifest");
    log.install_checkpoint(Position(1), &[1]).expect("a checkpoint");
    drop(log);
    let vanished = disk.fork();
    vanished.remove(&older.0).expect("removed");
    assert_eq!(open(vanished).1.outcome, Outcome::Lost(Loss::Manifest));
    disk.put_file(&older.0, &older.1);
    assert_eq!(open(disk).1.outcome, Outcome::Lost(Loss::Manifest), "the one before it passed for it");
}

/// A crash may leave a batch whose end nothing proves. Once the log was opened it is proven: its damage is a loss.
#[test]
fn what_opening_gave_back_is_proven() {
    let (disk, whole) = small_log(false);
    let last = batches(&disk).pop().expect("a batch");
    assert_eq!(open(disk.clone()).1.records, whole.records);
    disk.flip_at(&last.file, last.bytes.start as u64, 1);
    let [first, last] = [Position(last.first), Position(last.last)];
    assert_eq!(open(disk).1.outcome, Outcome::Lost(Loss::Records { first, last }));
}

/// Batches behind a gap that nothing proves. This log writes none, as it syncs one batch before it writes the next;
/// the rule of section 6 speaks of them, and they must not return when the gap is filled.
#[test]
fn a_batch_behind_a_torn_one_is_cut_with_it() {
    let disk = SimulatedDirectory::new(1);
    let (mut log, _) = open(disk.clone());
    log.start_life(identity(1)).expect("a life");
    log.append([b"one".as_slice()]).expect("appended");
    log.append([[2; 1300].as_slice()]).expect("appended");
    log.append([b"three".as_slice()]).expect("appended");
    drop(log);
    let batches = batches(&disk);
    let third = batches[2].bytes.start;
    let (file, mut bytes) = disk.files().into_iter().find(|(name, _)| *name == batches[2].file).expect("a segment");
    bytes[third + 40..third + 48].copy_from_slice(&1u64.to_le_bytes());
    let crc = crc32c::crc32c(&identity(1).nonce.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &bytes[third + 16..third + HEADER]);
    bytes[third + 12..third + 16].copy_from_slice(&crc.to_le_bytes());
    bytes[batches[1].bytes.start + 900] ^= 1;
    disk.put_file(&file, &bytes);
    let (mut log, found) = open(disk.clone());
    let end = batches[1].bytes.end.next_multiple_of(SECTOR) as u64;
    let range = batches[1].bytes.start as u64..end;
    assert_eq!(found.outcome, Outcome::TornTail { segment: 1, bytes: range, first: Position(2) });
    assert_eq!(found.records.len(), 1);
    log.append([b"another two".as_slice()]).expect("appended");
    drop(log);
    let again = open(disk).1;
    assert_eq!(again.outcome, Outcome::Intact);
    assert_eq!(again.records.len(), 2, "cut records returned");
}

#[test]
fn a_log_without_a_life_is_not_written() {
    let (mut log, found) = open(SimulatedDirectory::new(1));
    assert_eq!(found.outcome, Outcome::Fresh);
    let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<_, AppendError> = log.append([b"x".as_slice()]);
    }));
    assert!(written.is_err(), "a mistake of the caller");
}

//! The power is cut at every write, every sync and every change of the folder, and again while the log recovers.

use crate::story::{Story, check_image, check_records, open};
use volvox_core::Position;
use volvox_disk::{Faults, Outcome, RecordingDirectory, SequenceCounter, SimulatedDirectory};

const STORIES: u64 = 40;
const STEPS: u64 = 40;
const IMAGES_A_CUT: u64 = 3;

fn told(seed: u64) -> Story {
    let mut story = Story::new(seed);
    for _ in 0..STEPS {
        story.step();
    }
    story
}

fn image_at(story: &Story, cut: u64, seed: u64) -> SimulatedDirectory {
    let image = story.recording().state_at(cut);
    // Every other image tears sectors too: batches begin at sectors, so a torn one holds nothing acknowledged.
    let torn_sectors_ppm = if seed.is_multiple_of(2) { 0 } else { 200_000 };
    image.set_faults(Faults { torn_sectors_ppm, ..Faults::default() });
    image.crash(seed);
    image
}

#[test]
fn every_acknowledged_record_survives_a_cut_at_any_moment() {
    let (mut images, mut torn) = (0u64, 0u64);
    for seed in 0..STORIES {
        let story = told(seed);
        for cut in 0..=story.sequence.now() {
            for draw in 0..IMAGES_A_CUT {
                let crash = seed * 1_000_000 + cut * 10 + draw;
                println!("story {seed}, cut {cut}, crash {crash}");
                let image = image_at(&story, cut, crash);
                let recovered = check_image(&story, &image, cut);
                images += 1;
                torn += u64::from(matches!(recovered.map(|r| r.outcome), Some(Outcome::TornTail { .. })));
            }
        }
    }
    assert!(images > 5_000 && torn > 100, "{images} images, {torn} torn: the test has lost its teeth");
}

#[test]
fn a_second_cut_during_recovery_loses_nothing_either() {
    let mut cuts = 0;
    for seed in 100..100 + STORIES {
        let story = told(seed);
        for cut in (0..=story.sequence.now()).step_by(7) {
            let first = image_at(&story, cut, cut);
            let sequence = SequenceCounter::default();
            let disk = RecordingDirectory::new(first, sequence.clone()).expect("the image is readable");
            let recovered = open(disk.clone()).1;
            for second in 0..=sequence.now() {
                println!("story {seed}, cut {cut}, second cut {second}");
                let image = disk.recording().image_at(second, cut + second);
                let Some(again) = check_image(&story, &image, cut) else { continue };
                // Records restored by a complete recovery are durable: the process builds on them.
                if second == sequence.now() && recovered.identity == again.identity {
                    assert_eq!((again.covers, &again.parts), (recovered.covers, &recovered.parts));
                    assert_eq!(again.records, recovered.records);
                }
                cuts += 1;
            }
        }
    }
    assert!(cuts > 1_000, "{cuts} second cuts: the test has lost its teeth");
}

#[test]
fn a_recovered_log_goes_on() {
    for seed in 200..200 + STORIES {
        let story = told(seed);
        for cut in (0..=story.sequence.now()).step_by(3) {
            println!("story {seed}, cut {cut}");
            let image = image_at(&story, cut, cut);
            let (mut log, recovered) = open(image.clone());
            if matches!(recovered.outcome, Outcome::Fresh | Outcome::Lost(_)) {
                log.start_life(crate::story::identity(1_000)).expect("a life");
            }
            let next = log.next_position();
            for _ in 0..20 {
                log.append([b"after the cut".as_slice(), &[7; 600]]).expect("appended");
            }
            drop(log);
            image.crash(seed);
            let again = open(image).1;
            assert_eq!(again.outcome, Outcome::Intact);
            assert_eq!(again.next_position, Position(next.0 + 40));
            let kept = again.records.len() - 40;
            assert!(again.records[kept..].iter().step_by(2).all(|(_, record)| record.as_slice() == b"after the cut"));
            if !matches!(recovered.outcome, Outcome::Fresh | Outcome::Lost(_)) {
                assert_eq!(again.records[..kept], recovered.records, "recovery changed what it recovered");
            }
        }
    }
}

/// Without a single unsynced sector there is nothing to cut: whatever earlier uses left in a file is not mistaken for
/// it.
#[test]
fn nothing_is_torn_where_nothing_was_written() {
    for seed in 500..500 + STORIES {
        let story = told(seed);
        for cut in 0..=story.sequence.now() {
            println!("story {seed}, cut {cut}");
            let image = story.recording().state_at(cut);
            image.crash_to_synced();
            let recovered = check_image(&story, &image, cut);
            assert!(recovered.is_none_or(|recovered| recovered.outcome == Outcome::Intact));
        }
    }
}

#[test]
fn a_kill_loses_nothing_that_was_written() {
    for seed in 300..300 + STORIES {
        let story = told(seed);
        for cut in 0..=story.sequence.now() {
            println!("story {seed}, cut {cut}");
            let killed = story.recording().state_at(cut);
            killed.kill();
            check_image(&story, &killed, cut);
        }
    }
}

#[test]
fn what_a_killed_process_left_unsynced_is_made_durable_by_the_next() {
    for seed in 400..400 + STORIES {
        let story = told(seed);
        for cut in 0..=story.sequence.now() {
            println!("story {seed}, cut {cut}");
            let disk = story.recording().state_at(cut);
            disk.kill();
            let recovered = open(disk.clone()).1;
            // A healthy life whose successor was not yet complete; it is as healthy when that one is gone again.
            if matches!(recovered.outcome, Outcome::Lost(_)) {
                continue;
            }
            disk.crash(cut);
            let again = open(disk).1;
            assert_eq!(
                (again.identity, again.covers, &again.parts),
                (recovered.identity, recovered.covers, &recovered.parts)
            );
            assert_eq!(again.records, recovered.records);
        }
    }
}

#[test]
fn the_stories_tell_all_that_a_log_can_do() {
    let (mut segments, mut recycled, mut lives, mut reused) = (0, 0, 0, 0);
    for seed in 0..STORIES {
        let mut story = told(seed);
        check_records(&open(story.disk.clone()).1, story.lives.last().expect("a life"), story.sequence.now());
        lives += story.lives.len() - 1;
        for life in &story.lives {
            for pair in life.checkpoints.windows(2) {
                reused += pair[1].parts.iter().filter(|number| pair[0].parts.contains(number)).count();
            }
        }
        let names: Vec<String> = story.log().directory().recording().names_ever();
        segments += names.iter().filter(|name| name.starts_with("log-")).count();
        recycled += names.iter().filter(|name| name.starts_with("spare-")).count();
    }
    assert!(segments > 60 && recycled > 60, "{segments} segments, {recycled} spares");
    assert!(lives > 3 && reused > 10, "{lives} new lives, {reused} parts kept from one checkpoint to the next");
}

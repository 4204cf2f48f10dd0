use super::probe::Number;
use super::*;
use std::cell::Cell;
use std::rc::Rc;
use volvox_core::fault::DiskFault;
use volvox_core::{Incarnation, Position, Restored, Rng};
use volvox_sim::{Finished, RecordDisk, Recovery, Storage, StorageError, Write};

#[test]
fn the_gate_holds_back_what_reveals_a_record_and_nothing_else() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    sim.command(ONE, Do::Store(5));
    sim.command(ONE, Do::TellNow(6));
    run(&mut sim, 10);
    let at = |millis: u64| Instant(millis * 1_000_000);
    let wanted = [(at(1), Saw::Told(6)), (at(2), Saw::Stored(5)), (at(2), Saw::Durable(Position(1)))];
    assert_eq!(timed(&mut sim, ONE), wanted);
}

#[test]
fn what_is_persisted_during_a_sync_is_one_batch() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    for number in 0..10 {
        sim.command(ONE, Do::Store(number));
    }
    run(&mut sim, 10);
    assert_eq!(sim.statistics().syncs, 2);
    let durable: Vec<Saw> = saw(&mut sim, ONE).into_iter().filter(|event| matches!(event, Saw::Durable(_))).collect();
    assert_eq!(durable, [Saw::Durable(Position(1)), Saw::Durable(Position(10))]);
}

#[test]
fn what_was_told_survives_every_crash_and_what_was_not_is_cut_at_a_batch() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let sync = Latency::Uniform(Duration::from_micros(100), ms(5));
        let mut sim = plain(seed, 1).sync(sync).build();
        let mut rng = sim.rng(0);
        let mut told: u64 = 0;
        let mut next = 0;
        for _ in 0..5 {
            for _ in 0..20 {
                sim.command_after(Duration::from_micros(rng.below(20_000)), ONE, Do::Store(next));
                next += 1;
            }
            let _ = sim.run_for(Duration::from_micros(rng.below(25_000)));
            told += numbers(saw(&mut sim, ONE)).len() as u64;
            fault(&mut sim, "crash 1");
            fault(&mut sim, "start 1");
            let kept = sim.node(ONE).expect("up").numbers.len() as u64;
            assert!(kept >= told, "seed {seed}: {told} were acknowledged, {kept} are there");
            lengths.insert(kept - told);
            told = kept;
            let _ = sim.run_for(ms(30));
            told += numbers(saw(&mut sim, ONE)).len() as u64;
        }
    }
    assert!(lengths.contains(&0) && lengths.len() > 3, "chance decided nothing: {lengths:?}");
}

#[test]
fn an_acknowledgement_before_the_disk_is_found_out() {
    let lost = (0..100).filter(|seed| {
        let mut sim = plain(*seed, 1).sync(Latency::Uniform(Duration::from_micros(100), ms(5))).build();
        let mut rng = sim.rng(0);
        for number in 0..20 {
            sim.command_after(Duration::from_micros(rng.below(20_000)), ONE, Do::StoreHastily(number));
        }
        let _ = sim.run_for(Duration::from_micros(rng.below(20_000)));
        let told = numbers(saw(&mut sim, ONE)).len();
        fault(&mut sim, "crash 1");
        fault(&mut sim, "start 1");
        sim.node(ONE).expect("up").numbers.len() < told
    });
    let lost = lost.count();
    assert!(lost > 50, "only {lost} of 100 seeds show the mistake");
}

#[test]
fn a_checkpoint_stands_for_the_records_it_covers() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    for number in [3, 1, 4] {
        sim.command(ONE, Do::Store(number));
    }
    sim.command(ONE, Do::Checkpoint);
    sim.command(ONE, Do::Store(1));
    run(&mut sim, 10);
    for _ in 0..2 {
        fault(&mut sim, "crash 1");
        fault(&mut sim, "start 1");
        let restored = sim.happened().filter_map(|happened| match happened.what {
            Happening::Event(Saw::Restored(numbers, parts)) => Some((numbers, parts)),
            _ => None,
        });
        assert_eq!(restored.last(), Some((vec![3, 1, 4, 1], 1)));
    }
    sim.command(ONE, Do::Store(5));
    run(&mut sim, 10);
    assert!(saw(&mut sim, ONE).contains(&Saw::Durable(Position(5))), "positions continue");
}

#[test]
fn a_failed_sync_and_a_full_disk_stop_the_node() {
    for (text, error) in [("disk 1 failsync", StorageError::SyncFailed), ("disk 1 full", StorageError::Full)] {
        let mut sim = plain(1, 1).build();
        run(&mut sim, 1);
        fault(&mut sim, text);
        sim.command(ONE, Do::Store(5));
        run(&mut sim, 10);
        assert!(sim.node(ONE).is_none());
        let stopped: Vec<_> = sim.happened().map(|happened| happened.what).collect();
        assert!(stopped.contains(&Happening::Stopped(Some(error))), "{stopped:?}");
        assert!(!stopped.contains(&Happening::Event(Saw::Stored(5))));
        fault(&mut sim, "disk 1 ok");
        fault(&mut sim, "start 1");
        sim.command(ONE, Do::Store(6));
        run(&mut sim, 10);
        assert_eq!(numbers(saw(&mut sim, ONE)), [6]);
    }
}

#[test]
fn a_slow_disk_delays_what_waits_for_it() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    fault(&mut sim, "disk 1 slow 20ms");
    sim.command(ONE, Do::Store(5));
    run(&mut sim, 20);
    assert_eq!(saw(&mut sim, ONE), []);
    run(&mut sim, 1);
    assert_eq!(numbers(saw(&mut sim, ONE)), [5]);
}

#[test]
fn rot_is_found_at_the_restart_and_the_node_is_somebody_else() {
    let mut sim = plain(1, 1).build();
    run(&mut sim, 1);
    sim.command(ONE, Do::Store(5));
    run(&mut sim, 10);
    fault(&mut sim, "disk 1 flip");
    fault(&mut sim, "crash 1");
    fault(&mut sim, "start 1");
    assert_eq!(sim.incarnation(ONE), Some(Incarnation(2)));
    assert_eq!(sim.node(ONE).expect("up").numbers, []);
    assert_eq!(sim.statistics().lost_storages, 1);
}

#[test]
fn a_torn_batch_is_gone_whole() {
    for seed in 0..20 {
        let mut sim = plain(seed, 1).build();
        run(&mut sim, 1);
        sim.command(ONE, Do::Store(5));
        run(&mut sim, 10);
        sim.command(ONE, Do::Store(6));
        run(&mut sim, 0);
        fault(&mut sim, "disk 1 tear");
        fault(&mut sim, "crash 1");
        fault(&mut sim, "start 1");
        assert_eq!(sim.node(ONE).expect("up").numbers, [5], "seed {seed}");
    }
}

/// A disk whose records behind the first count for nothing until there is space.
struct Reluctant {
    disk: RecordDisk<Number>,
    has_space: Rc<Cell<bool>>,
    asked: Rc<Cell<u64>>,
}

impl Storage<Number> for Reluctant {
    fn format(&mut self, incarnation: Incarnation) {
        self.disk.format(incarnation);
    }

    fn write(&mut self, batch: &mut Vec<Write<Number>>, rng: &mut Rng) -> Result<Duration, StorageError> {
        self.disk.write(batch, rng)
    }

    fn finish(&mut self) -> Result<Finished, StorageError> {
        self.asked.set(self.asked.get() + 1);
        let finished = self.disk.finish()?;
        Ok(if self.has_space.get() { finished } else { Finished::Waits { through: Position(1) } })
    }

    fn crash(&mut self, rng: &mut Rng) {
        self.disk.crash(rng);
    }

    fn restore(&mut self, give: &mut dyn FnMut(Restored<Number>)) -> Recovery {
        self.disk.restore(give)
    }

    fn fault(&mut self, fault: DiskFault, rng: &mut Rng) {
        self.disk.fault(fault, rng);
    }
}

#[test]
fn what_waits_for_space_is_not_durable_and_the_disk_is_asked_again() {
    let (has_space, asked) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let (space, count) = (Rc::clone(&has_space), Rc::clone(&asked));
    let storage = move |_| -> Box<dyn Storage<Number>> {
        let disk = RecordDisk::new(Latency::Constant(ms(1)));
        Box::new(Reluctant { disk, has_space: Rc::clone(&space), asked: Rc::clone(&count) })
    };
    let mut sim = plain(1, 1).storage(storage).build();
    run(&mut sim, 1);
    for number in [5, 6, 7] {
        sim.command(ONE, Do::Store(number));
        run(&mut sim, 10);
    }
    assert_eq!(saw(&mut sim, ONE), [Saw::Stored(5), Saw::Durable(Position(1))]);
    run(&mut sim, 970);
    assert_eq!(saw(&mut sim, ONE), [], "nothing more is durable, however often it is asked");
    assert!((15..30).contains(&asked.get()), "asked {} times in a second", asked.get());
    has_space.set(true);
    run(&mut sim, 60);
    assert_eq!(saw(&mut sim, ONE), [Saw::Stored(6), Saw::Stored(7), Saw::Durable(Position(3))]);
    let so_far = asked.get();
    run(&mut sim, 1_000);
    assert_eq!(asked.get(), so_far, "nothing waits: no query");
}

//! A log's story on a recorded disk, and what must be true of the disk after a power cut at any moment of it.
#![allow(dead_code, reason = "every test uses a part of it")]

use std::fmt::Debug;
use volvox_core::{Bytes, Incarnation, NodeId, Part, Position, Rng};
use volvox_disk::{
    Directory, Identity, Log, Loss, Options, Outcome, Recording, RecordingDirectory, Recovered, SequenceCounter,
    SimulatedDirectory,
};

pub type RecordedLog = Log<RecordingDirectory<SimulatedDirectory>>;

pub fn options() -> Options {
    Options { segment_bytes: 8192, spare_segments_max: 2 }
}

pub fn identity(life: u64) -> Identity {
    Identity { cluster: 42, node: NodeId(3), incarnation: Incarnation(life), nonce: Rng::new(life).next_u64() }
}

pub fn open<D: Directory + Debug>(directory: D) -> (Log<D>, Recovered) {
    Log::open(directory, options()).expect("the folder opens")
}

/// One life of the storage, and when each thing in it was begun and acknowledged.
#[derive(Debug)]
pub struct Life {
    pub identity: Identity,
    pub begun: u64,
    pub acknowledged: u64,
    /// The record at position `index + 1`, and when it was acknowledged (`None`: never).
    pub records: Vec<(Vec<u8>, Option<u64>)>,
    pub checkpoints: Vec<Checkpoint>,
}

#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub covers: Position,
    pub parts: Vec<u64>,
    pub acknowledged: Option<u64>,
}

/// The operations, on a disk that records them.
pub struct Story {
    pub disk: RecordingDirectory<SimulatedDirectory>,
    pub sequence: SequenceCounter,
    pub lives: Vec<Life>,
    log: Option<RecordedLog>,
    rng: Rng,
    next_part: u64,
}

impl Story {
    /// Begins a first life on an empty disk.
    pub fn new(seed: u64) -> Story {
        let sequence = SequenceCounter::default();
        let disk = RecordingDirectory::new(SimulatedDirectory::new(seed), sequence.clone()).expect("an empty disk");
        let (log, recovered) = open(disk.clone());
        assert_eq!(recovered.outcome, Outcome::Fresh);
        let mut story = Story { disk, sequence, lives: Vec::new(), log: Some(log), rng: Rng::new(seed), next_part: 1 };
        story.start_life();
        story
    }

    pub fn recording(&self) -> Recording {
        self.disk.recording()
    }

    pub fn log(&mut self) -> &mut RecordedLog {
        self.log.as_mut().expect("the log is open")
    }

    /// A random thing happens.
    pub fn step(&mut self) {
        match self.rng.below(100) {
            0..50 => self.append(),
            50..65 => self.idle(),
            65..75 => self.log().maintain().expect("maintained"),
            75..88 => self.checkpoint(),
            88..92 => self.kill_between_write_and_sync(),
            92..98 => self.restart(),
            _ => self.start_life(),
        }
    }

    pub fn append(&mut self) {
        let records = self.draw_records();
        let written = self.log().append(records.iter().map(Vec::as_slice)).expect("appended");
        let life = self.lives.last_mut().expect("a life");
        assert_eq!(written.0, Position(life.records.len() as u64 + 1));
        let now = self.sequence.tick();
        life.records.extend(records.into_iter().map(|record| (record, Some(now))));
        assert_eq!(written.1, Position(life.records.len() as u64));
    }

    pub fn idle(&mut self) {
        self.log().write_idle().expect("an idle batch");
    }

    pub fn checkpoint(&mut self) {
        let (low, high) = {
            let life = self.lives.last().expect("a life");
            let low = life.checkpoints.last().map_or(0, |checkpoint| checkpoint.covers.0);
            (low, life.records.len() as u64)
        };
        let covers = Position(self.rng.between(low, high));
        let mut parts: Vec<u64> = match self.lives.last().expect("a life").checkpoints.last() {
            Some(last) => last.parts.clone(),
            None => Vec::new(),
        };
        let rng = &mut self.rng;
        parts.retain(|_| rng.below(3) > 0);
        for _ in 0..self.rng.below(3) {
            let number = self.next_part;
            self.next_part += 1;
            self.log().write_part(&part(number)).expect("a part");
            parts.push(number);
        }
        let life = self.lives.last_mut().expect("a life");
        life.checkpoints.push(Checkpoint { covers, parts: parts.clone(), acknowledged: None });
        self.log().install_checkpoint(covers, &parts).expect("a checkpoint");
        let now = self.sequence.tick();
        let life = self.lives.last_mut().expect("a life");
        life.checkpoints.last_mut().expect("just begun").acknowledged = Some(now);
    }

    /// The process dies when a batch was written and not synced. It may be there afterwards.
    pub fn kill_between_write_and_sync(&mut self) {
        let records = self.draw_records();
        self.log().write(records.iter().map(Vec::as_slice)).expect("written");
        let life = self.lives.last_mut().expect("a life");
        life.records.extend(records.into_iter().map(|record| (record, None)));
        self.restart();
    }

    /// The process restarts; the machine stays up.
    pub fn restart(&mut self) {
        self.log = None;
        let (log, recovered) = open(self.disk.clone());
        check_records(&recovered, self.lives.last().expect("a life"), self.sequence.now());
        self.log = Some(log);
        let now = self.sequence.tick();
        // Records that a restart restored count as acknowledged: the process builds on them.
        let life = self.lives.last_mut().expect("a life");
        life.records.truncate((recovered.next_position.0 - 1) as usize);
        for (_, acknowledged) in &mut life.records {
            acknowledged.get_or_insert(now);
        }
    }

    pub fn start_life(&mut self) {
        let identity = identity(self.lives.len() as u64 + 1);
        let begun = self.sequence.tick();
        let life = Life { identity, begun, acknowledged: u64::MAX, records: Vec::new(), checkpoints: Vec::new() };
        self.lives.push(life);
        self.log().start_life(identity).expect("a life");
        self.lives.last_mut().expect("just begun").acknowledged = self.sequence.tick();
    }

    fn draw_records(&mut self) -> Vec<Vec<u8>> {
        let rng = &mut self.rng;
        (0..rng.between(1, 4))
            .map(|_| {
                let length = match rng.below(20) {
                    0 => 0,
                    1 => rng.below(12_000),
                    _ => rng.below(700),
                };
                let fill = rng.next_u64() as u8;
                vec![fill; length as usize]
            })
            .collect()
    }
}

/// The one content that a part of this number has.
pub fn part(number: u64) -> Part {
    let length = Rng::new(number).below(2000) as usize;
    Part { number, data: Bytes::from(vec![number as u8; length]) }
}

/// Opens what a power cut at `cut` left, and asserts what must be true of it. Gives back what was recovered when a
/// life continues.
pub fn check_image(story: &Story, image: &SimulatedDirectory, cut: u64) -> Option<Recovered> {
    let (log, recovered) = open(image.clone());
    let acknowledged = story.lives.iter().rposition(|life| life.acknowledged <= cut);
    let begun = story.lives.iter().rposition(|life| life.begun <= cut);
    match &recovered.outcome {
        Outcome::Fresh => {
            assert_eq!(acknowledged, None, "a life vanished");
            None
        }
        Outcome::Lost(loss) => {
            // A healthy life that was about to be replaced by another may already be beyond use; nothing else is lost.
            assert!(begun > acknowledged && matches!(loss, Loss::Segment { .. }), "{loss} at {cut}");
            None
        }
        Outcome::Intact | Outcome::TornTail { .. } => {
            let identity = recovered.identity.expect("a life has an identity");
            let index = story.lives.iter().position(|life| life.identity == identity).expect("one of the story");
            assert!(Some(index) >= acknowledged && Some(index) <= begun, "life {index} at {cut}");
            check_records(&recovered, &story.lives[index], cut);
            for number in &recovered.parts {
                assert_eq!(log.read_part(*number).expect("verified when opened"), part(*number));
            }
            Some(recovered)
        }
    }
}

/// Every record acknowledged by `cut` is there, in its place, and no record that was never written.
pub fn check_records(recovered: &Recovered, life: &Life, cut: u64) {
    let covers = recovered.covers.0;
    let checkpoint = life.checkpoints.iter().rfind(|checkpoint| checkpoint.acknowledged.is_some_and(|at| at <= cut));
    let oldest = checkpoint.map_or(0, |checkpoint| checkpoint.covers.0);
    assert!(covers >= oldest, "the checkpoint of {oldest} became one of {covers}");
    let known = life.checkpoints.iter().any(|known| known.covers.0 == covers && known.parts == recovered.parts);
    assert!(known || (covers, recovered.parts.len()) == (0, 0), "no such checkpoint was made");
    for (place, (position, record)) in recovered.records.iter().enumerate() {
        assert_eq!(position.0, covers + 1 + place as u64, "a record out of place");
        assert_eq!(record.as_slice(), life.records[position.0 as usize - 1].0, "{position} holds something else");
    }
    let last = covers + recovered.records.len() as u64;
    assert_eq!(recovered.next_position, Position(last + 1));
    let acknowledged = life.records.iter().rposition(|(_, at)| at.is_some_and(|at| at <= cut));
    assert!(last >= acknowledged.map_or(0, |index| index as u64 + 1), "acknowledged {acknowledged:?}, found {last}");
}

//! The real log code of `volvox-disk`, byte for byte, as a disk of the simulated world.
//!
//! The simulator hands over batches and says when power goes; this module turns that into calls of
//! [`Log`] over a [`SimulatedDirectory`], which loses unsynced sectors, tears them, forgets or
//! misdirects writes, and flips bits. A restart restores whatever the log code makes of the remaining data.
//!
//! A full disk does not end the run, as in the live world (`Unwritten` of `volvox-net`): writes that do not fit wait,
//! and are tried again. A log that still has room in its segment continues while a checkpoint waits, and what was
//! persisted behind a checkpoint counts as durable only once that is current.
//!
//! Two things are checked here, because only the disk can know them: a disk that nothing happened to loses nothing that
//! it said was synced, and says so only of damaged disks.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use volvox_core::fault::DiskFault;
use volvox_core::{Duration, Encode, Incarnation, NodeId, Part, Position, Reader, Restored, Rng};
use volvox_disk::{
    AppendError, CheckpointError, Faults, Identity, Log, Options, Outcome, Recovered, SimulatedDirectory,
};
use volvox_replica::Record;
use volvox_sim::{Counts, Finished, Latency, Recovery, Storage, StorageError, Write};

/// The cluster that all disks belong to.
const CLUSTER: u64 = 7;
/// A lying disk does so with this many of a million writes, for a while.
const LIES_PPM: u32 = 200_000;

/// All disks of a run.
#[derive(Clone, Default)]
pub struct Disks(Rc<RefCell<BTreeMap<NodeId, Rc<RefCell<Disk>>>>>);

/// How the disks of a run behave when nothing is wrong.
#[derive(Clone, Debug)]
pub struct DiskModel {
    /// How long a sync takes.
    pub sync: Latency,
    /// How the log uses them.
    pub options: Options,
}

/// One disk.
pub struct Disk {
    model: DiskModel,
    node: NodeId,
    rng: Rng,
    directory: SimulatedDirectory,
    log: Option<Log<SimulatedDirectory>>,
    /// Records that are not written yet.
    batch: Batch,
    /// The last record that was handed over.
    handed_over: Position,
    /// Records were written and not yet synced.
    unsynced: bool,
    /// Pieces of checkpoints that wait, each with the last record persisted before it.
    steps: VecDeque<(Position, Step)>,
    /// The disk had no space for the records, or the pieces of checkpoints, that wait.
    records_wait: bool,
    steps_wait: bool,
    slow: Duration,
    full: bool,
    fail_next_sync: bool,
    tear_next_crash: bool,
    /// The last position that was reported durable in this life.
    acknowledged: Position,
    /// Bits flipped, or writes were forgotten or misdirected, in this life.
    damaged: bool,
    counts: Counts,
    problem: Option<String>,
}

/// Encoded records, one behind the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

enum Step {
    Part(Part),
    Install { covers: Position, parts: Vec<u64> },
}

/// The handle that the simulator owns.
struct Handle(Rc<RefCell<Disk>>);

impl Disks {
    /// Makes the disk of a node.
    pub fn make(&self, node: NodeId, model: &DiskModel, seed: u64) -> Box<dyn Storage<Record>> {
        let mut rng = Rng::new(seed).split(node.0);
        let disk = Rc::new(RefCell::new(Disk {
            model: model.clone(),
            node,
            directory: SimulatedDirectory::new(rng.next_u64()),
            rng,
            log: None,
            batch: Batch::default(),
            handed_over: Position::NONE,
            unsynced: false,
            steps: VecDeque::new(),
            records_wait: false,
            steps_wait: false,
            slow: Duration::ZERO,
            full: false,
            fail_next_sync: false,
            tear_next_crash: false,
            acknowledged: Position::NONE,
            damaged: false,
            counts: Counts::default(),
            problem: None,
        }));
        self.0.borrow_mut().insert(node, Rc::clone(&disk));
        Box::new(Handle(disk))
    }

    /// From now on the disk of a node forgets or misdirects some writes, or no longer.
    pub fn lie(&self, node: NodeId, lies: bool) {
        if let Some(disk) = self.0.borrow().get(&node) {
            disk.borrow_mut().lie(lies);
        }
    }

    /// A forbidden behaviour of a disk.
    pub fn problem(&self) -> Option<String> {
        self.0.borrow().iter().find_map(|(node, disk)| {
            disk.borrow().problem.as_ref().map(|problem| format!("the disk of {node}: {problem}"))
        })
    }

    /// The outcomes of restarts, by kind.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for disk in self.0.borrow().values() {
            all.absorb(&disk.borrow().counts);
        }
        all
    }
}

impl Disk {
    fn lie(&mut self, lies: bool) {
        self.damaged |= lies;
        let mut faults = self.faults();
        if lies && self.rng.below(2) == 0 {
            faults.lost_writes_ppm = LIES_PPM;
        } else if lies {
            faults.misdirected_writes_ppm = LIES_PPM;
        }
        self.directory.set_faults(faults);
    }

    fn faults(&self) -> Faults {
        Faults { full: self.full, ..Faults::default() }
    }

    fn take(&mut self, batch: &mut Vec<Write<Record>>) {
        for write in batch.drain(..) {
            match write {
                Write::Record(position, record) => {
                    self.handed_over = position;
                    record.encode(&mut self.batch.bytes);
                    self.batch.ends.push(self.batch.bytes.len());
                }
                Write::Part(part) => self.steps.push_back((self.handed_over, Step::Part(part))),
                Write::CheckpointDone { covers, parts } => {
                    self.steps.push_back((self.handed_over, Step::Install { covers, parts }));
                }
            }
        }
    }

    /// Writes all records that wait, if there is space for them.
    fn write_batch(&mut self) -> Result<(), StorageError> {
        if self.batch.ends.is_empty() {
            return Ok(());
        }
        let ends = &self.batch.ends;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let records = starts.zip(ends).map(|(start, end)| &self.batch.bytes[start..*end]);
        let log = self.log.as_mut().expect("a disk in use has a log");
        match log.write(records) {
            Ok((_, last)) => assert_eq!(last, self.handed_over, "world and log count positions together"),
            Err(AppendError::Full) => {
                if !std::mem::replace(&mut self.records_wait, true) {
                    self.counts.add("records waited for space");
                }
                return Ok(());
            }
            Err(_) => return Err(StorageError::SyncFailed),
        }
        self.batch.bytes.clear();
        self.batch.ends.clear();
        self.records_wait = false;
        self.unsynced = true;
        Ok(())
    }

    fn settle(&mut self) -> Result<Finished, StorageError> {
        if std::mem::take(&mut self.fail_next_sync) {
            self.directory.set_faults(Faults { failed_sync: true, ..self.faults() });
        }
        if !self.unsynced {
            // Writes that waited for space are tried again; new writes are synced at once.
            self.write_batch()?;
        }
        let log = self.log.as_mut().expect("a disk in use has a log");
        if std::mem::take(&mut self.unsynced) {
            log.sync().map_err(|_| StorageError::SyncFailed)?;
            self.acknowledged = log.durable();
        }
        self.take_steps()?;
        let log = self.log.as_mut().expect("a disk in use has a log");
        let is_idle = self.batch.ends.is_empty() && self.steps.is_empty() && self.rng.below(4) == 0;
        let idle = if is_idle { log.write_idle().map(drop) } else { Ok(()) };
        match idle.and_then(|()| log.maintain()) {
            Ok(()) | Err(AppendError::Full) => Ok(self.finished()),
            Err(_) => Err(StorageError::SyncFailed),
        }
    }

    /// Records persisted behind a checkpoint may depend on it, as the log behind an installed snapshot does, and counts
    /// as durable only once the checkpoint is current.
    fn finished(&self) -> Finished {
        if self.batch.ends.is_empty() && self.steps.is_empty() {
            return Finished::All;
        }
        let barrier = self.steps.iter().find(|(_, step)| matches!(step, Step::Install { .. }));
        Finished::Waits { through: barrier.map_or(self.acknowledged, |(after, _)| self.acknowledged.min(*after)) }
    }

    /// Pieces of checkpoints, in order, each behind the records before it. On a full disk they wait.
    fn take_steps(&mut self) -> Result<(), StorageError> {
        while let Some((_, step)) = self.steps.front().filter(|(after, _)| *after <= self.acknowledged) {
            let log = self.log.as_mut().expect("a disk in use has a log");
            let result = match step {
                Step::Part(part) => log.write_part(part),
                Step::Install { covers, parts } => log.install_checkpoint(*covers, parts),
            };
            match result {
                Ok(()) => {
                    self.steps.pop_front();
                    self.steps_wait = false;
                }
                Err(CheckpointError::Write(AppendError::Full)) => {
                    if !std::mem::replace(&mut self.steps_wait, true) {
                        self.counts.add("a checkpoint waited for space");
                    }
                    return Ok(());
                }
                Err(CheckpointError::Write(_)) => return Err(StorageError::SyncFailed),
                Err(error) => {
                    self.problem.get_or_insert(format!("refuses a checkpoint: {error}"));
                    return Err(StorageError::SyncFailed);
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self, rng: &mut Rng) {
        // The power may go in the midst of a checkpoint: some of its steps happen, and the one after stops half way.
        if !self.steps.is_empty() && self.log.is_some() && rng.below(2) == 0 {
            let synced = !self.unsynced || self.log.as_mut().is_some_and(|log| log.sync().is_ok());
            let before = self.acknowledged;
            if let (true, Some(log)) = (synced, &self.log) {
                self.acknowledged = log.durable();
            }
            let whole = rng.below(self.steps.len() as u64) as usize;
            let rest = self.steps.split_off(whole);
            if synced && self.take_steps().is_ok() && self.steps.is_empty() {
                self.steps = rest;
                self.directory.set_faults(Faults { failed_sync: true, ..Faults::default() });
                let _ = self.take_steps();
                self.counts.add("power cut in the midst of a checkpoint");
            }
            // It was never acknowledged.
            self.acknowledged = before;
        }
        self.log = None;
        self.forget_unwritten();
        self.fail_next_sync = false;
        let torn = std::mem::take(&mut self.tear_next_crash);
        let torn_sectors_ppm = if torn { 500_000 } else { 0 };
        self.directory.set_faults(Faults { torn_sectors_ppm, ..Faults::default() });
        if torn || rng.below(2) == 0 {
            self.directory.crash(rng.next_u64());
        } else {
            self.directory.kill();
        }
        self.directory.set_faults(Faults::default());
    }

    fn restore(&mut self, give: &mut dyn FnMut(Restored<Record>)) -> Recovery {
        self.directory.set_faults(Faults::default());
        let (log, recovered) = match Log::open(self.directory.clone(), self.model.options.clone()) {
            Ok(opened) => opened,
            Err(error) => {
                self.problem.get_or_insert(format!("cannot be opened: {error}"));
                return Recovery::Lost;
            }
        };
        let last = Position(recovered.next_position.0 - 1);
        let text = match &recovered.outcome {
            Outcome::Lost(loss) if !self.damaged => {
                self.problem.get_or_insert(format!("nothing happened to it, and it lost: {loss}"));
                "lost records found"
            }
            Outcome::Lost(_) => "lost records found",
            Outcome::Fresh => {
                self.problem.get_or_insert("was in use, and is fresh".to_string());
                "lost records found"
            }
            _ if last < self.acknowledged && !self.damaged => {
                let acknowledged = self.acknowledged;
                self.problem.get_or_insert(format!("said {acknowledged} was synced, and gives back {last}"));
                "lost records found"
            }
            // A disk that lies about its last write cannot be found out (decisions/0009): the node's owner replaces it.
            _ if last < self.acknowledged => "a lie that no later record shows",
            Outcome::TornTail { .. } => "torn tails cut",
            Outcome::Intact => "intact restarts",
        };
        self.counts.add(text);
        if !matches!(text, "torn tails cut" | "intact restarts") {
            self.log = Some(log);
            return Recovery::Lost;
        }
        give_back(&log, recovered, give);
        self.acknowledged = last;
        self.handed_over = last;
        self.damaged = false;
        self.log = Some(log);
        Recovery::Intact { last }
    }

    fn format(&mut self, incarnation: Incarnation) {
        let mut log = match self.log.take() {
            Some(log) => log,
            None => {
                self.directory.erase();
                self.directory.set_faults(Faults::default());
                let opened = Log::open(self.directory.clone(), self.model.options.clone());
                opened.unwrap_or_else(|error| panic!("an empty folder of {} can be opened: {error}", self.node)).0
            }
        };
        let nonce = self.rng.next_u64();
        let identity = Identity { cluster: CLUSTER, node: self.node, incarnation, nonce };
        log.start_life(identity).unwrap_or_else(|error| panic!("a life of {} can begin: {error}", self.node));
        self.log = Some(log);
        self.forget_unwritten();
        self.acknowledged = Position::NONE;
        self.handed_over = Position::NONE;
        self.damaged = false;
    }

    fn forget_unwritten(&mut self) {
        self.batch = Batch::default();
        (self.records_wait, self.steps_wait) = (false, false);
        self.unsynced = false;
        self.steps.clear();
    }

    /// A bit flips at rest, where the log code can notice it: what decisions/0009 excepts is left alone.
    fn flip(&mut self, rng: &mut Rng) {
        const ATTEMPTS: usize = 24;
        let options = &self.model.options;
        let next_of = |directory: SimulatedDirectory| match Log::open(directory, options.clone()) {
            Ok((_, recovered)) if matches!(recovered.outcome, Outcome::Lost(_)) => None,
            Ok((_, recovered)) => Some(recovered.next_position),
            Err(_) => None,
        };
        let intact = next_of(self.directory.fork());
        for attempt in 1..=ATTEMPTS {
            let seed = rng.next_u64();
            let copy = self.directory.fork();
            if copy.flip_bit(seed).is_none() {
                return;
            }
            let found = next_of(copy);
            if found.is_none() || (attempt == ATTEMPTS && found == intact) {
                self.directory.flip_bit(seed);
                self.damaged = true;
                return;
            }
        }
    }
}

fn give_back(log: &Log<SimulatedDirectory>, recovered: Recovered, give: &mut dyn FnMut(Restored<Record>)) {
    for number in &recovered.parts {
        let part = log.read_part(*number).unwrap_or_else(|error| panic!("a part was verified: {error}"));
        give(Restored::Part(part));
    }
    if recovered.covers > Position::NONE || !recovered.parts.is_empty() {
        give(Restored::CheckpointEnd { covers: recovered.covers });
    }
    for (position, bytes) in recovered.records {
        let mut reader = Reader::shared(&bytes);
        let record = volvox_core::Decode::decode(&mut reader);
        let record = record.unwrap_or_else(|error| panic!("record {position} was verified: {error}"));
        give(Restored::Record { position, record });
    }
}

impl Storage<Record> for Handle {
    fn format(&mut self, incarnation: Incarnation) {
        self.0.borrow_mut().format(incarnation);
    }

    fn write(&mut self, batch: &mut Vec<Write<Record>>, rng: &mut Rng) -> Result<Duration, StorageError> {
        let mut disk = self.0.borrow_mut();
        disk.take(batch);
        disk.write_batch()?;
        Ok(Duration::from_nanos(disk.model.sync.draw(rng)) + disk.slow)
    }

    fn finish(&mut self) -> Result<Finished, StorageError> {
        self.0.borrow_mut().settle()
    }

    fn crash(&mut self, rng: &mut Rng) {
        self.0.borrow_mut().crash(rng);
    }

    fn restore(&mut self, give: &mut dyn FnMut(Restored<Record>)) -> Recovery {
        self.0.borrow_mut().restore(give)
    }

    fn fault(&mut self, fault: DiskFault, rng: &mut Rng) {
        let mut disk = self.0.borrow_mut();
        match fault {
            DiskFault::Full => disk.full = true,
            DiskFault::Slow(by) => disk.slow = by,
            DiskFault::FailSync => disk.fail_next_sync = true,
            DiskFault::Flip => disk.flip(rng),
            DiskFault::Tear => disk.tear_next_crash = true,
            DiskFault::Ok => {
                disk.full = false;
                disk.slow = Duration::ZERO;
                disk.fail_next_sync = false;
                disk.tear_next_crash = false;
            }
        }
        let faults = disk.faults();
        disk.directory.set_faults(faults);
    }
}

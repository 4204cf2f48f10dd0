//! The interface of a node's disk to the world.
//!
//! The world writes in batches, one at a time: records persisted while a batch is being written are collected for the
//! next one (group commit). Two implementations exist: [`RecordDisk`] keeps whole records and is for textbook
//! protocols; the laboratory plugs in the real log code over a simulated directory for the services.

use crate::latency::Latency;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use volvox_core::fault::DiskFault;
use volvox_core::{Duration, Incarnation, Part, Position, Restored, Rng};

/// One thing to write, in program order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write<R> {
    /// A record.
    Record(Position, R),
    /// A part of a checkpoint.
    Part(Part),
    /// These parts replace the records up to `covers`.
    CheckpointDone {
        /// The last record that the parts replace.
        covers: Position,
        /// The parts, in their order.
        parts: Vec<u64>,
    },
}

/// Why a disk refuses. The node stops in both cases: its state can no longer be made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageError {
    /// No space is left. Free some, then start the node.
    Full,
    /// A sync failed: the operating system's cache can no longer be trusted. Start the node; it reads what is there.
    SyncFailed,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StorageError::Full => "no space is left",
            StorageError::SyncFailed => "a sync failed",
        })
    }
}

impl std::error::Error for StorageError {}

/// The result of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// All synced records were found.
    Intact {
        /// The last record.
        last: Position,
    },
    /// Records that were synced are gone or damaged. Records returned before this was noticed are discarded, and the
    /// node takes a new incarnation.
    Lost,
}

/// The records that are durable once a sync has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// All records received so far.
    All,
    /// Only the records up to here: the rest waits for space, or depends on a checkpoint that does. The world asks
    /// again.
    Waits {
        /// The last durable record.
        through: Position,
    },
}

/// A node's disk.
pub trait Storage<R> {
    /// Becomes the empty disk of a new incarnation.
    fn format(&mut self, incarnation: Incarnation);

    /// Takes all of `batch` and begins to write and sync it; returns how long that will take. The world calls
    /// [`Storage::finish`] after that span unless the node crashes before.
    ///
    /// # Errors
    /// When the write itself is refused.
    fn write(&mut self, batch: &mut Vec<Write<R>>, rng: &mut Rng) -> Result<Duration, StorageError>;

    /// The sync returns, or a disk that lets something wait is asked again. Returns what is durable.
    ///
    /// # Errors
    /// When it failed: then it is unknown which part of the batch is on the disk.
    fn finish(&mut self) -> Result<Finished, StorageError>;

    /// The power fails, or the process crashes: it is random which part of an unfinished batch is on the disk.
    fn crash(&mut self, rng: &mut Rng);

    /// Reads everything back: the parts of the current checkpoint, [`Restored::CheckpointEnd`], the records after it.
    fn restore(&mut self, give: &mut dyn FnMut(Restored<R>)) -> Recovery;

    /// A fault of the disk begins or ends.
    fn fault(&mut self, fault: DiskFault, rng: &mut Rng);
}

/// Creates the disk of a node when it first needs one.
pub type StorageFactory<R> = Box<dyn FnMut(volvox_core::NodeId) -> Box<dyn Storage<R>>>;

/// A disk that keeps records, not bytes: a batch is on it completely or not at all, and damage is always noticed.
pub struct RecordDisk<R> {
    sync: Latency,
    slow: Duration,
    full: bool,
    fail_next_sync: bool,
    tear_next_crash: bool,
    damaged: bool,
    under_way: Vec<Write<R>>,
    records: VecDeque<(Position, R)>,
    parts: BTreeMap<u64, Part>,
    checkpoint: Option<(Position, Vec<u64>)>,
}

impl<R> RecordDisk<R> {
    /// An empty disk whose syncs take this long.
    pub fn new(sync: Latency) -> RecordDisk<R> {
        RecordDisk {
            sync,
            slow: Duration::ZERO,
            full: false,
            fail_next_sync: false,
            tear_next_crash: false,
            damaged: false,
            under_way: Vec::new(),
            records: VecDeque::new(),
            parts: BTreeMap::new(),
            checkpoint: None,
        }
    }

    fn settle(&mut self) {
        for write in self.under_way.drain(..) {
            match write {
                Write::Record(position, record) => self.records.push_back((position, record)),
                Write::Part(part) => {
                    self.parts.insert(part.number, part);
                }
                Write::CheckpointDone { covers, parts } => {
                    self.parts.retain(|number, _| parts.contains(number));
                    while self.records.front().is_some_and(|(position, _)| *position <= covers) {
                        self.records.pop_front();
                    }
                    self.checkpoint = Some((covers, parts));
                }
            }
        }
    }
}

impl<R: Clone> Storage<R> for RecordDisk<R> {
    fn format(&mut self, _: Incarnation) {
        self.damaged = false;
        self.under_way.clear();
        self.records.clear();
        self.parts.clear();
        self.checkpoint = None;
    }

    fn write(&mut self, batch: &mut Vec<Write<R>>, rng: &mut Rng) -> Result<Duration, StorageError> {
        assert!(self.under_way.is_empty(), "one batch at a time");
        if self.full {
            return Err(StorageError::Full);
        }
        self.under_way.append(batch);
        Ok(Duration::from_nanos(self.sync.draw(rng)) + self.slow)
    }

    fn finish(&mut self) -> Result<Finished, StorageError> {
        if std::mem::take(&mut self.fail_next_sync) {
            return Err(StorageError::SyncFailed);
        }
        self.settle();
        Ok(Finished::All)
    }

    fn crash(&mut self, rng: &mut Rng) {
        // A whole batch may have reached the platter although its sync never returned; half a batch is a torn tail,
        // which a restart cuts off.
        let torn = std::mem::take(&mut self.tear_next_crash);
        if !torn && rng.below(2) == 0 {
            self.settle();
        }
        self.under_way.clear();
    }

    fn restore(&mut self, give: &mut dyn FnMut(Restored<R>)) -> Recovery {
        if self.damaged {
            return Recovery::Lost;
        }
        let mut last = Position::NONE;
        if let Some((covers, parts)) = &self.checkpoint {
            for number in parts {
                let part = self.parts.get(number).expect("a checkpoint names parts that were written");
                give(Restored::Part(part.clone()));
            }
            give(Restored::CheckpointEnd { covers: *covers });
            last = *covers;
        }
        for (position, record) in &self.records {
            give(Restored::Record { position: *position, record: record.clone() });
            last = *position;
        }
        Recovery::Intact { last }
    }

    fn fault(&mut self, fault: DiskFault, _: &mut Rng) {
        match fault {
            DiskFault::Full => self.full = true,
            DiskFault::Slow(by) => self.slow = by,
            DiskFault::FailSync => self.fail_next_sync = true,
            // An empty disk holds no bit that could flip.
            DiskFault::Flip => self.damaged |= !self.records.is_empty() || self.checkpoint.is_some(),
            DiskFault::Tear => self.tear_next_crash = true,
            DiskFault::Ok => {
                self.full = false;
                self.slow = Duration::ZERO;
                self.fail_next_sync = false;
                self.tear_next_crash = false;
            }
        }
    }
}

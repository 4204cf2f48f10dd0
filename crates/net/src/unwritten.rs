//! Records that the process has persisted and the disk does not have yet.

use crate::writer::{Batch, CheckpointStep, Failure, Job, Outcome, Writer};
use std::collections::VecDeque;
use volvox_core::{Duration, Encode, Instant, Position};

/// The loop's side of the disk: one job in progress, the next batch collects.
pub(crate) struct Unwritten {
    writer: Writer,
    /// On the disk.
    durable: Position,
    /// The progress reported to the process.
    told: Position,
    /// For each checkpoint that is not current yet, the last record persisted before it. Records persisted behind it
    /// may rest on it, as the log behind an installed snapshot does, and counts as durable only once it is current.
    barriers: VecDeque<Position>,
    batches: VecDeque<Batch>,
    /// Buffers to use again.
    spare: Option<Batch>,
    /// Pieces of checkpoints, each with the last record persisted before it.
    steps: VecDeque<(Position, CheckpointStep)>,
    under_way: bool,
    /// Encoded records and checkpoint parts that wait or are being written.
    bytes: usize,
    /// A full disk is asked again at these moments: a log that still has room in its segment continues while a
    /// checkpoint has to wait.
    batches_again_at: Option<Instant>,
    steps_again_at: Option<Instant>,
    backoff: Duration,
    idle_at: Option<Instant>,
    /// Batches and checkpoint steps take turns, so that neither starves the other.
    step_is_next: bool,
}

/// The results of the disk.
pub(crate) enum Progress {
    /// The records of the batch are on the disk. Give the batch back with [`Unwritten::recycle`].
    Appended(Batch),
    /// Something else was done.
    Other,
    /// No space is left. The job waits here and is tried again.
    Full,
    /// The node must stop.
    Failed(Failure),
}

const FULL_BACKOFF_MIN: Duration = Duration::from_millis(50);
const FULL_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A batch that was larger gives its memory back.
const SPARE_BYTES_MAX: usize = 4 << 20;

impl Unwritten {
    pub(crate) fn new(writer: Writer, durable: Position) -> Unwritten {
        Unwritten {
            writer,
            durable,
            told: durable,
            barriers: VecDeque::new(),
            batches: VecDeque::new(),
            spare: None,
            steps: VecDeque::new(),
            under_way: false,
            bytes: 0,
            batches_again_at: None,
            steps_again_at: None,
            backoff: FULL_BACKOFF_MIN,
            idle_at: None,
            step_is_next: false,
        }
    }

    /// Encodes a record into the batch that collects.
    pub(crate) fn persist(&mut self, position: Position, record: &impl Encode, batch_bytes_max: usize) {
        if self.batches.back().is_none_or(|batch| batch.records.bytes() >= batch_bytes_max) {
            let batch = self.spare.take().unwrap_or_default();
            self.batches.push_back(Batch { first: position, ..batch });
        }
        let batch = self.batches.back_mut().expect("one was just made");
        self.bytes += batch.records.push(|out| record.encode(out));
        assert_eq!(batch.last(), position, "positions rise by one");
    }

    /// Queues a piece of a checkpoint behind every record up to `after`.
    pub(crate) fn checkpoint(&mut self, after: Position, step: CheckpointStep) {
        self.bytes += step.bytes();
        if matches!(step, CheckpointStep::Install { .. }) {
            self.barriers.push_back(after);
        }
        self.steps.push_back((after, step));
    }

    /// How many bytes wait or are being written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits and nothing is being written.
    pub(crate) fn is_settled(&self) -> bool {
        !self.under_way && self.batches.is_empty() && self.steps.is_empty()
    }

    /// Whether the disk said that it is full, and has not taken anything since.
    pub(crate) fn is_full(&self) -> bool {
        self.batches_again_at.is_some() || self.steps_again_at.is_some()
    }

    /// The results of the disk since the last call; `Err` when its thread is gone.
    pub(crate) fn progress(&mut self, now: Instant, idle_after: Duration) -> Result<Option<Progress>, DiskThreadEnded> {
        if !self.under_way {
            return Ok(None);
        }
        let Some(outcome) = self.writer.outcome() else {
            return if self.writer.has_ended() && !self.writer.has_outcome() { Err(DiskThreadEnded) } else { Ok(None) };
        };
        self.under_way = false;
        Ok(Some(match outcome {
            Outcome::Appended(batch) => {
                self.bytes -= batch.records.bytes();
                self.durable = batch.last();
                self.idle_at = Some(now + idle_after);
                self.succeeded();
                Progress::Appended(batch)
            }
            Outcome::Stepped { bytes, installed } => {
                self.bytes -= bytes;
                if installed {
                    self.barriers.pop_front();
                }
                self.succeeded();
                Progress::Other
            }
            Outcome::IdleWritten => Progress::Other,
            Outcome::Full(job) => {
                let again_at = now + self.backoff;
                self.backoff = (self.backoff * 2).min(FULL_BACKOFF_MAX);
                match job {
                    Job::Append(batch) => {
                        // Nothing of it was written: what is persisted until the next attempt joins it.
                        self.batches.push_front(batch);
                        self.batches_again_at = Some(again_at);
                    }
                    Job::Checkpoint(step) => {
                        self.steps.push_front((Position::NONE, step));
                        self.steps_again_at = Some(again_at);
                    }
                    Job::Idle => self.idle_at = Some(again_at),
                }
                Progress::Full
            }
            Outcome::Failed(failure) => Progress::Failed(failure),
        }))
    }

    /// Up to where the records became durable since this was asked last.
    pub(crate) fn newly_durable(&mut self) -> Option<Position> {
        let through = self.barriers.front().map_or(self.durable, |barrier| self.durable.min(*barrier));
        let is_new = through > self.told;
        self.told = self.told.max(through);
        is_new.then_some(through)
    }

    fn succeeded(&mut self) {
        self.backoff = FULL_BACKOFF_MIN;
    }

    /// Takes back the buffers of a batch that is done.
    pub(crate) fn recycle(&mut self, mut batch: Batch) {
        batch.records.clear();
        if batch.records.capacity() <= SPARE_BYTES_MAX {
            self.spare = Some(batch);
        }
    }

    /// Gives the disk its next job, when it has none in progress.
    pub(crate) fn submit(&mut self, now: Instant) {
        if !self.under_way
            && let Some(job) = self.next_job(now)
        {
            self.under_way = true;
            // Whether the thread still lives is seen by `progress`.
            self.writer.submit(job);
        }
    }

    fn next_job(&mut self, now: Instant) -> Option<Job> {
        let step = self.steps.front().is_some_and(|(after, _)| *after <= self.durable)
            && self.steps_again_at.is_none_or(|at| at <= now);
        let batch = !self.batches.is_empty() && self.batches_again_at.is_none_or(|at| at <= now);
        if step && (self.step_is_next || !batch) {
            self.step_is_next = false;
            self.steps_again_at = None;
            return self.steps.pop_front().map(|(_, step)| Job::Checkpoint(step));
        }
        if batch {
            self.step_is_next = true;
            self.batches_again_at = None;
            return self.batches.pop_front().map(Job::Append);
        }
        if self.batches.is_empty() && self.steps.is_empty() && self.idle_at.is_some_and(|at| at <= now) {
            self.idle_at = None;
            return Some(Job::Idle);
        }
        None
    }

    /// When to look again without having been woken.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.under_way {
            return None;
        }
        let idle_at = if self.batches.is_empty() && self.steps.is_empty() { self.idle_at } else { None };
        [self.batches_again_at, self.steps_again_at, idle_at].into_iter().flatten().min()
    }
}

/// The disk thread ended without saying why: it panicked.
#[derive(Debug)]
pub(crate) struct DiskThreadEnded;

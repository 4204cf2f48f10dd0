//! The disk thread: it owns the log, and does one job after the other.
//!
//! Jobs go down a channel, outcomes return through a queue that wakes the node loop. The loop keeps at most one batch
//! and one piece of a checkpoint in progress; records that are persisted meanwhile collect in the next batch.

use crate::site::Site;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use volvox_core::time::nanos;
use volvox_core::{Part, Position};
use volvox_disk::{AppendError, CheckpointError, Directory, Log};

/// Records on their way to the disk, in the form in which it writes them.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) records: volvox_disk::Batch,
    /// The position of the first.
    pub(crate) first: Position,
}

impl Batch {
    pub(crate) fn last(&self) -> Position {
        Position(self.first.0 + self.records.count() - 1)
    }
}

/// A job for the disk.
pub(crate) enum Job {
    Append(Batch),
    Checkpoint(CheckpointStep),
    Idle,
}

/// One piece of a checkpoint.
pub(crate) enum CheckpointStep {
    Part(Part),
    Install { covers: Position, parts: Vec<u64> },
}

impl CheckpointStep {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            CheckpointStep::Part(part) => part.data.len(),
            CheckpointStep::Install { parts, .. } => parts.len() * size_of::<u64>(),
        }
    }
}

/// The outcome of a job.
pub(crate) enum Outcome {
    Appended(Batch),
    /// A piece of the checkpoint is done.
    Stepped {
        bytes: usize,
        /// The checkpoint is current now.
        installed: bool,
    },
    IdleWritten,
    /// No space is left; the job is returned, to be tried again.
    Full(Job),
    Failed(Failure),
}

/// After this the node must stop.
pub(crate) enum Failure {
    Log(AppendError),
    Checkpoint(CheckpointError),
}

/// The loop's end of the disk thread. Dropping it ends the thread once its job is done.
pub(crate) struct Writer {
    jobs: Sender<Job>,
    outcomes: Arc<Mutex<VecDeque<Outcome>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start<D: Directory + 'static>(log: Log<D>, site: Arc<Site>) -> std::io::Result<Writer> {
        let (jobs, todo) = channel();
        let outcomes = Arc::new(Mutex::new(VecDeque::new()));
        let done = Arc::clone(&outcomes);
        let name = format!("{}-disk", site.me);
        let thread = thread::Builder::new().name(name).spawn(move || work(log, &todo, &done, &site))?;
        Ok(Writer { jobs, outcomes, thread: Some(thread) })
    }

    /// Says whether the thread took it.
    pub(crate) fn submit(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcomes.lock().expect("no panic holds this lock").pop_front()
    }

    pub(crate) fn has_outcome(&self) -> bool {
        !self.outcomes.lock().expect("no panic holds this lock").is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }
}

impl Drop for Writer {
    /// Waits for the job in progress, so that the folder is free again when the node is gone.
    fn drop(&mut self) {
        let (closed, _) = channel();
        self.jobs = closed;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the disk thread panicked");
        }
    }
}

fn work<D: Directory>(mut log: Log<D>, todo: &Receiver<Job>, outcomes: &Mutex<VecDeque<Outcome>>, site: &Site) {
    let mut after_batch = false;
    while let Ok(job) = todo.recv() {
        let was_batch = matches!(job, Job::Append(_));
        let was_checkpoint = matches!(job, Job::Checkpoint(_));
        let began = site.clock.now();
        let outcome = perform(&mut log, job, site);
        let took = site.clock.now().since(began);
        site.disk_busy_nanos.add(nanos(took));
        if was_batch {
            site.batch_writes.add(took);
        } else if was_checkpoint {
            site.checkpoint_writes.add(took);
        }
        let failed = matches!(outcome, Outcome::Failed(_));
        *site.log_counters.lock().expect("no panic holds this lock") = log.counters();
        site.tallies.log_live_bytes.set(log.bytes_since_checkpoint());
        outcomes.lock().expect("no panic holds this lock").push_back(outcome);
        site.wake.notify_one();
        if failed {
            return;
        }
        after_batch |= was_batch;
        // The answer is out; now there is time to prepare the next segment, a bounded step.
        if std::mem::take(&mut after_batch)
            && let Err(error) = log.maintain()
            && !matches!(error, AppendError::Full)
        {
            outcomes.lock().expect("no panic holds this lock").push_back(Outcome::Failed(Failure::Log(error)));
            site.wake.notify_one();
            return;
        }
    }
}

fn perform<D: Directory>(log: &mut Log<D>, mut job: Job, site: &Site) -> Outcome {
    if let Err(error) = inject_disk_faults(site) {
        return match error {
            AppendError::Full => Outcome::Full(job),
            error => Outcome::Failed(Failure::Log(error)),
        };
    }
    let result = match &mut job {
        Job::Append(batch) => log.append_batch(&mut batch.records).map_err(Failure::Log).map(|written| {
            assert_eq!(written, (batch.first, batch.last()), "node and log count positions together");
        }),
        Job::Idle => log.write_idle().map_err(Failure::Log).map(drop),
        Job::Checkpoint(CheckpointStep::Part(part)) => log.write_part(part).map_err(Failure::Checkpoint),
        Job::Checkpoint(CheckpointStep::Install { covers, parts }) => {
            log.install_checkpoint(*covers, parts).map_err(Failure::Checkpoint)
        }
    };
    match (result, job) {
        (Ok(()), Job::Append(batch)) => Outcome::Appended(batch),
        (Ok(()), Job::Checkpoint(step)) => {
            let installed = matches!(step, CheckpointStep::Install { .. });
            Outcome::Stepped { bytes: step.bytes(), installed }
        }
        (Ok(()), Job::Idle) => Outcome::IdleWritten,
        (
            Err(Failure::Log(AppendError::Full) | Failure::Checkpoint(CheckpointError::Write(AppendError::Full))),
            job,
        ) => Outcome::Full(job),
        (Err(failure), _) => Outcome::Failed(failure),
    }
}

/// The faults of the disk, for nodes in development.
fn inject_disk_faults(site: &Site) -> Result<(), AppendError> {
    let faults = site.faults.disk();
    if !faults.slow_by.is_zero() {
        let until = site.clock.now() + faults.slow_by;
        loop {
            let left = until.since(site.clock.now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
    }
    if faults.full {
        return Err(AppendError::Full);
    }
    if faults.fail_sync {
        let source = std::io::Error::other("injected by the fault 'disk failsync'");
        return Err(AppendError::SyncFailed { file: String::from("the log"), source });
    }
    Ok(())
}

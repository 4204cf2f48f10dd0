//! Checkpoints, and restarts from them. A snapshot (`snapshot`) is the same parts on their way to another member.
//!
//! ```text
//!   [ raft's own part ] [ our own part: members, window, counters ] [ the store's parts ... ]
//! ```
//!
//! The store names its parts by their content, so a part in the last manifest is not written again, and one that a
//! follower receives keeps its number. Raft's part has the top bit of its number set, ours the next one.

use super::Replica;
use super::own_part::Own;
use super::watching::Watches;
use crate::message::{Record, Timer};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Part, Restored, decode_all};
use volvox_raft::{Index, Raft, SnapshotMeta};
use volvox_store::{Checkpoint, Restore, Store};

/// The pause between two parts, in which the disk serves the log. A checkpoint is spread over the time in which the log
/// grows towards the next one: parts in quick succession would delay every write after them, on all members at the same
/// time.
const PAUSE: Duration = Duration::from_millis(25);

/// The same once the log has grown by half of the distance to the next checkpoint.
const PAUSE_IN_HASTE: Duration = Duration::from_millis(2);

/// How many parts that are already on disk one step skips.
const KNOWN_PARTS_A_STEP: usize = 256;

/// The checkpoints of this node.
#[derive(Clone, Default)]
pub(super) struct Checkpoints {
    under_way: Option<Checkpointing>,
    /// By how much the log has grown since the last one.
    log_bytes: u64,
    /// The last entry that the last one holds.
    index: Index,
    /// The parts of the last manifest.
    parts_on_disk: BTreeSet<u64>,
    restoring: Restoring,
}

impl Checkpoints {
    /// An entry of this weight was taken from the log.
    pub fn on_applied(&mut self, weight: usize) {
        self.log_bytes += weight as u64;
    }

    /// Whether a part of the last manifest has this number: it is not written again.
    pub fn has_part(&self, number: u64) -> bool {
        self.parts_on_disk.contains(&number)
    }

    /// A snapshot arrives, and takes the place of the checkpoint in progress.
    pub fn abandon(&mut self) {
        self.under_way = None;
    }

    /// A snapshot at this entry is the last checkpoint.
    pub fn on_installed(&mut self, index: Index, parts: BTreeSet<u64>) {
        self.index = index;
        self.log_bytes = 0;
        self.parts_on_disk = parts;
    }
}

/// A checkpoint of this node, in progress.
#[derive(Clone)]
struct Checkpointing {
    meta: SnapshotMeta,
    store: Checkpoint,
    numbers: Vec<u64>,
}

/// The state that a restart has found so far.
#[derive(Clone, Default)]
struct Restoring {
    own: Option<Own>,
    restore: Option<Restore>,
}

impl Replica {
    pub(super) fn own_part(&self) -> Part {
        let own = Own { applied: self.machine.at_applied(), boot: self.boot.number() };
        own.to_part()
    }

    /// Begins a checkpoint when the log has grown enough since the last one: its size decides, never a count.
    pub(super) fn begin_checkpoint_if_due(&mut self, cx: &mut Context<'_, Replica>) {
        let due = self.checkpoints.log_bytes >= self.config.checkpoint_log_bytes;
        let (term, applied) = (self.consensus.raft().term(), self.machine.applied());
        let free = !self.snapshots.is_arriving(term, applied) && self.checkpoints.under_way.is_none();
        if !due || !free || self.machine.applied() <= self.checkpoints.index {
            return;
        }
        self.checkpoints.log_bytes = 0;
        let meta = self.consensus.raft().meta_at(self.machine.applied());
        let own = self.own_part();
        let numbers = alloc::vec![own.number];
        cx.checkpoint(own);
        self.checkpoints.under_way =
            Some(Checkpointing { meta, store: self.machine.store().view().checkpoint(), numbers });
        cx.set_timer(Timer::Checkpoint, self.pause_between_parts());
    }

    /// Writes the next part, or ends the checkpoint.
    pub(super) fn on_checkpoint_step(&mut self, cx: &mut Context<'_, Replica>) {
        let Some(mut checkpointing) = self.checkpoints.under_way.take() else {
            return;
        };
        for _ in 0..KNOWN_PARTS_A_STEP {
            let Some(part) = checkpointing.store.next() else {
                return self.finish_checkpoint(checkpointing, cx);
            };
            let number = part.number();
            checkpointing.numbers.push(number);
            if !self.checkpoints.has_part(number) {
                cx.checkpoint(part.to_part());
                break;
            }
        }
        self.checkpoints.under_way = Some(checkpointing);
        cx.set_timer(Timer::Checkpoint, self.pause_between_parts());
    }

    fn pause_between_parts(&self) -> Duration {
        let in_haste = self.checkpoints.log_bytes >= self.config.checkpoint_log_bytes / 2;
        if in_haste { PAUSE_IN_HASTE } else { PAUSE }
    }

    fn finish_checkpoint(&mut self, done: Checkpointing, cx: &mut Context<'_, Replica>) {
        self.checkpoints.index = done.meta.index;
        self.checkpoints.parts_on_disk = done.numbers.iter().copied().collect();
        self.with_raft(cx, |raft, cx| raft.finish_checkpoint(done.meta, done.numbers, cx));
    }

    /// Restores the state that survived.
    ///
    /// # Panics
    /// When parts or records that the disk vouches for cannot be read: they were written by a newer program.
    pub(super) fn restore(&mut self, restored: Restored<Record>) {
        match restored {
            Restored::Part(part) => self.restore_part(part),
            Restored::CheckpointEnd { covers } => {
                if let Some(own) = self.checkpoints.restoring.own.take() {
                    let restore = self.checkpoints.restoring.restore.take().expect("our part begins the restore");
                    let store =
                        restore.finish().unwrap_or_else(|error| panic!("the checkpoint is not a store: {error:?}"));
                    self.watches = Watches::new(self.config.hub, store.revision());
                    self.boot.on_found(own.boot);
                    self.checkpoints.index = own.applied.index;
                    self.machine.replace(store, own.applied);
                }
                self.consensus.on_restore(Restored::CheckpointEnd { covers });
            }
            Restored::Record { position, record: Record::Raft(record) } => {
                self.consensus.on_restore(Restored::Record { position, record });
            }
            Restored::Record { record: Record::Boot { number }, .. } => self.boot.on_found(number),
        }
    }

    fn restore_part(&mut self, part: Part) {
        if Raft::is_checkpoint_part(&part) {
            return self.consensus.on_restore(Restored::Part(part));
        }
        self.checkpoints.parts_on_disk.insert(part.number);
        if Own::is_in(&part) {
            let own = decode_all(&part.data).unwrap_or_else(|error| panic!("the checkpoint can't be read: {error}"));
            self.checkpoints.restoring.own = Some(own);
            self.checkpoints.restoring.restore = Some(Store::restore(self.config.store()));
        } else {
            let restore = self.checkpoints.restoring.restore.as_mut().expect("our part comes before the store's");
            restore.part(&part).unwrap_or_else(|error| panic!("a checkpoint part can't be read: {error:?}"));
        }
    }
}

//! Checkpoints and snapshots: the same parts, to this node's disk or to a member that needs them.
//!
//! ```text
//!   [ raft's own part ] [ this module's part: members, window, counters ] [ the store's parts ... ]
//! ```
//!
//! The store names its parts by their content, so a part in the last manifest is not written again, and one that a
//! follower receives keeps its number. Raft's part has the top bit of its number set, ours the next one.
//!
//! Only one of the two writes to the disk at a time: while a snapshot is arriving, this node makes no checkpoint.

use super::Replica;
use super::apply::Applied;
use super::watching::Watches;
use crate::members::{Member, Members};
use crate::message::{Record, Timer};
use crate::proposal::Window;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Bytes, Context, Decode, DecodeError, Encode, Incarnation, Part, Reader, Restored, decode_all};
use volvox_raft::{Configuration, Index, Member as RaftMember, Raft, SnapshotMeta, Term};
use volvox_store::{Checkpoint, PartRef, Restore, Store, StoreConfig};

/// The only format so far.
const OWN_PART_VERSION: u8 = 1;

/// Our own parts have this bit set, and not the one above it.
const OWN_PART: u64 = 1 << 62;

/// The pause between two parts, in which the disk serves the log. A checkpoint is spread over the time in which the log
/// grows towards the next one: parts in quick succession would delay every write after them, on all members at the same
/// time.
const PAUSE: Duration = Duration::from_millis(25);

/// The same once the log has grown by half of the distance to the next checkpoint.
const PAUSE_IN_HASTE: Duration = Duration::from_millis(2);

/// How many parts that are already on disk one step skips.
const KNOWN_PARTS_A_STEP: usize = 256;

/// The checkpoints of this node, and the snapshots on their way to and from others.
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
    incoming: Option<Incoming>,
    outgoing: BTreeMap<RaftMember, Outgoing>,
}

impl Checkpoints {
    /// An entry of this weight was taken from the log.
    pub fn on_applied(&mut self, weight: usize) {
        self.log_bytes += weight as u64;
    }

    /// This node no longer leads, and sends no snapshots.
    pub fn stop_sending(&mut self) {
        self.outgoing.clear();
    }
}

/// A checkpoint of this node, in progress.
#[derive(Clone)]
struct Checkpointing {
    meta: SnapshotMeta,
    store: Checkpoint,
    numbers: Vec<u64>,
}

/// A snapshot for another member, pinned until that member has it.
#[derive(Clone)]
struct Outgoing {
    meta: SnapshotMeta,
    own: Part,
    parts: Vec<PartRef>,
}

/// A snapshot from the leader, as far as it has arrived.
#[derive(Clone)]
struct Incoming {
    /// The term in which it began.
    term: Term,
    meta: SnapshotMeta,
    total: u32,
    next: u32,
    own: Own,
    restore: Restore,
    numbers: Vec<u64>,
}

/// The content of our own part.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Own {
    applied: Applied,
    boot: u64,
}

/// The state that a restart has found so far.
#[derive(Clone, Default)]
struct Restoring {
    own: Option<Own>,
    restore: Option<Restore>,
}

/// The frame around the store's parts in the first checkpoint of a cluster that begins with a given store.
pub struct Seed {
    /// The parts before the store's, in this order.
    pub parts: Vec<Part>,
    /// The record behind the checkpoint.
    pub record: Record,
}

/// The checkpoint of a cluster that was never run: these members, each in its first life, have agreed on one entry, and
/// the present store is its outcome. Written into the folder of every member, it forms a cluster that resumes.
pub fn seed(members: &[Member]) -> Seed {
    let (index, term) = (Index(1), Term(1));
    let voter = |member: &Member| RaftMember { node: member.id, incarnation: Incarnation::FIRST };
    let configuration = Configuration::of(members.iter().map(voter));
    let members = Members::formed_of(members);
    let own = Own { applied: Applied { index, term, members, window: Window::default() }, boot: 0 };
    let parts = alloc::vec![Raft::checkpoint_part(&SnapshotMeta { index, term, configuration }), own.to_part()];
    // The entry's term is used: no member may stand for election in it again.
    let record = Record::Raft(volvox_raft::Record::Hard { term, vote: None, commit: index });
    Seed { parts, record }
}

impl Replica {
    fn store_config(&self) -> StoreConfig {
        self.config.store()
    }

    fn own_part(&self) -> Part {
        let own = Own { applied: self.machine.at_applied(), boot: self.boot.number() };
        own.to_part()
    }

    /// Begins a checkpoint when the log has grown enough since the last one: its size decides, never a count.
    pub(super) fn begin_checkpoint_if_due(&mut self, cx: &mut Context<'_, Replica>) {
        let due = self.checkpoints.log_bytes >= self.config.checkpoint_log_bytes;
        // A snapshot whose leader is gone, or that the log has overtaken, never completes.
        let term = self.consensus.raft().term();
        self.checkpoints
            .incoming
            .take_if(|incoming| incoming.term != term || incoming.meta.index <= self.machine.applied());
        let free = self.checkpoints.under_way.is_none() && self.checkpoints.incoming.is_none();
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
            if !self.checkpoints.parts_on_disk.contains(&number) {
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

    /// Consensus wants a part of a snapshot for a member whose entries are no longer in the log.
    pub(super) fn on_snapshot_part_wanted(
        &mut self,
        to: RaftMember,
        index: Option<Index>,
        part: u32,
        cx: &mut Context<'_, Replica>,
    ) {
        let pinned = self.checkpoints.outgoing.get(&to).is_some_and(|outgoing| index == Some(outgoing.meta.index));
        let part = if pinned { part } else { 0 };
        if !pinned {
            let meta = self.consensus.raft().meta_at(self.machine.applied());
            let parts = self.machine.store().view().checkpoint().collect();
            self.checkpoints.outgoing.insert(to, Outgoing { meta, own: self.own_part(), parts });
        }
        let outgoing = &self.checkpoints.outgoing[&to];
        let total = outgoing.parts.len() as u32 + 1;
        let data = match part.checked_sub(1) {
            None => outgoing.own.to_bytes(),
            Some(at) => match outgoing.parts.get(at as usize) {
                Some(part) => part.to_part().to_bytes(),
                None => return cx.note("wants a part that the snapshot does not have", u64::from(part)),
            },
        };
        let meta = outgoing.meta.clone();
        self.with_raft(cx, |raft, cx| raft.send_snapshot_part(to, &meta, part, total, Bytes::from(data), cx));
    }

    /// Releases snapshots that have arrived.
    pub(super) fn release_snapshots(&mut self) {
        if self.checkpoints.outgoing.is_empty() {
            return;
        }
        let progress: Vec<(RaftMember, Index)> =
            self.consensus.raft().progress().map(|(member, matched, _)| (member, matched)).collect();
        let lacks = |member: &RaftMember, index: Index| {
            progress.iter().any(|(other, matched)| other == member && *matched < index)
        };
        self.checkpoints.outgoing.retain(|member, outgoing| lacks(member, outgoing.meta.index));
    }

    /// The next part of a snapshot arrived from the leader.
    pub(super) fn on_snapshot_part(
        &mut self,
        meta: SnapshotMeta,
        part: u32,
        total: u32,
        data: Bytes,
        cx: &mut Context<'_, Replica>,
    ) {
        if let Err(reason) = self.take_snapshot_part(&meta, part, total, &data, cx) {
            cx.note(reason, u64::from(part));
            self.checkpoints.incoming = None;
            self.with_raft(cx, |raft, cx| raft.refuse_snapshot(cx));
        }
    }

    fn take_snapshot_part(
        &mut self,
        meta: &SnapshotMeta,
        part: u32,
        total: u32,
        data: &Bytes,
        cx: &mut Context<'_, Replica>,
    ) -> Result<(), &'static str> {
        let piece: Part = decode_all(data).map_err(|_| "a snapshot part does not decode")?;
        if part == 0 {
            let own: Own = decode_all(&piece.data).map_err(|_| "a snapshot's first part does not decode")?;
            if own.applied.index != meta.index {
                return Err("a snapshot's first part is of another snapshot");
            }
            // Consensus delivers only what the log does not hold.
            assert!(
                meta.index > self.machine.applied(),
                "a snapshot at {} behind {}",
                meta.index,
                self.machine.applied()
            );
            if self.checkpoints.incoming.is_some() {
                cx.note("a snapshot transfer restarts", meta.index.0);
            }
            self.checkpoints.under_way = None;
            let restore = Store::restore(self.store_config());
            let numbers = Vec::new();
            let (term, meta) = (self.consensus.raft().term(), meta.clone());
            self.checkpoints.incoming = Some(Incoming { term, meta, total, next: 1, own, restore, numbers });
        } else {
            let known = &self.checkpoints.parts_on_disk;
            let incoming = self.checkpoints.incoming.as_mut().ok_or("a snapshot part without a first one")?;
            if incoming.meta != *meta || incoming.next != part || incoming.total != total {
                return Err("a snapshot part out of order");
            }
            incoming.restore.part(&piece).map_err(|_| "a snapshot part is damaged")?;
            incoming.numbers.push(piece.number);
            incoming.next += 1;
            if !known.contains(&piece.number) {
                cx.checkpoint(piece);
            }
        }
        if part + 1 == total {
            let incoming = self.checkpoints.incoming.take().ok_or("a snapshot part without a first one")?;
            self.install(incoming, cx)?;
        }
        Ok(())
    }

    /// The whole snapshot has arrived: it replaces the state.
    fn install(&mut self, incoming: Incoming, cx: &mut Context<'_, Replica>) -> Result<(), &'static str> {
        let store = incoming.restore.finish().map_err(|_| "the parts of a snapshot do not make a store")?;
        if incoming.meta.index > self.machine.applied() && store.revision() < self.machine.store().revision() {
            return Err("a snapshot would lose a committed revision");
        }
        // Our own part is rewritten, with this node's boot number.
        let own = Own { boot: self.boot.number(), ..incoming.own };
        let part = own.to_part();
        let mut numbers = alloc::vec![part.number];
        numbers.extend(incoming.numbers);
        let parts: BTreeSet<u64> = numbers.iter().copied().collect();
        cx.checkpoint(part);
        let meta = incoming.meta;
        let mut installed = false;
        self.with_raft(cx, |raft, cx| installed = raft.install_snapshot(meta, numbers, cx));
        if !installed {
            // The log has meanwhile come as far by itself.
            return Ok(());
        }
        let (at, before) = (own.applied.index, self.machine.applied());
        assert!(at > before, "a snapshot at {at} installed over {before}");
        self.watches.on_replaced(store.revision());
        self.machine.replace(store, own.applied);
        self.checkpoints.index = at;
        self.checkpoints.log_bytes = 0;
        self.checkpoints.parts_on_disk = parts;
        self.on_members_changed(cx);
        self.on_writes_skipped(cx);
        self.on_term_applied(self.machine.applied_term(), cx);
        self.finish_ready_reads(cx);
        self.finish_lease_answers(cx);
        self.publish_changes(cx);
        self.leave_if_removed(cx);
        if self.machine.store().is_compacting() {
            cx.set_timer(Timer::Compact, Duration::ZERO);
        }
        Ok(())
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
        if part.number & OWN_PART != 0 {
            let own = decode_all(&part.data).unwrap_or_else(|error| panic!("the checkpoint can't be read: {error}"));
            self.checkpoints.restoring.own = Some(own);
            self.checkpoints.restoring.restore = Some(Store::restore(self.store_config()));
        } else {
            let restore = self.checkpoints.restoring.restore.as_mut().expect("our part comes before the store's");
            restore.part(&part).unwrap_or_else(|error| panic!("a checkpoint part can't be read: {error:?}"));
        }
    }
}

impl Own {
    fn to_part(&self) -> Part {
        let data = Bytes::from(self.to_bytes());
        let number = OWN_PART | (volvox_core::fingerprint_of(&data) as u64 >> 2);
        Part { number, data }
    }
}

impl Encode for Own {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(OWN_PART_VERSION);
        self.applied.index.encode(out);
        self.applied.term.encode(out);
        self.boot.encode(out);
        self.applied.members.encode(out);
        self.applied.window.encode(out);
    }
}

impl Decode for Own {
    fn decode(input: &mut Reader<'_>) -> Result<Own, DecodeError> {
        let version = input.u8()?;
        if version != OWN_PART_VERSION {
            return Err(DecodeError::Unknown("version of a replica's part", u64::from(version)));
        }
        let (index, term) = (Decode::decode(input)?, Decode::decode(input)?);
        let boot = Decode::decode(input)?;
        let (members, window) = (Decode::decode(input)?, Decode::decode(input)?);
        Ok(Own { applied: Applied { index, term, members, window }, boot })
    }
}

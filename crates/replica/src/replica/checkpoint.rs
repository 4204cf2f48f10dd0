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

use crate::members::{Member, Members};
use crate::message::{Record, Timer};
use crate::proposal::Window;
use crate::replica::Replica;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{
    Bytes, Context, Decode, DecodeError, Encode, Incarnation, Part, Process, Reader, Restored, decode_all,
};
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

/// A checkpoint of this node, in progress.
#[derive(Clone)]
pub(crate) struct Checkpointing {
    meta: SnapshotMeta,
    store: Checkpoint,
    numbers: Vec<u64>,
}

/// A snapshot for another member, pinned until that member has it.
#[derive(Clone)]
pub(crate) struct Outgoing {
    meta: SnapshotMeta,
    own: Part,
    parts: Vec<PartRef>,
}

/// A snapshot from the leader, as far as it has arrived.
#[derive(Clone)]
pub(crate) struct Incoming {
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
pub(crate) struct Own {
    applied: Index,
    applied_term: Term,
    boot: u64,
    members: Members,
    window: Window,
}

/// The state that a restart has found so far.
#[derive(Clone, Default)]
pub(crate) struct Restoring {
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
    let own = Own {
        applied: index,
        applied_term: term,
        boot: 0,
        members: Members::formed_of(members),
        window: Window::default(),
    };
    let parts = alloc::vec![Raft::checkpoint_part(&SnapshotMeta { index, term, configuration }), own.to_part()];
    // The entry's term is used: no member may stand for election in it again.
    let record = Record::Raft(volvox_raft::Record::Hard { term, vote: None, commit: index });
    Seed { parts, record }
}

impl Replica {
    fn store_config(&self) -> StoreConfig {
        StoreConfig { quota_bytes: self.config.quota_bytes, max_txn_ops: self.config.txn_ops_max }
    }

    fn own_part(&self) -> Part {
        let own = Own {
            applied: self.applied,
            applied_term: self.applied_term,
            boot: self.boot,
            members: self.members.clone(),
            window: self.window.clone(),
        };
        own.to_part()
    }

    /// Begins a checkpoint when the log has grown enough since the last one: its size decides, never a count.
    pub(crate) fn begin_checkpoint_if_due(&mut self, cx: &mut Context<'_, Replica>) {
        let due = self.log_bytes_since_checkpoint >= self.config.checkpoint_log_bytes;
        // A snapshot whose leader is gone, or that the log has overtaken, never completes.
        let term = self.raft.term();
        self.incoming.take_if(|incoming| incoming.term != term || incoming.meta.index <= self.applied);
        let free = self.checkpointing.is_none() && self.incoming.is_none();
        if !due || !free || self.applied <= self.checkpoint_index {
            return;
        }
        self.log_bytes_since_checkpoint = 0;
        let meta = self.raft.meta_at(self.applied);
        let own = self.own_part();
        let numbers = alloc::vec![own.number];
        cx.checkpoint(own);
        self.checkpointing = Some(Checkpointing { meta, store: self.store.view().checkpoint(), numbers });
        cx.set_timer(Timer::Checkpoint, self.pause_between_parts());
    }

    /// Writes the next part, or ends the checkpoint.
    pub(crate) fn on_checkpoint_step(&mut self, cx: &mut Context<'_, Replica>) {
        let Some(mut checkpointing) = self.checkpointing.take() else {
            return;
        };
        for _ in 0..KNOWN_PARTS_A_STEP {
            let Some(part) = checkpointing.store.next() else {
                return self.finish_checkpoint(checkpointing, cx);
            };
            let number = part.number();
            checkpointing.numbers.push(number);
            if !self.parts_on_disk.contains(&number) {
                cx.checkpoint(part.to_part());
                break;
            }
        }
        self.checkpointing = Some(checkpointing);
        cx.set_timer(Timer::Checkpoint, self.pause_between_parts());
    }

    fn pause_between_parts(&self) -> Duration {
        let in_haste = self.log_bytes_since_checkpoint >= self.config.checkpoint_log_bytes / 2;
        if in_haste { PAUSE_IN_HASTE } else { PAUSE }
    }

    fn finish_checkpoint(&mut self, done: Checkpointing, cx: &mut Context<'_, Replica>) {
        self.checkpoint_index = done.meta.index;
        self.parts_on_disk = done.numbers.iter().copied().collect();
        self.with_raft(cx, |raft, cx| raft.finish_checkpoint(done.meta, done.numbers, cx));
    }

    /// Consensus wants a part of a snapshot for a member whose entries are no longer in the log.
    pub(crate) fn on_snapshot_part_wanted(
        &mut self,
        to: RaftMember,
        index: Option<Index>,
        part: u32,
        cx: &mut Context<'_, Replica>,
    ) {
        let pinned = self.outgoing.get(&to).is_some_and(|outgoing| index == Some(outgoing.meta.index));
        let part = if pinned { part } else { 0 };
        if !pinned {
            let meta = self.raft.meta_at(self.applied);
            let parts = self.store.view().checkpoint().collect();
            self.outgoing.insert(to, Outgoing { meta, own: self.own_part(), parts });
        }
        let outgoing = &self.outgoing[&to];
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
    pub(crate) fn release_snapshots(&mut self) {
        if self.outgoing.is_empty() {
            return;
        }
        let progress: Vec<(RaftMember, Index)> =
            self.raft.progress().map(|(member, matched, _)| (member, matched)).collect();
        let lacks = |member: &RaftMember, index: Index| {
            progress.iter().any(|(other, matched)| other == member && *matched < index)
        };
        self.outgoing.retain(|member, outgoing| lacks(member, outgoing.meta.index));
    }

    /// The next part of a snapshot arrived from the leader.
    pub(crate) fn on_snapshot_part(
        &mut self,
        meta: SnapshotMeta,
        part: u32,
        total: u32,
        data: Bytes,
        cx: &mut Context<'_, Replica>,
    ) {
        if let Err(reason) = self.take_snapshot_part(&meta, part, total, &data, cx) {
            cx.note(reason, u64::from(part));
            self.incoming = None;
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
            if own.applied != meta.index {
                return Err("a snapshot's first part is of another snapshot");
            }
            // Consensus delivers only what the log does not hold.
            assert!(meta.index > self.applied, "a snapshot at {} behind {}", meta.index, self.applied);
            if self.incoming.is_some() {
                cx.note("a snapshot transfer restarts", meta.index.0);
            }
            self.checkpointing = None;
            let restore = Store::restore(self.store_config());
            let numbers = Vec::new();
            let (term, meta) = (self.raft.term(), meta.clone());
            self.incoming = Some(Incoming { term, meta, total, next: 1, own, restore, numbers });
        } else {
            let known = &self.parts_on_disk;
            let incoming = self.incoming.as_mut().ok_or("a snapshot part without a first one")?;
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
            let incoming = self.incoming.take().ok_or("a snapshot part without a first one")?;
            self.install(incoming, cx)?;
        }
        Ok(())
    }

    /// The whole snapshot has arrived: it replaces the state.
    fn install(&mut self, incoming: Incoming, cx: &mut Context<'_, Replica>) -> Result<(), &'static str> {
        let store = incoming.restore.finish().map_err(|_| "the parts of a snapshot do not make a store")?;
        if incoming.meta.index > self.applied && store.revision() < self.store.revision() {
            return Err("a snapshot would lose a committed revision");
        }
        // Our own part is rewritten, with this node's boot number.
        let own = Own { boot: self.boot, ..incoming.own };
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
        assert!(own.applied > self.applied, "a snapshot at {} installed over {}", own.applied, self.applied);
        self.store = store;
        // The half-applied entry is gone with the store; the snapshot contains it completely.
        self.half_applied = None;
        self.hub.on_replaced(self.store.revision());
        self.members = own.members;
        self.window = own.window;
        self.applied = own.applied;
        self.applied_term = own.applied_term;
        self.checkpoint_index = own.applied;
        self.log_bytes_since_checkpoint = 0;
        self.parts_on_disk = parts;
        self.on_members_changed(cx);
        self.on_writes_skipped(cx);
        self.on_term_applied(self.applied_term, cx);
        self.finish_ready_reads(cx);
        self.finish_lease_answers(cx);
        self.publish_changes(cx);
        self.leave_if_removed(cx);
        if self.store.is_compacting() {
            cx.set_timer(Timer::Compact, Duration::ZERO);
        }
        Ok(())
    }

    /// Restores the state that survived.
    ///
    /// # Panics
    /// When parts or records that the disk vouches for cannot be read: they were written by a newer program.
    pub(crate) fn restore(&mut self, restored: Restored<Record>) {
        match restored {
            Restored::Part(part) => self.restore_part(part),
            Restored::CheckpointEnd { covers } => {
                if let Some(own) = self.restoring.own.take() {
                    let restore = self.restoring.restore.take().expect("our part begins the restore");
                    self.store =
                        restore.finish().unwrap_or_else(|error| panic!("the checkpoint is not a store: {error:?}"));
                    self.applied = own.applied;
                    self.applied_term = own.applied_term;
                    self.checkpoint_index = own.applied;
                    self.boot = own.boot;
                    self.members = own.members;
                    self.window = own.window;
                    self.members_list = alloc::sync::Arc::new(self.members.list());
                    self.hub = crate::watch::Hub::new(self.config.hub, self.store.revision());
                }
                self.raft.on_restore(Restored::CheckpointEnd { covers });
            }
            Restored::Record { position, record: Record::Raft(record) } => {
                self.raft.on_restore(Restored::Record { position, record });
            }
            Restored::Record { record: Record::Boot { number }, .. } => self.boot = self.boot.max(number),
        }
    }

    fn restore_part(&mut self, part: Part) {
        if Raft::is_checkpoint_part(&part) {
            return self.raft.on_restore(Restored::Part(part));
        }
        self.parts_on_disk.insert(part.number);
        if part.number & OWN_PART != 0 {
            let own = decode_all(&part.data).unwrap_or_else(|error| panic!("the checkpoint can't be read: {error}"));
            self.restoring.own = Some(own);
            self.restoring.restore = Some(Store::restore(self.store_config()));
        } else {
            let restore = self.restoring.restore.as_mut().expect("our part comes before the store's");
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
        self.applied.encode(out);
        self.applied_term.encode(out);
        self.boot.encode(out);
        self.members.encode(out);
        self.window.encode(out);
    }
}

impl Decode for Own {
    fn decode(input: &mut Reader<'_>) -> Result<Own, DecodeError> {
        let version = input.u8()?;
        if version != OWN_PART_VERSION {
            return Err(DecodeError::Unknown("version of a replica's part", u64::from(version)));
        }
        Ok(Own {
            applied: Decode::decode(input)?,
            applied_term: Decode::decode(input)?,
            boot: Decode::decode(input)?,
            members: Decode::decode(input)?,
            window: Decode::decode(input)?,
        })
    }
}

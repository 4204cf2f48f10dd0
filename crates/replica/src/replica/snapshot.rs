//! Snapshots: the parts of a checkpoint, to a member that needs them, and from the leader to this node.
//!
//! While a snapshot is arriving, this node makes no checkpoint: only one of the two writes to the disk at a time.

use super::Replica;
use super::own_part::Own;
use crate::message::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Bytes, Context, Encode, Part, decode_all};
use volvox_raft::{Index, Member as RaftMember, SnapshotMeta, Term};
use volvox_store::{PartRef, Restore, Store};

/// The snapshots on their way to and from others.
#[derive(Clone, Default)]
pub(super) struct Snapshots {
    incoming: Option<Incoming>,
    outgoing: BTreeMap<RaftMember, Outgoing>,
}

impl Snapshots {
    /// Whether a snapshot is arriving; one whose leader is gone, or that the log has overtaken, never completes.
    pub fn is_arriving(&mut self, term: Term, applied: Index) -> bool {
        self.incoming.take_if(|incoming| incoming.term != term || incoming.meta.index <= applied);
        self.incoming.is_some()
    }

    /// This node no longer leads, and sends none.
    pub fn stop_sending(&mut self) {
        self.outgoing.clear();
    }
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

impl Replica {
    /// Consensus wants a part of a snapshot for a member whose entries are no longer in the log.
    pub(super) fn on_snapshot_part_wanted(
        &mut self,
        to: RaftMember,
        index: Option<Index>,
        part: u32,
        cx: &mut Context<'_, Replica>,
    ) {
        let pinned = self.snapshots.outgoing.get(&to).is_some_and(|outgoing| index == Some(outgoing.meta.index));
        let part = if pinned { part } else { 0 };
        if !pinned {
            let meta = self.consensus.raft().meta_at(self.machine.applied());
            let parts = self.machine.store().view().checkpoint().collect();
            self.snapshots.outgoing.insert(to, Outgoing { meta, own: self.own_part(), parts });
        }
        let outgoing = &self.snapshots.outgoing[&to];
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
        if self.snapshots.outgoing.is_empty() {
            return;
        }
        let progress: Vec<(RaftMember, Index)> =
            self.consensus.raft().progress().map(|(member, matched, _)| (member, matched)).collect();
        let lacks = |member: &RaftMember, index: Index| {
            progress.iter().any(|(other, matched)| other == member && *matched < index)
        };
        self.snapshots.outgoing.retain(|member, outgoing| lacks(member, outgoing.meta.index));
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
            self.snapshots.incoming = None;
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
            if self.snapshots.incoming.is_some() {
                cx.note("a snapshot transfer restarts", meta.index.0);
            }
            self.checkpoints.abandon();
            let restore = Store::restore(self.config.store());
            let numbers = Vec::new();
            let (term, meta) = (self.consensus.raft().term(), meta.clone());
            self.snapshots.incoming = Some(Incoming { term, meta, total, next: 1, own, restore, numbers });
        } else {
            let incoming = self.snapshots.incoming.as_mut().ok_or("a snapshot part without a first one")?;
            if incoming.meta != *meta || incoming.next != part || incoming.total != total {
                return Err("a snapshot part out of order");
            }
            incoming.restore.part(&piece).map_err(|_| "a snapshot part is damaged")?;
            incoming.numbers.push(piece.number);
            incoming.next += 1;
            if !self.checkpoints.has_part(piece.number) {
                cx.checkpoint(piece);
            }
        }
        if part + 1 == total {
            let incoming = self.snapshots.incoming.take().ok_or("a snapshot part without a first one")?;
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
        if !self.with_raft(cx, |raft, cx| raft.install_snapshot(meta, numbers, cx)) {
            // The log has meanwhile come as far by itself.
            return Ok(());
        }
        let (at, before) = (own.applied.index, self.machine.applied());
        assert!(at > before, "a snapshot at {at} installed over {before}");
        self.watches.on_replaced(store.revision());
        self.sessions.on_replaced();
        self.machine.replace(store, own.applied);
        self.checkpoints.on_installed(at, parts);
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
}

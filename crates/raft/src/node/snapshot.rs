//! Checkpoints of this member's log, and snapshots for others (Raft 7).
//!
//! The data is the parent's: it cuts its state into parts, and raft sends, counts and orders them. A part is one
//! message; a few are in flight at a time; the receiver answers each with the part that it wants next, so a transfer
//! continues after a broken link.

use super::membership::Membership;
use super::{Raft, Role, Server};
use crate::configuration::Member;
use crate::index::{Index, NUMBER_MAX, Term};
use crate::interface::Event;
use crate::log::Log;
use crate::message::{Body, PARTS_MAX};
use crate::planted::{self, Bug};
use crate::progress::{Mode, Progress};
use crate::record::{Record, SnapshotMeta};
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{Bytes, Context, Encode, PART_BYTES_MAX, Part, Position};

/// The bit that marks the numbers of raft's own parts.
const OWN_PART: u64 = 1 << 63;

pub(super) fn is_checkpoint_part(part: &Part) -> bool {
    part.number & OWN_PART != 0
}

/// An incoming snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Receiving {
    /// Parts of two senders are never mixed: each may split its state differently.
    from: Member,
    meta: SnapshotMeta,
    total: u32,
    /// The parts before this one have arrived.
    wanted: u32,
}

impl Raft {
    /// Whether a checkpoint part is raft's own; all others are the parent's.
    pub fn is_checkpoint_part(part: &Part) -> bool {
        is_checkpoint_part(part)
    }

    /// Raft's own part of a checkpoint at `meta`, for tools that create one while no node runs.
    pub fn checkpoint_part(meta: &SnapshotMeta) -> Part {
        // The content at an index never changes, so the index names the part.
        Part { number: OWN_PART | meta.index.0, data: Bytes::from(meta.to_bytes()) }
    }

    /// The parent has written all its parts of a checkpoint at `meta` with [`Context::checkpoint`]: adds raft's own,
    /// makes the checkpoint current, and drops the log before it. A checkpoint that is not after the last one is
    /// ignored.
    ///
    /// # Panics
    /// When `meta` is not [`Raft::meta_at`] an entry that the parent was given.
    pub fn finish_checkpoint(&mut self, meta: SnapshotMeta, parts: Vec<u64>, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        if meta.index <= server.checkpoint.index {
            return cx.note("ignored: a checkpoint that is not new", meta.index.0);
        }
        assert!(meta.index <= server.applied, "a checkpoint at {} beyond {}", meta.index, server.applied);
        assert!(meta == server.meta_at(meta.index), "a checkpoint at {meta} that the log does not know");
        let covers = match server.log.position_behind(meta.index) {
            Some(position) => Position(position.0 - 1),
            None => cx.last_position(),
        };
        server.write_checkpoint(meta, covers, parts, cx);
        server.log.trim(server.checkpoint.index, server.config.log_keep_bytes);
    }

    /// The parent has the whole snapshot, in its own parts `parts`: replaces the log, and tells the leader. Returns
    /// whether it did; it does not when the sender is no longer the leader, or the log has meanwhile committed as much.
    pub fn install_snapshot(&mut self, meta: SnapshotMeta, parts: Vec<u64>, cx: &mut Context<'_, Raft>) -> bool {
        let server = &mut self.server;
        let is_complete = |receiving: &mut Receiving| receiving.meta == meta && receiving.wanted == receiving.total;
        let Some(receiving) = server.receiving.take_if(is_complete) else {
            cx.note("ignored: a snapshot that did not arrive", meta.index.0);
            return false;
        };
        let is_here = server.commit_covered(&meta, cx);
        if is_here {
            cx.note("ignored: a snapshot of what the log holds", meta.index.0);
        } else {
            server.replace_log(&meta, parts, cx);
        }
        server.send(receiving.from, Body::Appended { matched: meta.index }, cx);
        !is_here
    }

    /// The parent cannot use the snapshot that arrived: asks the leader for another one.
    pub fn refuse_snapshot(&mut self, cx: &mut Context<'_, Raft>) {
        if let Some(receiving) = self.server.receiving.take() {
            let body = Body::SnapshotReply { index: receiving.meta.index, wanted: 0, refused: true };
            self.server.send(receiving.from, body, cx);
        }
    }

    /// Leader: sends one part of a snapshot, as [`Event::SnapshotPartWanted`] asked for.
    ///
    /// # Panics
    /// When the part cannot be one: larger than a checkpoint part, or not below `total`.
    pub fn send_snapshot_part(
        &mut self,
        to: Member,
        meta: &SnapshotMeta,
        part: u32,
        total: u32,
        data: Bytes,
        cx: &mut Context<'_, Raft>,
    ) {
        assert!(part < total && total <= PARTS_MAX && data.len() <= PART_BYTES_MAX, "part {part} of {total}");
        let Role::Leader(leader) = &mut self.role else { return cx.note("not sent: no longer the leader", 0) };
        let Some(progress) = leader.progress.get_mut(&to) else { return cx.note("not sent: no such member", 0) };
        let Mode::Snapshot(sending) = &mut progress.mode else { return cx.note("not sent: no longer needed", 0) };
        if sending.meta.as_ref() != Some(meta) || sending.total != total {
            if part != 0 {
                return cx.note("not sent: a part of another snapshot", u64::from(part));
            }
            (sending.meta, sending.total) = (Some(meta.clone()), total);
            (sending.arrived, sending.asked) = (0, 1);
        }
        sending.sent = sending.sent.max(part + 1);
        // Waits for nothing: a snapshot holds committed entries only.
        self.server.send_after(Position::NONE, to, Body::Snapshot { meta: meta.clone(), part, total, data }, cx);
        self.want_parts(to, cx);
    }

    /// Leader: the progress of the snapshot.
    pub(super) fn on_snapshot_reply(
        &mut self,
        from: Member,
        index: Index,
        wanted: u32,
        refused: bool,
        cx: &mut Context<'_, Raft>,
    ) {
        let Some(progress) = self.progress_of(from, cx) else { return };
        progress.is_active = true;
        let Mode::Snapshot(sending) = &mut progress.mode else { return };
        if sending.meta.as_ref().is_none_or(|meta| meta.index != index) || wanted > sending.sent {
            return cx.note("ignored: asks for a part of another snapshot", index.0);
        }
        if refused {
            // Sends another one at the next check of the quorum, not in a loop as fast as the link.
            sending.meta = None;
            (sending.total, sending.arrived, sending.asked, sending.sent) = (0, 0, u32::MAX, 0);
            return;
        }
        if wanted < sending.arrived {
            // The receiver has restarted.
            (sending.asked, sending.sent) = (wanted, wanted);
        }
        sending.arrived = wanted;
        self.want_parts(from, cx);
    }

    /// Leader: asks the parent for the parts that the window admits.
    pub(super) fn want_parts(&mut self, to: Member, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&to) else { return };
        want_parts_for(&self.server, to, progress, cx);
    }

    /// Leader: the parent may have forgotten, or have had nothing to send; a receiver that has all parts and is silent
    /// may have crashed before it installed them, and reports it when it sees the last part again.
    pub(super) fn ask_again_for_parts(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        for (member, progress) in &mut leader.progress {
            if let Mode::Snapshot(sending) = &mut progress.mode {
                if sending.total > 0 && sending.arrived == sending.total {
                    sending.arrived = sending.total - 1;
                    sending.sent = sending.arrived;
                }
                sending.asked = sending.sent;
                want_parts_for(&self.server, *member, progress, cx);
            }
        }
    }

    /// Follower: a part of a snapshot (Raft figure 13).
    pub(super) fn on_snapshot(
        &mut self,
        from: Member,
        meta: SnapshotMeta,
        (part, total): (u32, u32),
        data: Bytes,
        cx: &mut Context<'_, Raft>,
    ) {
        let server = &mut self.server;
        let is_possible = part < total && total <= PARTS_MAX && meta.index.0 <= NUMBER_MAX / 2;
        if !is_possible || meta.term > server.term || meta.term == Term::ZERO {
            return cx.note("ignored: an impossible snapshot", meta.index.0);
        }
        if server.commit_covered(&meta, cx) {
            cx.note("a snapshot of what the log holds", meta.index.0);
            return server.send(from, Body::Appended { matched: server.verified }, cx);
        }
        let is_same =
            |receiving: &Receiving| receiving.from == from && receiving.meta == meta && receiving.total == total;
        if part == 0 && !server.receiving.as_ref().is_some_and(is_same) {
            server.receiving = Some(Receiving { from, meta: meta.clone(), total, wanted: 0 });
        }
        let index = meta.index;
        let mut wanted = 0;
        let mut is_next = false;
        if let Some(receiving) = server.receiving.as_mut().filter(|receiving| is_same(receiving)) {
            is_next = receiving.wanted == part;
            receiving.wanted += u32::from(is_next);
            wanted = receiving.wanted;
        }
        // Waits for the term only: a part promises nothing before the whole is installed.
        server.send_after(server.hard_position, from, Body::SnapshotReply { index, wanted, refused: false }, cx);
        if !is_next {
            return;
        }
        // Waits for nothing: it came from outside and reveals nothing about this member.
        cx.emit_after(Position::NONE, Event::SnapshotPart { meta: meta.clone(), part, total, data: data.clone() });
        if server.config.alone && wanted == total {
            self.install_alone(meta, data, cx);
        }
    }

    fn install_alone(&mut self, meta: SnapshotMeta, data: Bytes, cx: &mut Context<'_, Raft>) {
        let part = Part { number: meta.index.0, data: data.clone() };
        cx.checkpoint(part);
        if self.install_snapshot(meta.clone(), vec![meta.index.0], cx) {
            self.server.checkpoint_data = Some(data);
        }
    }

    /// Without a parent: makes a checkpoint of one part at the commit index.
    pub(super) fn on_checkpoint(&mut self, data: Bytes, cx: &mut Context<'_, Raft>) {
        let server = &mut self.server;
        if !server.config.alone || server.applied <= server.checkpoint.index || data.len() > PART_BYTES_MAX {
            return cx.note("ignored: no checkpoint to make", server.applied.0);
        }
        let meta = server.meta_at(server.applied);
        server.checkpoint_data = Some(data.clone());
        cx.checkpoint(Part { number: meta.index.0, data });
        self.finish_checkpoint(meta.clone(), vec![meta.index.0], cx);
    }
}

impl Server {
    /// Whether the log already holds everything that a snapshot covers; then that is committed.
    fn commit_covered(&mut self, meta: &SnapshotMeta, cx: &mut Context<'_, Raft>) -> bool {
        if planted::is(Bug::SnapshotOverLongerLog) {
            return false;
        }
        // Raft 7: an entry with the snapshot's last index and term: it, and what follows it, is kept. The content of a
        // snapshot is committed.
        if self.log.term_at(meta.index) == Some(meta.term) {
            self.verified = self.verified.max(meta.index);
            self.commit_to(meta.index, cx);
        }
        meta.index <= self.commit
    }

    fn replace_log(&mut self, meta: &SnapshotMeta, parts: Vec<u64>, cx: &mut Context<'_, Raft>) {
        self.membership = Membership::new(meta.index, meta.configuration.clone());
        let covers = cx.last_position();
        // The commit index is persisted only after the checkpoint: on a disk that has the one without the other it
        // would commit the old log's entries there.
        self.write_checkpoint(meta.clone(), covers, parts, cx);
        self.commit = meta.index;
        self.applied = meta.index;
        // Later records depend on the snapshot, so no other member may learn of it before the checkpoint is current:
        // worlds do not report a record as durable before a checkpoint that was made before it.
        let rests = cx.persist(Record::Rests { index: meta.index });
        self.log = Log::behind(meta.index, meta.term, rests);
        self.verified = self.verified.max(meta.index);
        let configuration = meta.configuration.clone();
        // Waits for nothing: the snapshot holds committed entries only.
        cx.emit_after(Position::NONE, Event::ConfigurationChanged { configuration, committed: true });
    }

    fn write_checkpoint(
        &mut self,
        meta: SnapshotMeta,
        covers: Position,
        mut parts: Vec<u64>,
        cx: &mut Context<'_, Raft>,
    ) {
        let own = Raft::checkpoint_part(&meta);
        parts.insert(0, own.number);
        cx.checkpoint(own);
        // The truncated records hold the term and the vote: they are written again, after the truncation.
        self.persist_hard(cx);
        cx.checkpoint_done(covers, parts);
        self.membership.forget_before(meta.index);
        self.checkpoint = meta;
    }
}

/// Asks the parent for the parts that the window admits. Without a parent, answers in its place.
pub(super) fn want_parts_for(server: &Server, to: Member, progress: &mut Progress, cx: &mut Context<'_, Raft>) {
    let Mode::Snapshot(sending) = &mut progress.mode else { return };
    while let Some(part) = sending.next_part() {
        sending.asked = part + 1;
        if !server.config.alone {
            let index = sending.meta.as_ref().map(|meta| meta.index);
            // Waits for nothing: a question to the parent.
            cx.emit_after(Position::NONE, Event::SnapshotPartWanted { to, index, part });
            continue;
        }
        let Some(data) = server.checkpoint_data.clone() else { return };
        sending.meta = Some(server.checkpoint.clone());
        (sending.total, sending.sent) = (1, 1);
        let body = Body::Snapshot { meta: server.checkpoint.clone(), part: 0, total: 1, data };
        // Waits for nothing: a snapshot holds committed entries only.
        server.send_after(Position::NONE, to, body, cx);
    }
}

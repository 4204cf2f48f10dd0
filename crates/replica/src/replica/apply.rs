//! Applies committed entries, in order, each once; and handles their consequences.

use crate::members::MemberAction;
use crate::message::Timer;
use crate::proposal::{Action, Origin, Proposal};
use crate::replica::Replica;
use crate::request::{Event, Reply, WatchCommand};
use crate::watch::WatchCreate;
use crate::{Error, StreamId};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::time::Duration;
use volvox_core::{Bytes, Context, NodeId, Position, decode_shared};
use volvox_raft::{Entry, Index, Payload, Term};
use volvox_store::Command as StoreCommand;

/// The most that one step applies, so that heartbeats and reads continue in between (decisions/0015).
const ENTRIES_A_STEP: usize = 512;
const BYTES_A_STEP: usize = 2 << 20;
/// How many keys of a large delete one step applies.
const KEYS_A_STEP: usize = 2048;

/// The entry that is being applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfApplied {
    index: Index,
    term: Term,
    origin: Option<Origin>,
}

impl Replica {
    /// Applies as much as one step may, and schedules the rest.
    pub(crate) fn apply_some(&mut self, cx: &mut Context<'_, Replica>) {
        if self.has_applied_all() {
            return;
        }
        let mut bytes = 0;
        for _ in 0..ENTRIES_A_STEP {
            if let Some(half) = self.half_applied.take() {
                self.apply_more(half, cx);
                break;
            }
            let Some(entry) = self.committed.pop_front() else {
                break;
            };
            bytes += entry.weight();
            self.apply(entry, cx);
            if bytes >= BYTES_A_STEP {
                break;
            }
        }
        self.publish_changes(cx);
        self.finish_ready_reads(cx);
        self.finish_lease_answers(cx);
        self.start_lease_clock(cx);
        self.hand_over_waiting(cx);
        self.begin_checkpoint_if_due(cx);
        if !self.has_applied_all() {
            cx.set_timer(Timer::Apply, Duration::ZERO);
        }
    }

    pub(crate) fn has_applied_all(&self) -> bool {
        self.committed.is_empty() && self.half_applied.is_none()
    }

    fn apply(&mut self, entry: Entry, cx: &mut Context<'_, Replica>) {
        if entry.index <= self.applied {
            // A snapshot that was installed meanwhile holds it.
            return;
        }
        assert!(entry.index == self.applied.next(), "entry {} after {}", entry.index.0, self.applied.0);
        self.log_bytes_since_checkpoint += entry.weight() as u64;
        let half = HalfApplied { index: entry.index, term: entry.term, origin: None };
        match &entry.payload {
            Payload::Data(data) => self.apply_proposal(data, half, cx),
            _ => self.on_applied(half, cx),
        }
    }

    /// The entry was applied completely; only now does this node count as having applied it.
    fn on_applied(&mut self, entry: HalfApplied, cx: &mut Context<'_, Replica>) {
        self.applied = entry.index;
        if entry.term > self.applied_term {
            self.applied_term = entry.term;
            self.on_term_applied(entry.term, cx);
        }
    }

    /// Continues an entry that is too large for one step. Until it is done, everything else waits, and readers,
    /// watchers and checkpoints see the state before it.
    fn apply_more(&mut self, half: HalfApplied, cx: &mut Context<'_, Replica>) {
        match self.store.apply_more(KEYS_A_STEP) {
            None => self.half_applied = Some(half),
            Some(reply) => {
                let origin = half.origin.expect("an entry of the store has an origin");
                self.window.admit(&origin);
                if self.is_own(&origin) {
                    self.finish_write(origin.sequence, Ok(Reply::Written(reply)), cx);
                }
                self.on_applied(half, cx);
            }
        }
    }

    fn is_own(&self, origin: &Origin) -> bool {
        origin.node == self.id && origin.incarnation == self.config.raft.incarnation
    }

    fn apply_proposal(&mut self, data: &Bytes, entry: HalfApplied, cx: &mut Context<'_, Replica>) {
        // Entries of the log were decoded before they were proposed; an unknown version would make this member's state
        // differ from the others', so it must stop.
        let proposal: Proposal = decode_shared(data)
            .unwrap_or_else(|error| panic!("an entry of the log can't be decoded ({error}): update this node"));
        let origin = proposal.origin;
        let is_own = self.is_own(&origin);
        if self.members.was_removed(origin.node) {
            // The window no longer covers it: a second copy could not be told from the first.
            cx.note("a proposal of a node that was removed", origin.node.0);
            return self.on_applied(entry, cx);
        }
        let first = !self.window.refuses(&origin);
        if !first {
            cx.note("a second copy of a proposal", origin.sequence);
            if is_own {
                // The first copy was answered, unless it was part of a snapshot, or never existed and this one came too
                // late.
                self.finish_write(origin.sequence, Err(Error::Timeout), cx);
            }
            return self.on_applied(entry, cx);
        }
        let begun = match &proposal.action {
            Action::Store(command) => self.store.apply_in_steps(command),
            Action::Member(_) => None,
        };
        if self.store.is_applying() {
            // Nothing may say that it was applied, least of all a checkpoint, before it is.
            cx.note("an entry applied in steps", entry.index.0);
            self.half_applied = Some(HalfApplied { origin: Some(origin), ..entry });
            return;
        }
        self.window.admit(&origin);
        let result = match &proposal.action {
            Action::Store(command) => {
                let result = begun.expect("a command that is not half applied was applied");
                let result = result.map(Reply::Written).map_err(Error::Store);
                self.on_leases_changed(command, cx);
                if matches!(command, StoreCommand::Compact(_)) && self.store.is_compacting() {
                    cx.set_timer(Timer::Compact, Duration::ZERO);
                }
                result
            }
            Action::Member(action) => self.apply_member_action(action, cx),
        };
        if is_own {
            self.finish_write(origin.sequence, result, cx);
        }
        self.on_applied(entry, cx);
    }

    fn apply_member_action(&mut self, action: &MemberAction, cx: &mut Context<'_, Replica>) -> Result<Reply, Error> {
        let added = self.members.apply(action)?;
        if let MemberAction::Remove(id) = action {
            self.window.forget(*id);
            self.joining.remove(id);
        }
        self.on_members_changed(cx);
        self.leave_if_removed(cx);
        self.reconcile(cx);
        Ok(Reply::Members { added, members: self.members.list() })
    }

    /// The table or its Raft configuration changed: readers and the live world must know.
    pub(crate) fn on_members_changed(&mut self, cx: &mut Context<'_, Replica>) {
        self.members_list = Arc::new(self.members.list());
        let members = self.members.list();
        let committed = self.raft.meta_at(self.raft.commit_index()).configuration;
        let counted = self.raft.configuration().members().into_iter().chain(committed.members());
        let leaving: BTreeSet<NodeId> =
            counted.map(|member| member.node).filter(|node| self.members.get(*node).is_none()).collect();
        let leaving = leaving.into_iter().collect();
        cx.emit_after(Position::NONE, Event::MembersChanged { members, leaving });
    }

    /// Hands the changes of this step to the watch hub.
    pub(crate) fn publish_changes(&mut self, cx: &mut Context<'_, Replica>) {
        let changes = self.store.take_events();
        let revision = self.store.revision();
        if !changes.is_empty() {
            self.hub.on_changes(&changes, revision, &mut self.watch_out);
        }
        if self.hub.wants_catch_up() {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    pub(crate) fn on_catch_up(&mut self, cx: &mut Context<'_, Replica>) {
        if self.hub.catch_up(&self.store.view(), &mut self.watch_out) {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    /// Compaction proceeds in small steps between everything else; it never stops the node.
    pub(crate) fn on_compact_step(&mut self, cx: &mut Context<'_, Replica>) {
        const RECORDS_A_STEP: usize = 4096;
        const PAUSE: Duration = Duration::from_millis(2);
        if self.store.compact_step(RECORDS_A_STEP) {
            cx.set_timer(Timer::Compact, PAUSE);
        }
    }

    pub(crate) fn on_watch_command(&mut self, command: WatchCommand, cx: &mut Context<'_, Replica>) {
        let out = &mut self.watch_out;
        match command {
            WatchCommand::Open { stream } => {
                if !self.hub.on_open(stream) {
                    cx.note("too many watch streams", stream.0);
                }
            }
            WatchCommand::Credit { stream, responses } => self.hub.on_credit(stream, responses, out),
            WatchCommand::Create { stream, create } => self.on_watch_create(stream, create),
            WatchCommand::Cancel { stream, watch_id } => self.hub.on_cancel(stream, watch_id, out),
            WatchCommand::Progress { stream } => self.hub.on_progress(stream, out),
            WatchCommand::Close { stream } => self.hub.on_close(stream),
        }
        if self.hub.wants_catch_up() {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    fn on_watch_create(&mut self, stream: StreamId, create: WatchCreate) {
        let view = self.store.view();
        self.hub.on_create(stream, create, &view, &mut self.watch_out);
    }

    pub(crate) fn on_forget(&mut self, ticket: crate::Ticket) {
        self.forget_write(ticket);
        self.forget_read(ticket);
        self.forget_lease_question(ticket);
        self.moving.take_if(|moving| moving.ticket == ticket);
    }
}

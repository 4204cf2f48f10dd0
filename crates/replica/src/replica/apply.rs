//! Applies committed entries, in order, each once; and handles their consequences.

use super::Replica;
use crate::Error;
use crate::members::{Member, MemberAction, Members};
use crate::message::Timer;
use crate::proposal::{Action, Origin, Proposal, Window};
use crate::request::{Event, Reply};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Bytes, Context, NodeId, Position, decode_shared};
use volvox_raft::{Entry, Index, Payload, Term};
use volvox_store::{Access, Change, Command as StoreCommand, Identity, Reply as StoreReply, Store, StoreConfig};

/// The most that one step applies, so that heartbeats and reads continue in between (decisions/0015).
const ENTRIES_A_STEP: usize = 512;
const BYTES_A_STEP: usize = 2 << 20;
/// How many keys of a large delete one step applies.
const KEYS_A_STEP: usize = 2048;

/// The replicated state, and how far the log has been applied to it.
#[derive(Clone)]
pub(super) struct Machine {
    store: Store,
    members: Members,
    /// The same for readers.
    members_list: Arc<Vec<Member>>,
    window: Window,
    /// Committed, not yet applied.
    committed: VecDeque<Entry>,
    /// Taken from `committed`, and not finished yet: `applied` is the one before it.
    half_applied: Option<HalfApplied>,
    applied: Index,
    applied_term: Term,
}

/// The replicated state at an applied entry, beside the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Applied {
    pub index: Index,
    pub term: Term,
    pub members: Members,
    pub window: Window,
}

impl Machine {
    pub fn new(config: StoreConfig) -> Machine {
        Machine {
            store: Store::new(config),
            members: Members::default(),
            members_list: Arc::default(),
            window: Window::default(),
            committed: VecDeque::new(),
            half_applied: None,
            applied: Index::ZERO,
            applied_term: Term::ZERO,
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    pub fn members_list(&self) -> &Arc<Vec<Member>> {
        &self.members_list
    }

    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The last applied entry.
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// Its term.
    pub fn applied_term(&self) -> Term {
        self.applied_term
    }

    /// Entries were committed.
    pub fn on_committed(&mut self, entries: Vec<Entry>) {
        self.committed.extend(entries);
    }

    pub fn has_applied_all(&self) -> bool {
        self.committed.is_empty() && self.half_applied.is_none()
    }

    /// The changes of the store since they were last taken.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.store.take_events()
    }

    /// The content of a checkpoint beside the store.
    pub fn at_applied(&self) -> Applied {
        Applied {
            index: self.applied,
            term: self.applied_term,
            members: self.members.clone(),
            window: self.window.clone(),
        }
    }

    /// A checkpoint or snapshot replaces everything. A half-applied entry is gone with the store; the new state contains it
    /// completely.
    pub fn replace(&mut self, store: Store, applied: Applied) {
        self.store = store;
        self.half_applied = None;
        self.members = applied.members;
        self.members_list = Arc::new(self.members.list());
        self.window = applied.window;
        self.applied = applied.index;
        self.applied_term = applied.term;
    }
}

/// The entry that is being applied.
#[derive(Clone, Copy, Debug)]
struct HalfApplied {
    index: Index,
    term: Term,
    origin: Option<Origin>,
}

impl Replica {
    /// Applies as much as one step may, and schedules the rest.
    pub(super) fn apply_some(&mut self, cx: &mut Context<'_, Replica>) {
        if self.machine.has_applied_all() {
            return;
        }
        let mut bytes = 0;
        for _ in 0..ENTRIES_A_STEP {
            if let Some(half) = self.machine.half_applied.take() {
                self.apply_more(half, cx);
                break;
            }
            let Some(entry) = self.machine.committed.pop_front() else {
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
        if !self.machine.has_applied_all() {
            cx.set_timer(Timer::Apply, Duration::ZERO);
        }
    }

    fn apply(&mut self, entry: Entry, cx: &mut Context<'_, Replica>) {
        if entry.index <= self.machine.applied {
            // A snapshot that was installed meanwhile holds it.
            return;
        }
        assert!(entry.index == self.machine.applied.next(), "entry {} after {}", entry.index.0, self.machine.applied.0);
        self.checkpoints.on_applied(entry.weight());
        let half = HalfApplied { index: entry.index, term: entry.term, origin: None };
        match &entry.payload {
            Payload::Data(data) => self.apply_proposal(data, half, cx),
            _ => self.on_applied(half, cx),
        }
    }

    /// The entry was applied completely; only now does this node count as having applied it.
    fn on_applied(&mut self, entry: HalfApplied, cx: &mut Context<'_, Replica>) {
        self.machine.applied = entry.index;
        if entry.term > self.machine.applied_term {
            self.machine.applied_term = entry.term;
            self.on_term_applied(entry.term, cx);
        }
    }

    /// Continues an entry that is too large for one step. Until it is done, everything else waits, and readers,
    /// watchers and checkpoints see the state before it.
    fn apply_more(&mut self, half: HalfApplied, cx: &mut Context<'_, Replica>) {
        match self.machine.store.apply_more(KEYS_A_STEP) {
            None => self.machine.half_applied = Some(half),
            Some(reply) => {
                let origin = half.origin.expect("an entry of the store has an origin");
                self.machine.window.admit(&origin);
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
        if self.machine.members.was_removed(origin.node) {
            // The window no longer covers it: a second copy could not be told from the first.
            cx.note("a proposal of a node that was removed", origin.node.0);
            return self.on_applied(entry, cx);
        }
        let first = !self.machine.window.refuses(&origin);
        if !first {
            cx.note("a second copy of a proposal", origin.sequence);
            if is_own {
                // The first copy was answered, unless it was part of a snapshot, or never existed and this one came too
                // late.
                self.finish_write(origin.sequence, Err(Error::Timeout), cx);
            }
            return self.on_applied(entry, cx);
        }
        // Users and roles may have changed since the caller was admitted: what they are now decides.
        let identity = &proposal.identity;
        let begun = match &proposal.action {
            Action::Store(command) => self.machine.store.apply_in_steps(identity, command),
            Action::Member(_) => None,
        };
        if self.machine.store.is_applying() {
            // Nothing may say that it was applied, least of all a checkpoint, before it is.
            cx.note("an entry applied in steps", entry.index.0);
            self.machine.half_applied = Some(HalfApplied { origin: Some(origin), ..entry });
            return;
        }
        self.machine.window.admit(&origin);
        let result = match &proposal.action {
            Action::Store(command) => {
                let result = begun.expect("a command that is not half applied was applied");
                let result = match (command, result) {
                    (StoreCommand::Auth(command), Ok(StoreReply::Auth(response))) => {
                        Ok(self.on_auth_changed(command, response, entry.index))
                    }
                    (_, result) => result.map(Reply::Written).map_err(Error::Store),
                };
                self.on_leases_changed(command, cx);
                if matches!(command, StoreCommand::Compact(_)) && self.machine.store.is_compacting() {
                    cx.set_timer(Timer::Compact, Duration::ZERO);
                }
                result
            }
            Action::Member(action) => self.apply_member_action(identity, action, cx),
        };
        if is_own {
            self.finish_write(origin.sequence, result, cx);
        }
        self.on_applied(entry, cx);
    }

    fn apply_member_action(
        &mut self,
        identity: &Identity,
        action: &MemberAction,
        cx: &mut Context<'_, Replica>,
    ) -> Result<Reply, Error> {
        let access = if action.is_of_a_client() { Access::AsRoot } else { Access::Anything };
        self.machine.store.state().authorize(identity, access).map_err(Error::Store)?;
        let added = self.machine.members.apply(action)?;
        if let MemberAction::Remove(id) = action {
            self.machine.window.forget(*id);
            self.membership.forget(*id);
        }
        self.on_members_changed(cx);
        self.leave_if_removed(cx);
        self.reconcile(cx);
        Ok(Reply::Members { added, members: self.machine.members.list() })
    }

    /// The table or its Raft configuration changed: readers and the live world must know.
    pub(super) fn on_members_changed(&mut self, cx: &mut Context<'_, Replica>) {
        self.machine.members_list = Arc::new(self.machine.members.list());
        let members = self.machine.members.list();
        let committed = self.consensus.raft().meta_at(self.consensus.raft().commit_index()).configuration;
        let counted = self.consensus.raft().configuration().members().into_iter().chain(committed.members());
        let leaving: BTreeSet<NodeId> =
            counted.map(|member| member.node).filter(|node| self.machine.members.get(*node).is_none()).collect();
        let leaving = leaving.into_iter().collect();
        cx.emit_after(Position::NONE, Event::MembersChanged { members, leaving });
    }

    /// Compaction proceeds in small steps between everything else; it never stops the node.
    pub(super) fn on_compact_step(&mut self, cx: &mut Context<'_, Replica>) {
        const RECORDS_A_STEP: usize = 4096;
        const PAUSE: Duration = Duration::from_millis(2);
        if self.machine.store.compact_step(RECORDS_A_STEP) {
            cx.set_timer(Timer::Compact, PAUSE);
        }
    }
}

//! One member of the service, as a [`Process`].
//!
//! Everything between a commit and an answer happens here. This file has the state and the dispatch of inputs; the work
//! is in the other modules.

use crate::apply::HalfApplied;
use crate::checkpoint::{Checkpointing, Incoming, Outgoing as OutgoingSnapshot, Restoring};
use crate::config::Config;
use crate::forward::Decided;
use crate::lease_clock::{LeaseClock, TimeLeft};
use crate::leases::{LeaseOrigin, LeaseQuestion};
use crate::members::Members;
use crate::membership::{Leaving, Moving};
use crate::message::{Message, Record, Timer};
use crate::proposal::Window;
use crate::reads::Reads;
use crate::request::{Command, Event, Reply, Request, Ticket};
use crate::view::{Status, View};
use crate::watch::{Hub, StreamId, WatchResponse};
use crate::writes::Writes;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Incarnation, NodeId, Position, Process, Restored, Scratch};
use volvox_raft::{Entry, Event as RaftEvent, Index, Raft, RoleKind, Term, Ticket as RaftTicket};
use volvox_store::{Store, StoreConfig};

/// The interval of checking requests in flight.
const REQUESTS_TICK: Duration = Duration::from_millis(100);
/// The lane of random numbers from which question numbers begin.
const QUESTIONS: u64 = 0x9e57;

/// One member of the service.
#[derive(Clone)]
pub struct Replica {
    pub(crate) id: NodeId,
    pub(crate) config: Config,
    pub(crate) raft: Raft,
    pub(crate) scratch: Scratch<Raft>,
    /// The events of one round, while they are handled.
    spare_events: Vec<(RaftEvent, Position)>,

    pub(crate) store: Store,
    pub(crate) members: Members,
    pub(crate) members_list: Arc<Vec<crate::members::Member>>,
    pub(crate) window: Window,
    /// Committed, not yet applied.
    pub(crate) committed: VecDeque<Entry>,
    /// Taken from `committed`, and not finished yet: `applied` is the one before it.
    pub(crate) half_applied: Option<HalfApplied>,
    pub(crate) applied: Index,
    pub(crate) applied_term: Term,

    /// The boot of this incarnation, and whether its record is durable: before that, nothing is proposed.
    pub(crate) boot: u64,
    pub(crate) boot_position: Position,
    pub(crate) is_booted: bool,

    pub(crate) writes: Writes,
    pub(crate) decided: Decided,
    pub(crate) reads: Reads,
    pub(crate) lease_questions: BTreeMap<u64, LeaseQuestion>,
    pub(crate) next_question: u64,
    /// Answers that wait until this node has applied as much as the leader had.
    pub(crate) lease_answers: BTreeSet<(Index, u64)>,
    pub(crate) lease_reads: BTreeMap<RaftTicket, LeaseOrigin>,
    pub(crate) lease_clock: Option<LeaseClock>,
    pub(crate) leases_expired: u64,
    pub(crate) hub: Hub,
    pub(crate) watch_out: Vec<(StreamId, WatchResponse)>,
    pub(crate) moving: Option<Moving>,

    /// The newest known incarnation of nodes that the Raft configuration does not name in it.
    pub(crate) joining: BTreeMap<NodeId, Incarnation>,
    /// Leader: when the last message from each other member arrived.
    pub(crate) heard: BTreeMap<volvox_raft::Member, volvox_core::Instant>,
    /// Since when the members' table says that this node was removed, and whether that was reported.
    pub(crate) leaving: Leaving,
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_changes: u64,
    pub(crate) proposals_failed: u64,

    pub(crate) checkpointing: Option<Checkpointing>,
    pub(crate) log_bytes_since_checkpoint: u64,
    pub(crate) checkpoint_index: Index,
    /// The parts of the last manifest.
    pub(crate) parts_on_disk: BTreeSet<u64>,
    pub(crate) restoring: Restoring,
    pub(crate) incoming: Option<Incoming>,
    pub(crate) outgoing: BTreeMap<volvox_raft::Member, OutgoingSnapshot>,
}

impl Replica {
    /// Consensus, for invariants and metrics.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// The store, for invariants.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The members as users see them.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The last applied entry.
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// Runs one step of consensus; its events stay in `scratch.events` until [`Replica::settle`].
    pub(crate) fn with_raft(
        &mut self,
        cx: &mut Context<'_, Replica>,
        step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>),
    ) {
        let raft = &mut self.raft;
        cx.scope(&mut self.scratch, |cx| step(raft, cx), Message::Raft, Timer::Raft, Record::Raft);
    }

    /// Handles the events of consensus, until there are no more, and sends what became due.
    fn settle(&mut self, cx: &mut Context<'_, Replica>) {
        while !self.scratch.events.is_empty() {
            let mut events = core::mem::take(&mut self.spare_events);
            core::mem::swap(&mut events, &mut self.scratch.events);
            for (event, _) in events.drain(..) {
                self.on_raft_event(event, cx);
            }
            self.spare_events = events;
            self.apply_some(cx);
        }
        self.flush_watch(cx);
    }

    fn on_raft_event(&mut self, event: RaftEvent, cx: &mut Context<'_, Replica>) {
        match event {
            RaftEvent::Committed { entries } => self.committed.extend(entries),
            RaftEvent::ReadReady { ticket, index } => self.on_read_ready(ticket, index, cx),
            RaftEvent::Refused { ticket, reason } => self.on_refused(ticket, reason, cx),
            RaftEvent::Proposed { .. } => {}
            RaftEvent::RoleChanged { role, leader, .. } => self.on_role_changed(role, leader, cx),
            RaftEvent::ConfigurationChanged { .. } => {
                self.on_members_changed(cx);
                self.reconcile(cx);
                self.leave_if_removed(cx);
            }
            RaftEvent::Transferred { ticket } => self.on_transferred(ticket, cx),
            RaftEvent::Joining { member } => self.on_joining(member, cx),
            RaftEvent::SnapshotPartWanted { to, index, part } => self.on_snapshot_part_wanted(to, index, part, cx),
            RaftEvent::SnapshotPart { meta, part, total, data } => self.on_snapshot_part(meta, part, total, data, cx),
        }
    }

    fn on_role_changed(&mut self, role: RoleKind, leader: Option<NodeId>, cx: &mut Context<'_, Replica>) {
        if leader != self.leader {
            if self.leader.is_some() {
                self.writes.on_leader_lost();
            }
            self.leader = leader;
            self.leader_changes += u64::from(leader.is_some());
            let term = self.raft.term().0;
            // A leader's name reveals nothing that a crash could take back, so it waits for no disk.
            cx.emit_after(Position::NONE, Event::LeaderChanged { term, leader });
        }
        if role != RoleKind::Leader {
            self.lease_clock = None;
            self.drop_lease_reads();
            self.outgoing.clear();
            self.heard.clear();
            cx.cancel_timer(Timer::Leases);
            cx.cancel_timer(Timer::Reconcile);
        }
        if leader.is_some() {
            self.hand_over_waiting(cx);
            self.ask_reads_again(cx);
            self.ask_leases_again(cx);
        }
    }

    /// Sends what the watch hub decided. It reveals only committed changes, which are already durable on a majority, so
    /// it need not wait for this node's disk.
    fn flush_watch(&mut self, cx: &mut Context<'_, Replica>) {
        for (stream, response) in self.watch_out.drain(..) {
            cx.emit_after(Position::NONE, Event::Watch { stream, response });
        }
    }

    /// Answers a request. The result is committed on a majority, or refused without a trace, so it need not wait for
    /// this node's disk.
    pub(crate) fn reply(&self, ticket: Ticket, result: Result<Reply, crate::Error>, cx: &mut Context<'_, Replica>) {
        cx.emit_after(Position::NONE, Event::Reply { ticket, result });
    }

    fn on_requests_tick(&mut self, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        self.expire_writes(now, cx);
        self.expire_reads(now, cx);
        self.expire_lease_questions(now, cx);
        if let Some(moving) = self.moving.take_if(|moving| moving.deadline <= now) {
            self.reply(moving.ticket, Err(crate::Error::TransferTimeout), cx);
        }
        self.hand_over_waiting(cx);
        self.forward_again(now, cx);
        self.ask_reads_again(cx);
        self.ask_leases_again(cx);
        self.release_snapshots();
        self.hear_members(now);
        self.leave_if_removed(cx);
        self.publish_self(cx);
        cx.set_timer(Timer::Requests, REQUESTS_TICK);
    }

    fn on_request(&mut self, ticket: Ticket, request: Request, cx: &mut Context<'_, Replica>) {
        match request {
            Request::Write(command) => self.on_write(ticket, command, cx),
            Request::Read => self.on_read(ticket, cx),
            Request::LeaseKeepAlive { lease } => self.on_lease_question(ticket, lease, true, cx),
            Request::LeaseTimeToLive { lease } => self.on_lease_question(ticket, lease, false, cx),
            Request::MoveLeader { to } => self.on_move_leader(ticket, to, cx),
            Request::Member(request) => self.on_member_request(ticket, request, cx),
        }
    }
}

impl Process for Replica {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = View;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Replica {
        let store = Store::new(StoreConfig { quota_bytes: config.quota_bytes, max_txn_ops: config.txn_ops_max });
        let hub = Hub::new(config.hub, store.revision());
        Replica {
            id,
            config: config.clone(),
            raft: Raft::new(id, members, &config.raft),
            scratch: Scratch::default(),
            spare_events: Vec::new(),
            store,
            members: Members::default(),
            members_list: Arc::default(),
            window: Window::default(),
            committed: VecDeque::new(),
            half_applied: None,
            applied: Index::ZERO,
            applied_term: Term::ZERO,
            boot: 0,
            boot_position: Position::NONE,
            is_booted: false,
            writes: Writes::default(),
            decided: Decided::default(),
            reads: Reads::default(),
            lease_questions: BTreeMap::new(),
            next_question: 0,
            lease_answers: BTreeSet::new(),
            lease_reads: BTreeMap::new(),
            lease_clock: None,
            leases_expired: 0,
            hub,
            watch_out: Vec::new(),
            moving: None,
            joining: BTreeMap::new(),
            heard: BTreeMap::new(),
            leaving: Leaving::default(),
            leader: None,
            leader_changes: 0,
            proposals_failed: 0,
            checkpointing: None,
            log_bytes_since_checkpoint: 0,
            checkpoint_index: Index::ZERO,
            parts_on_disk: BTreeSet::new(),
            restoring: Restoring::default(),
            incoming: None,
            outgoing: BTreeMap::new(),
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        self.restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Replica>) {
        self.boot += 1;
        self.boot_position = cx.persist(Record::Boot { number: self.boot });
        self.writes.start(self.boot);
        // From a random start: the answer to a question from before a restart must not answer a current one.
        self.next_question = cx.rng().split(QUESTIONS).next_u64() >> 1;
        self.with_raft(cx, |raft, cx| raft.on_start(cx));
        cx.set_timer(Timer::Requests, REQUESTS_TICK);
        cx.set_timer(Timer::Progress, self.config.watch_progress_interval);
        // Entries known to be committed are applied before the doors open, however long it takes.
        self.settle(cx);
        while !self.has_applied_all() {
            self.apply_some(cx);
        }
        self.flush_watch(cx);
        self.leave_if_removed(cx);
        if self.store.is_compacting() {
            cx.set_timer(Timer::Compact, Duration::ZERO);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Replica>) {
        match message {
            Message::Raft(message) => self.with_raft(cx, |raft, cx| raft.on_message(from, message, cx)),
            Message::Forward { sequence, term, proposal } => self.on_forward(from, sequence, Term(term), proposal, cx),
            Message::Refused { sequence, term, error } => {
                self.on_forward_refused(from, sequence, Term(term), error, cx);
            }
            Message::LeaseAsk { question, lease, renew } => self.on_lease_ask(from, question, lease, renew, cx),
            Message::LeaseAnswer { question, ttl, granted_ttl, applied } => {
                self.on_lease_answer(from, question, TimeLeft { ttl, granted_ttl }, Index(applied), cx);
            }
        }
        self.settle(cx);
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Replica>) {
        match timer {
            Timer::Raft(timer) => self.with_raft(cx, |raft, cx| raft.on_timer(timer, cx)),
            Timer::Requests => self.on_requests_tick(cx),
            Timer::Apply => self.apply_some(cx),
            Timer::Leases => self.on_lease_tick(cx),
            Timer::CatchUp => self.on_catch_up(cx),
            Timer::Progress => {
                self.hub.on_progress_tick(&mut self.watch_out);
                cx.set_timer(Timer::Progress, self.config.watch_progress_interval);
            }
            Timer::Checkpoint => self.on_checkpoint_step(cx),
            Timer::Compact => self.on_compact_step(cx),
            Timer::Reconcile => self.reconcile(cx),
        }
        self.settle(cx);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Replica>) {
        match command {
            Command::Request { ticket, request } => self.on_request(ticket, request, cx),
            Command::Forget { ticket } => self.on_forget(ticket),
            Command::Watch(command) => self.on_watch_command(command, cx),
        }
        self.settle(cx);
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Replica>) {
        if !self.is_booted && through >= self.boot_position {
            self.is_booted = true;
            self.hand_over_waiting(cx);
        }
        self.with_raft(cx, |raft, cx| raft.on_persisted(through, cx));
        self.settle(cx);
    }

    fn view(&self) -> View {
        let (watchers, watchers_behind) = self.hub.counts();
        View {
            store: self.store.view(),
            status: Status {
                id: self.id,
                cluster: self.config.cluster,
                incarnation: self.config.raft.incarnation,
                term: self.raft.term().0,
                role: self.raft.role(),
                leader: self.raft.leader(),
                is_learner: self.members.get(self.id).is_some_and(|member| member.is_learner),
                votes: self
                    .raft
                    .configuration()
                    .voters
                    .contains(&volvox_raft::Member { node: self.id, incarnation: self.config.raft.incarnation }),
                commit_index: self.raft.commit_index().0,
                applied_index: self.applied.0,
                leader_changes: self.leader_changes,
                quota_bytes: self.config.quota_bytes,
                proposals_pending: self.writes.len() as u64,
                proposals_failed: self.proposals_failed,
                leases_expired: self.leases_expired,
                watchers: watchers as u64,
                watchers_behind: watchers_behind as u64,
                watch_streams: self.hub.stream_count() as u64,
            },
            members: Arc::clone(&self.members_list),
        }
    }
}

//! One member of the service, as a [`Process`].
//!
//! Everything between a commit and an answer happens here. This file has the dispatch of inputs. The state is in parts,
//! one file each: a part owns its fields, which no other file sees, and the handlers that need them are beside it.

mod apply;
mod boot;
mod checkpoint;
mod consensus;
mod forward;
mod leases;
mod membership;
mod own_part;
mod reads;
mod sessions;
mod snapshot;
mod watching;
mod writes;

use crate::config::Config;
use crate::lease_clock::TimeLeft;
use crate::members::Members;
use crate::message::{Message, Record, Timer};
use crate::request::{Command, Event, Reply, Request, Ticket};
use crate::view::{Status, View};
use alloc::sync::Arc;
use apply::Machine;
use boot::Boot;
use checkpoint::Checkpoints;
use consensus::Consensus;
use core::time::Duration;
use forward::Decided;
use leases::Leases;
use membership::Membership;
use reads::Reads;
use sessions::Sessions;
use snapshot::Snapshots;
use volvox_core::{Context, NodeId, Position, Process, Restored};
use volvox_raft::{Event as RaftEvent, Index, Raft, RoleKind, Term};
use volvox_store::{Identity, Store};
use watching::Watches;
use writes::Writes;

pub use own_part::{Seed, seed};

/// The interval of checking requests in flight.
const REQUESTS_TICK: Duration = Duration::from_millis(100);

/// One member of the service. Each of its parts owns its fields, in a file of its own, with the handlers that need them.
#[derive(Clone)]
pub struct Replica {
    id: NodeId,
    config: Config,
    /// Raft, and what it reported.
    consensus: Consensus,
    /// The replicated state, and how far the log has been applied to it.
    machine: Machine,
    /// Which start of the process this is.
    boot: Boot,
    /// Writes of this node's clients.
    writes: Writes,
    /// Leader: what it decided on writes of other nodes.
    decided: Decided,
    /// Reads of this node's clients.
    reads: Reads,
    /// Questions about leases; leader: their clock.
    leases: Leases,
    /// Watch streams of this node's clients.
    watches: Watches,
    /// Which members come, go and answer.
    membership: Membership,
    /// The leader as it was last reported.
    leadership: Leadership,
    /// Clients that logged in.
    sessions: Sessions,
    /// Checkpoints of this node.
    checkpoints: Checkpoints,
    /// Snapshots to and from others.
    snapshots: Snapshots,
}

/// The leader as it was last reported.
#[derive(Clone, Debug, Default)]
struct Leadership {
    leader: Option<NodeId>,
    changes: u64,
}

impl Replica {
    /// Consensus, for invariants and metrics.
    pub fn raft(&self) -> &Raft {
        self.consensus.raft()
    }

    /// The store, for invariants.
    pub fn store(&self) -> &Store {
        self.machine.store()
    }

    /// The members as users see them.
    pub fn members(&self) -> &Members {
        self.machine.members()
    }

    /// The last applied entry.
    pub fn applied(&self) -> Index {
        self.machine.applied()
    }

    /// Handles the events of consensus, until there are no more, and sends what became due.
    fn settle(&mut self, cx: &mut Context<'_, Replica>) {
        while let Some(mut events) = self.consensus.take_events() {
            for (event, _) in events.drain(..) {
                self.on_raft_event(event, cx);
            }
            self.consensus.recycle(events);
            self.apply_some(cx);
        }
        self.flush_watch(cx);
    }

    fn on_raft_event(&mut self, event: RaftEvent, cx: &mut Context<'_, Replica>) {
        match event {
            RaftEvent::Committed { entries } => self.machine.on_committed(entries),
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
        if leader != self.leadership.leader {
            if self.leadership.leader.is_some() {
                self.writes.on_leader_lost();
            }
            self.leadership.leader = leader;
            self.leadership.changes += u64::from(leader.is_some());
            let term = self.raft().term().0;
            // A leader's name reveals nothing that a crash could take back, so it waits for no disk.
            cx.emit_after(Position::NONE, Event::LeaderChanged { term, leader });
        }
        if role != RoleKind::Leader {
            self.stop_lease_clock(cx);
            self.stop_reconciling(cx);
            self.snapshots.stop_sending();
        }
        if leader.is_some() {
            self.hand_over_waiting(cx);
            self.ask_reads_again(cx);
            self.ask_leases_again(cx);
        }
    }

    /// Answers a request. The result is committed on a majority, or refused without a trace, so it need not wait for
    /// this node's disk.
    fn reply(&self, ticket: Ticket, result: Result<Reply, crate::Error>, cx: &mut Context<'_, Replica>) {
        cx.emit_after(Position::NONE, Event::Reply { ticket, result });
    }

    fn on_requests_tick(&mut self, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        self.expire_writes(now, cx);
        self.expire_reads(now, cx);
        self.expire_lease_questions(now, cx);
        self.expire_transfer(now, cx);
        self.expire_tokens(now);
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
            Request::Write(command) => self.on_write(ticket, Identity::Anonymous, command, cx),
            Request::ForUser { user, request } => match *request {
                Request::Write(command) => self.on_write(ticket, Identity::User(user), command, cx),
                Request::Member(request) => self.on_member_request(ticket, Identity::User(user), request, cx),
                other => self.on_request(ticket, other, cx),
            },
            Request::UseToken { token } => self.on_token_used(ticket, &token, cx),
            Request::Read => self.on_read(ticket, cx),
            Request::LeaseKeepAlive { lease } => self.on_lease_question(ticket, lease, true, cx),
            Request::LeaseTimeToLive { lease } => self.on_lease_question(ticket, lease, false, cx),
            Request::MoveLeader { to } => self.on_move_leader(ticket, to, cx),
            Request::Member(request) => self.on_member_request(ticket, Identity::Anonymous, request, cx),
        }
    }

    fn on_forget(&mut self, ticket: Ticket) {
        self.forget_write(ticket);
        self.forget_read(ticket);
        self.forget_lease_question(ticket);
        self.membership.forget_transfer(ticket);
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
        let machine = Machine::new(config.store());
        Replica {
            id,
            config: config.clone(),
            consensus: Consensus::new(id, members, &config.raft),
            boot: Boot::none(),
            writes: Writes::default(),
            decided: Decided::default(),
            reads: Reads::default(),
            leases: Leases::default(),
            watches: Watches::new(config.hub, machine.store().revision()),
            membership: Membership::default(),
            leadership: Leadership::default(),
            sessions: Sessions::default(),
            checkpoints: Checkpoints::default(),
            snapshots: Snapshots::default(),
            machine,
        }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        self.restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Replica>) {
        self.boot.begin(cx);
        self.writes.start(self.boot.number());
        self.leases.start(cx.rng());
        self.sessions.start(self.consensus.raft().last_index());
        self.with_raft(cx, |raft, cx| raft.on_start(cx));
        cx.set_timer(Timer::Requests, REQUESTS_TICK);
        cx.set_timer(Timer::Progress, self.config.watch_progress_interval);
        // Entries known to be committed are applied before the doors open, however long it takes.
        self.settle(cx);
        while !self.machine.has_applied_all() {
            self.apply_some(cx);
        }
        self.flush_watch(cx);
        self.leave_if_removed(cx);
        if self.machine.store().is_compacting() {
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
                self.watches.on_progress_tick();
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
        if self.boot.on_persisted(through) {
            self.hand_over_waiting(cx);
        }
        self.with_raft(cx, |raft, cx| raft.on_persisted(through, cx));
        self.settle(cx);
    }

    fn view(&self) -> View {
        let (raft, machine, hub) = (self.raft(), &self.machine, self.watches.hub());
        let (watchers, watchers_behind) = hub.counts();
        View {
            store: machine.store().view(),
            status: Status {
                id: self.id,
                cluster: self.config.cluster,
                incarnation: self.config.raft.incarnation,
                term: raft.term().0,
                role: raft.role(),
                leader: raft.leader(),
                is_learner: machine.members().get(self.id).is_some_and(|member| member.is_learner),
                votes: raft.configuration().voters.contains(&raft.member()),
                commit_index: raft.commit_index().0,
                applied_index: machine.applied().0,
                leader_changes: self.leadership.changes,
                quota_bytes: self.config.quota_bytes,
                proposals_pending: self.writes.len() as u64,
                proposals_failed: self.writes.failed(),
                leases_expired: self.leases.expired(),
                watchers: watchers as u64,
                watchers_behind: watchers_behind as u64,
                watch_streams: hub.stream_count() as u64,
            },
            members: Arc::clone(machine.members_list()),
            tokens: Arc::clone(self.sessions.tokens()),
        }
    }
}

//! One member, in one of the roles of Raft 5.1.
//!
//! `Server` is the state that a member has in every role; each role is a struct with the state that only this role
//! needs. The handlers of [`Process`] are here; the functions that they call are in one file per role or mechanism.

mod candidate;
mod follower;
mod leader;
mod membership;
mod read;
mod restore;
mod server;
mod snapshot;
mod transfer;

use crate::configuration::{Configuration, Member};
use crate::entry::Entry;
use crate::index::{Index, NUMBER_MAX, Term};
use crate::interface::{Command, Config, Event, Refusal, RoleKind, Status, Timer};
use crate::message::{Body, Message};
use crate::record::{Record, SnapshotMeta};
use candidate::Candidate;
use core::mem;
use core::time::Duration;
use follower::Follower;
use leader::Leader;
use server::Server;
use volvox_core::{Context, NodeId, Position, Process, Restored};

/// One member of a Raft cluster.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Raft {
    server: Server,
    role: Role,
    /// The state last reported to the outside.
    announced: Option<(Term, RoleKind, Option<NodeId>)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Role {
    Follower(Follower),
    Candidate(Candidate),
    Leader(Leader),
}

impl Process for Raft {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = Status;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Raft {
        let server = Server::new(id, members, config);
        Raft { server, role: Role::Follower(Follower::default()), announced: None }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        self.server.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Raft>) {
        self.start(cx);
        self.announce(cx);
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Raft>) {
        self.on_envelope(from, message, cx);
        self.announce(cx);
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Raft>) {
        match timer {
            Timer::Election => self.on_election_timer(cx),
            Timer::Heartbeat => self.on_heartbeat_timer(cx),
            Timer::Transfer => self.on_transfer_timer(cx),
            Timer::Read => self.on_read_timer(cx),
            Timer::Gather => self.on_gather_timer(cx),
        }
        self.announce(cx);
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Raft>) {
        match command {
            Command::Propose { ticket, data } => self.on_propose(ticket, data, cx),
            Command::Read { ticket } => self.on_read(ticket, cx),
            Command::Change { ticket, voters, learners } => self.on_change(ticket, &voters, &learners, cx),
            Command::Transfer { ticket, to } => self.on_transfer(ticket, to, cx),
            Command::Checkpoint { data } => self.on_checkpoint(data, cx),
        }
        self.announce(cx);
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Raft>) {
        self.server.log.persisted(through);
        match &self.role {
            Role::Follower(_) => self.acknowledge(cx),
            Role::Candidate(_) => self.on_own_vote_persisted(through, cx),
            Role::Leader(_) => self.advance_commit(cx),
        }
        self.announce(cx);
    }

    fn view(&self) -> Status {
        Status {
            term: self.term(),
            role: self.role(),
            leader: self.leader(),
            commit: self.commit_index(),
            last: self.last_index(),
        }
    }
}

impl Raft {
    /// The current term.
    pub fn term(&self) -> Term {
        self.server.term
    }

    /// The role.
    pub fn role(&self) -> RoleKind {
        match &self.role {
            Role::Follower(_) => RoleKind::Follower,
            Role::Candidate(candidate) if candidate.is_asking() => RoleKind::PreCandidate,
            Role::Candidate(_) => RoleKind::Candidate,
            Role::Leader(_) => RoleKind::Leader,
        }
    }

    /// The leader, if known.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower(follower) => follower.leader.map(|leader| leader.node),
            Role::Candidate(_) => None,
            Role::Leader(_) => Some(self.server.me.node),
        }
    }

    /// This member.
    pub fn member(&self) -> Member {
        self.server.me
    }

    /// The candidate that this member voted for in the current term.
    pub fn vote(&self) -> Option<Member> {
        self.server.vote
    }

    /// The commit index.
    pub fn commit_index(&self) -> Index {
        self.server.commit
    }

    /// The last entry that the current checkpoint holds.
    pub fn checkpoint_index(&self) -> Index {
        self.server.checkpoint.index
    }

    /// The last entry of the log.
    pub fn last_index(&self) -> Index {
        self.server.log.last_index()
    }

    /// The index of the first entry in memory, or of the next one.
    pub fn first_index(&self) -> Index {
        self.server.log.first_index()
    }

    /// The last index of the log that is known to be durable here.
    pub fn durable_index(&self) -> Index {
        self.server.log.durable()
    }

    /// The entry at `index`, if it is in memory.
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.server.log.entry(index)
    }

    /// The term of the entry at `index`, if known.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        self.server.log.term_at(index)
    }

    /// The configuration in force: the last one in the log, committed or not (Raft 6).
    pub fn configuration(&self) -> &Configuration {
        self.server.membership.active()
    }

    /// The weight of the entries in memory, in bytes.
    pub fn log_bytes(&self) -> usize {
        self.server.log.weight()
    }

    /// Leader: each other member, with the index up to which its durable log agrees with ours, and whether it answered
    /// lately.
    pub fn progress(&self) -> impl Iterator<Item = (Member, Index, bool)> {
        let leader = match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Follower(_) | Role::Candidate(_) => None,
        };
        leader.into_iter().flat_map(Leader::followers)
    }

    /// Term and configuration at a committed index that is not behind the last checkpoint.
    ///
    /// # Panics
    /// When the index is not in that range.
    pub fn meta_at(&self, index: Index) -> SnapshotMeta {
        self.server.meta_at(index)
    }

    /// Sends what is due to all followers: at once, or once at the end of this turn.
    fn send_soon(&mut self, cx: &mut Context<'_, Raft>) {
        if !self.server.config.gather {
            self.send_due(cx);
        } else if !mem::replace(&mut self.server.gathers, true) {
            cx.set_timer(Timer::Gather, Duration::ZERO);
        }
    }

    fn on_gather_timer(&mut self, cx: &mut Context<'_, Raft>) {
        self.server.gathers = false;
        self.send_due(cx);
    }

    fn send_due(&mut self, cx: &mut Context<'_, Raft>) {
        match &self.role {
            Role::Leader(_) => {
                self.replicate_to_all(cx);
                self.begin_read_round(cx);
            }
            Role::Follower(_) => self.ask_for_read_index(cx),
            Role::Candidate(_) => {}
        }
    }

    fn on_envelope(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Raft>) {
        let server = &self.server;
        let sender = Member { node: from, incarnation: message.from };
        let meant_for_me = message.to.0 == 0 || message.to == server.me.incarnation;
        if !meant_for_me {
            return self.on_message_for_another(from, message.to, cx);
        }
        if from == server.me.node || message.from.0 == 0 || message.term.0 > NUMBER_MAX / 2 {
            return cx.note("ignored: an impossible envelope", message.term.0);
        }
        if message.body == Body::Join {
            return self.on_join(sender, cx);
        }
        if message.term < server.term {
            return self.on_stale_message(sender, &message, cx);
        }
        // Before the term is examined: a server that hears from the leader must not be disturbed by one that does not
        // (thesis 4.2.3).
        let asks_for_vote = matches!(message.body, Body::PreVote { .. } | Body::Vote { transfer: false, .. });
        if asks_for_vote && self.hears_leader(cx) {
            return cx.note("ignored: a leader is alive", 0);
        }
        // Raft 5.1: a server that learns of a later term adopts it, and becomes a follower.
        if message.term > self.server.term {
            self.become_follower(message.term, None, cx);
        }
        self.on_body(sender, message.body, cx);
    }

    /// A message of the current term.
    fn on_body(&mut self, from: Member, body: Body, cx: &mut Context<'_, Raft>) {
        match body {
            Body::PreVote { last_index, last_term } => self.on_pre_vote(from, last_index, last_term, cx),
            Body::PreVoteReply { granted } => self.on_vote_reply(from, true, granted, cx),
            Body::Vote { last_index, last_term, .. } => self.on_vote(from, last_index, last_term, cx),
            Body::VoteReply { granted } => self.on_vote_reply(from, false, granted, cx),
            Body::Append { prev_index, prev_term, entries, commit } => {
                if self.follow(from, cx) {
                    self.on_append(from, (prev_index, prev_term), entries, commit, cx);
                }
            }
            Body::Heartbeat { commit, round } => {
                if self.follow(from, cx) {
                    self.on_heartbeat(from, commit, round, cx);
                }
            }
            Body::Snapshot { meta, part, total, data } => {
                if self.follow(from, cx) {
                    self.on_snapshot(from, meta, (part, total), data, cx);
                }
            }
            Body::TimeoutNow => {
                if self.follow(from, cx) {
                    self.on_timeout_now(cx);
                }
            }
            Body::Appended { matched } => self.on_appended(from, matched, cx),
            Body::Conflict { prev_index, conflict_term, conflict_index } => {
                self.on_conflict(from, prev_index, conflict_term, conflict_index, cx);
            }
            Body::HeartbeatReply { round, verified, durable } => {
                self.on_heartbeat_reply(from, round, verified, durable, cx);
            }
            Body::ReadIndex { id } => self.on_read_index(from, id, cx),
            Body::ReadIndexReply { id, index } => self.on_read_index_reply(from, id, index, cx),
            Body::SnapshotReply { index, wanted, refused } => self.on_snapshot_reply(from, index, wanted, refused, cx),
            Body::ForwardJoin { member } => self.on_forward_join(from, member, cx),
            // The envelope contains everything.
            Body::Stale | Body::Join => {}
        }
    }

    /// A message of an earlier term: its sender must learn that, or a deposed leader would lead forever.
    fn on_stale_message(&mut self, from: Member, message: &Message, cx: &mut Context<'_, Raft>) {
        let answer = match message.body {
            Body::PreVote { .. } => Body::PreVoteReply { granted: false },
            Body::Vote { .. } => Body::VoteReply { granted: false },
            Body::Append { .. }
            | Body::Heartbeat { .. }
            | Body::Snapshot { .. }
            | Body::TimeoutNow
            | Body::ReadIndex { .. } => Body::Stale,
            _ => return cx.note("ignored: an answer to an earlier term", message.term.0),
        };
        self.server.send(from, answer, cx);
    }

    /// Reports to the outside when term, role or leader have changed.
    fn announce(&mut self, cx: &mut Context<'_, Raft>) {
        let now = (self.term(), self.role(), self.leader());
        if self.announced == Some(now) {
            return;
        }
        self.announced = Some(now);
        let (term, role, leader) = now;
        cx.emit(Event::RoleChanged { term, role, leader });
        self.on_leader_known(leader, cx);
    }

    fn not_leader(&self) -> Refusal {
        Refusal::NotLeader { leader: self.leader() }
    }
}

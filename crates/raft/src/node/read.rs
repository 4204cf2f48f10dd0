//! Reads without the log (Raft 8, thesis 6.4).
//!
//! A leader that wants to answer a read must know that it still is the leader: another may have been elected without
//! its knowledge, and may have committed entries that it does not know. So it records its commit index, asks all
//! members, and answers once a quorum of this term has replied. One round of heartbeats serves all reads that wait for
//! one.

use super::{Leader, Raft, Role, Server};
use crate::configuration::Member;
use crate::index::Index;
use crate::interface::{Event, Refusal, Ticket, Timer};
use crate::message::Body;
use crate::planted::{self, Bug};
use alloc::vec::Vec;
use core::mem;
use volvox_core::{Context, Position};

/// The reads on a leader.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct LeaderReads {
    /// The reads that wait for the next round.
    waiting: Vec<Reader>,
    /// The reads that wait for the current round.
    confirming: Vec<Reader>,
    /// The current round.
    round: u64,
    /// The commit index when it began.
    index: Index,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reader {
    Own(Ticket),
    Follower(Member, u64),
}

/// The reads on a follower. One question to the leader serves all that wait when it is sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct FollowerReads {
    waiting: Vec<Ticket>,
    asked: Option<Asked>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Asked {
    /// Random, so that an answer to a question from before a restart does not answer this one.
    id: u64,
    tickets: Vec<Ticket>,
    /// How often the question was sent.
    times: u32,
}

impl Raft {
    pub(super) fn on_read(&mut self, ticket: Ticket, cx: &mut Context<'_, Raft>) {
        let limit = self.server.config.reads_waiting_max;
        match &mut self.role {
            Role::Leader(leader) if leader.reads.len() < limit => {
                leader.reads.waiting.push(Reader::Own(ticket));
                self.read_soon(cx);
            }
            Role::Follower(follower) if follower.leader.is_some() && follower.reads.len() < limit => {
                follower.reads.waiting.push(ticket);
                self.read_soon(cx);
            }
            Role::Follower(follower) if follower.leader.is_none() => {
                self.server.refuse(ticket, Refusal::NotLeader { leader: None }, cx);
            }
            Role::Candidate(_) => self.server.refuse(ticket, Refusal::NotLeader { leader: None }, cx),
            Role::Leader(_) | Role::Follower(_) => self.server.refuse(ticket, Refusal::TooMany, cx),
        }
    }

    /// Leader: a follower asks.
    pub(super) fn on_read_index(&mut self, from: Member, id: u64, cx: &mut Context<'_, Raft>) {
        let limit = self.server.config.reads_waiting_max;
        let Role::Leader(leader) = &mut self.role else {
            return cx.note("ignored: asks a follower for a read index", from.node.0);
        };
        // A follower asks one question at a time: a new one, or the same again, replaces the one that waits.
        leader.reads.waiting.retain(|reader| !matches!(reader, Reader::Follower(other, _) if *other == from));
        if leader.reads.len() >= limit {
            return cx.note("ignored: too many reads wait", limit as u64);
        }
        leader.reads.waiting.push(Reader::Follower(from, id));
        self.read_soon(cx);
    }

    /// Asks for all waiting reads: at once, or at the end of this turn, when more may wait.
    fn read_soon(&mut self, cx: &mut Context<'_, Raft>) {
        match &self.role {
            _ if self.server.config.gather => self.send_soon(cx),
            Role::Leader(_) => self.begin_read_round(cx),
            Role::Follower(_) | Role::Candidate(_) => self.ask_for_read_index(cx),
        }
    }

    /// Leader: asks for a confirmation for all waiting reads, unless a round is in progress.
    pub(super) fn begin_read_round(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let reads = &mut leader.reads;
        // Raft 8: until an entry of its own term is committed, a leader does not know what is.
        if reads.waiting.is_empty() || !reads.confirming.is_empty() || self.server.commit < leader.first_entry {
            return;
        }
        mem::swap(&mut reads.waiting, &mut reads.confirming);
        reads.index = self.server.commit;
        let round = self.send_heartbeats(cx);
        let Role::Leader(leader) = &mut self.role else { return };
        leader.reads.round = round;
        self.confirm_reads(cx);
    }

    /// Leader: answers the reads whose round a quorum has confirmed.
    pub(super) fn confirm_reads(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (server, reads, progress) = (&self.server, &mut leader.reads, &leader.progress);
        if reads.confirming.is_empty() {
            return;
        }
        let is_confirmed = server.configuration().is_quorum(|member| {
            member == server.me || progress.get(&member).is_some_and(|progress| progress.round >= reads.round)
        });
        if !is_confirmed && !planted::is(Bug::ReadWithoutConfirming) {
            return;
        }
        let index = reads.index;
        for reader in reads.confirming.drain(..) {
            // Waits for nothing: what is revealed, the commit index, is on the disks of a quorum.
            match reader {
                Reader::Own(ticket) => cx.emit_after(Position::NONE, Event::ReadReady { ticket, index }),
                Reader::Follower(member, id) => {
                    server.send_after(Position::NONE, member, Body::ReadIndexReply { id, index }, cx);
                }
            }
        }
        self.read_soon(cx);
    }

    /// Follower: asks the leader for all waiting reads, unless a question is open.
    pub(super) fn ask_for_read_index(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Follower(follower) = &mut self.role else { return };
        let Some(leader) = follower.leader else { return };
        if follower.reads.asked.is_some() || follower.reads.waiting.is_empty() {
            return;
        }
        let id = cx.rng().next_u64();
        follower.reads.asked = Some(Asked { id, tickets: mem::take(&mut follower.reads.waiting), times: 1 });
        // Waits for the term only, which the question reveals.
        self.server.send_after(self.server.hard_position, leader, Body::ReadIndex { id }, cx);
        cx.set_timer(Timer::Read, self.server.config.heartbeat);
    }

    pub(super) fn on_read_index_reply(&mut self, from: Member, id: u64, index: Index, cx: &mut Context<'_, Raft>) {
        let Role::Follower(follower) = &mut self.role else { return };
        if follower.leader != Some(from) || follower.reads.asked.as_ref().is_none_or(|asked| asked.id != id) {
            return cx.note("ignored: answers no question", 0);
        }
        let asked = follower.reads.asked.take().into_iter();
        for ticket in asked.flat_map(|asked| asked.tickets) {
            // Waits for nothing: the index is committed.
            cx.emit_after(Position::NONE, Event::ReadReady { ticket, index });
        }
        if follower.reads.waiting.is_empty() {
            return cx.cancel_timer(Timer::Read);
        }
        self.read_soon(cx);
    }

    /// Follower: the question, the answer or the leader was lost. Asks again, and after a while gives up.
    pub(super) fn on_read_timer(&mut self, cx: &mut Context<'_, Raft>) {
        let config = &self.server.config;
        // The longest election timeout, in heartbeats: after that the leader is gone.
        let times_max = 2 * config.election_timeout.as_nanos() / config.heartbeat.as_nanos() + 1;
        let Role::Follower(follower) = &mut self.role else { return };
        let (Some(leader), Some(asked)) = (follower.leader, &mut follower.reads.asked) else { return };
        if u128::from(asked.times) < times_max {
            asked.times += 1;
            self.server.send_after(self.server.hard_position, leader, Body::ReadIndex { id: asked.id }, cx);
            return cx.set_timer(Timer::Read, config.heartbeat);
        }
        let reads = mem::take(&mut follower.reads);
        self.server.refuse_follower_reads(reads, cx);
    }
}

impl LeaderReads {
    fn len(&self) -> usize {
        self.waiting.len() + self.confirming.len()
    }
}

impl FollowerReads {
    fn len(&self) -> usize {
        self.waiting.len() + self.asked.as_ref().map_or(0, |asked| asked.tickets.len())
    }
}

impl Server {
    pub(super) fn refuse_follower_reads(&self, reads: FollowerReads, cx: &mut Context<'_, Raft>) {
        if reads.len() == 0 {
            return;
        }
        cx.cancel_timer(Timer::Read);
        let asked = reads.asked.into_iter().flat_map(|asked| asked.tickets);
        for ticket in asked.chain(reads.waiting) {
            self.refuse(ticket, Refusal::LeaderChanged, cx);
        }
    }

    /// The leader steps down: its own readers are informed; followers find out themselves.
    pub(super) fn refuse_leader_reads(&mut self, leader: Leader, cx: &mut Context<'_, Raft>) {
        if leader.reads.len() > 0 {
            cx.note("deposed leader's reads refused", leader.reads.len() as u64);
        }
        for reader in leader.reads.confirming.into_iter().chain(leader.reads.waiting) {
            if let Reader::Own(ticket) = reader {
                self.refuse(ticket, Refusal::LeaderChanged, cx);
            }
        }
        // The next leader decides the fate of a transfer.
        self.handover = self.handover.take().or(leader.transfer.map(|transfer| (transfer.ticket, transfer.to.node)));
    }
}

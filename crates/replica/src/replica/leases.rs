//! Requests about leases: only the leader has the clock, so every node asks it, and the leader answers from memory once
//! it has confirmed that it still leads (book/src/etcd.md#6.3). A renewal never goes through the log.
//!
//! The asking node repeats its question every half second, to the current leader. So the leader need not remember
//! questions that it cannot answer yet: a question about an expired lease that is about to be removed is answered when
//! it is repeated after the removal.

use super::Replica;
use crate::Error;
use crate::lease_clock::{LeaseClock, Renewal, TimeLeft};
use crate::message::{Message, Timer};
use crate::proposal::Action;
use crate::request::{Reply, Ticket};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Instant, NodeId, Position, Rng};
use volvox_raft::{Index, RoleKind, Term, Ticket as RaftTicket};
use volvox_store::Command as StoreCommand;

/// How often the leader looks for leases whose time is over.
const LEASES_TICK: Duration = Duration::from_millis(500);

/// An unanswered question is asked again after this long; renewing twice does no harm.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The lane of random numbers from which question numbers begin.
const QUESTIONS: u64 = 0x9e57;

/// The knowledge of this node about leases, beside the replicated state.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    /// Of this node's clients.
    questions: BTreeMap<u64, LeaseQuestion>,
    next_question: u64,
    /// Answers that wait until this node has applied as much as the leader had.
    answers: BTreeSet<(Index, u64)>,
    /// Leader: the askers, by the reads that confirm its leadership.
    reads: BTreeMap<RaftTicket, LeaseOrigin>,
    /// Leader: when each lease expires.
    clock: Option<LeaseClock>,
    expired: u64,
}

impl Leases {
    /// The process starts. Questions are numbered from a random start: the answer to a question from before a restart must
    /// not answer a current one.
    pub fn start(&mut self, rng: &mut Rng) {
        self.next_question = rng.split(QUESTIONS).next_u64() >> 1;
    }

    /// Whether this node leads, and knows every lease there is.
    pub fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// How many leases expired.
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// How many reads of its own this node waits for.
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// A read of its own failed: the asker repeats its question.
    pub fn on_read_failed(&mut self, ticket: RaftTicket) {
        self.reads.remove(&ticket);
    }
}

/// A client's question about a lease, at the node that it asked.
#[derive(Clone, Debug)]
struct LeaseQuestion {
    ticket: Ticket,
    lease: i64,
    renew: bool,
    deadline: Instant,
    /// The leader asked, and the time.
    asked: Option<(NodeId, Instant)>,
    /// The answer has arrived, and waits until this node has applied as much as the leader had.
    answer: Option<(Index, TimeLeft)>,
}

/// The askers that the leader answers, once it knows that it leads.
#[derive(Clone, Debug)]
struct LeaseOrigin {
    node: NodeId,
    question: u64,
    lease: i64,
    renew: bool,
}

/// There is no such lease.
const NO_LEASE: TimeLeft = TimeLeft { ttl: -1, granted_ttl: 0 };

impl Replica {
    /// A client renews a lease, or asks how long it lives.
    pub(super) fn on_lease_question(&mut self, ticket: Ticket, lease: i64, renew: bool, cx: &mut Context<'_, Replica>) {
        if self.leases.questions.len() >= self.config.requests_max {
            return self.reply(ticket, Err(Error::TooManyRequests), cx);
        }
        let deadline = cx.now() + self.config.request_timeout();
        let question = self.leases.next_question;
        self.leases.next_question += 1;
        let pending = LeaseQuestion { ticket, lease, renew, deadline, asked: None, answer: None };
        self.leases.questions.insert(question, pending);
        self.ask_lease(question, cx);
    }

    fn ask_lease(&mut self, question: u64, cx: &mut Context<'_, Replica>) {
        let (now, leader) = (cx.now(), self.consensus.raft().leader());
        let Some(pending) = self.leases.questions.get_mut(&question) else {
            return;
        };
        let (lease, renew) = (pending.lease, pending.renew);
        pending.asked = leader.map(|leader| (leader, now));
        match leader {
            // A question reveals nothing that a disk must keep.
            Some(leader) if leader != self.id => {
                cx.send_after(Position::NONE, leader, Message::LeaseAsk { question, lease, renew });
            }
            Some(leader) => self.on_lease_ask(leader, question, lease, renew, cx),
            None => {}
        }
    }

    /// A node asks this one, as the leader, about a lease.
    pub(super) fn on_lease_ask(
        &mut self,
        node: NodeId,
        question: u64,
        lease: i64,
        renew: bool,
        cx: &mut Context<'_, Replica>,
    ) {
        if self.consensus.raft().role() != RoleKind::Leader {
            return cx.note("asked about a lease, but does not lead", question);
        }
        let Some(ticket) = self.own_read(cx) else {
            return cx.note("too many questions about leases", question);
        };
        self.leases.reads.insert(ticket, LeaseOrigin { node, question, lease, renew });
        self.ask_read(ticket, cx);
    }

    /// This node's leadership was confirmed, and it has applied everything up to then: it may answer.
    pub(super) fn answer_lease(&mut self, ticket: RaftTicket, cx: &mut Context<'_, Replica>) {
        let Some(origin) = self.leases.reads.remove(&ticket) else {
            return;
        };
        let Some(clock) = &mut self.leases.clock else {
            return cx.note("no longer leads", origin.question);
        };
        let now = cx.now();
        let left = match origin.renew {
            false => clock.time_left(origin.lease, now).unwrap_or(NO_LEASE),
            true => match clock.renew(origin.lease, now) {
                Renewal::Renewed(left) => left,
                Renewal::Unknown => NO_LEASE,
                // The question is repeated until the lease is gone.
                Renewal::Ending => return cx.note("keep-alive of a lease that ends", origin.question),
            },
        };
        if origin.node == self.id {
            return self.on_lease_answer(self.id, origin.question, left, self.machine.applied(), cx);
        }
        let TimeLeft { ttl, granted_ttl } = left;
        let answer =
            Message::LeaseAnswer { question: origin.question, ttl, granted_ttl, applied: self.machine.applied().0 };
        // The clock of leases is on no disk, and what is applied is committed.
        cx.send_after(Position::NONE, origin.node, answer);
    }

    /// The leader's answer arrives. This node adds the keys of the lease, once it has applied as much as the leader
    /// had.
    pub(super) fn on_lease_answer(
        &mut self,
        from: NodeId,
        question: u64,
        left: TimeLeft,
        applied: Index,
        cx: &mut Context<'_, Replica>,
    ) {
        let Some(pending) = self.leases.questions.get_mut(&question) else {
            return;
        };
        if pending.asked.is_none_or(|(asked, _)| asked != from) || pending.answer.is_some() {
            return cx.note("an unexpected answer", question);
        }
        pending.answer = Some((applied, left));
        if pending.renew || applied <= self.machine.applied() {
            self.finish_lease_question(question, cx);
        } else {
            self.leases.answers.insert((applied, question));
        }
    }

    fn finish_lease_question(&mut self, question: u64, cx: &mut Context<'_, Replica>) {
        let Some(pending) = self.leases.questions.remove(&question) else {
            return;
        };
        let (_, TimeLeft { ttl, granted_ttl }) = pending.answer.expect("a question is finished by its answer");
        let reply = if pending.renew {
            Reply::KeptAlive { ttl: ttl.max(0) }
        } else {
            let keys =
                if granted_ttl > 0 { self.machine.store().state().lease_keys(pending.lease) } else { Vec::new() };
            Reply::TimeToLive { ttl, granted_ttl, keys }
        };
        self.reply(pending.ticket, Ok(reply), cx);
    }

    /// Everything up to `self.machine.applied()` was applied.
    pub(super) fn finish_lease_answers(&mut self, cx: &mut Context<'_, Replica>) {
        while let Some((index, question)) = self.leases.answers.first().copied() {
            if index > self.machine.applied() {
                return;
            }
            self.leases.answers.pop_first();
            self.finish_lease_question(question, cx);
        }
    }

    pub(super) fn ask_leases_again(&mut self, cx: &mut Context<'_, Replica>) {
        let (now, leader) = (cx.now(), self.consensus.raft().leader());
        let overdue = |pending: &LeaseQuestion| {
            let waits = |(of, at): (NodeId, Instant)| Some(of) == leader && now.since(at) < ASK_AGAIN;
            pending.answer.is_none() && !pending.asked.is_some_and(waits)
        };
        let again = self.leases.questions.iter().filter(|(_, pending)| overdue(pending)).map(|(question, _)| *question);
        for question in again.collect::<Vec<u64>>() {
            self.ask_lease(question, cx);
        }
    }

    pub(super) fn expire_lease_questions(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let late = self.leases.questions.iter().filter(|(_, pending)| pending.deadline <= now);
        for question in late.map(|(question, _)| *question).collect::<Vec<u64>>() {
            if let Some(pending) = self.remove_lease_question(question) {
                let error = if self.consensus.raft().leader().is_none() { Error::NoLeader } else { Error::Timeout };
                self.reply(pending.ticket, Err(error), cx);
            }
        }
    }

    pub(super) fn forget_lease_question(&mut self, ticket: Ticket) {
        let asked = self.leases.questions.iter().find(|(_, pending)| pending.ticket == ticket);
        if let Some(question) = asked.map(|(question, _)| *question) {
            self.remove_lease_question(question);
        }
    }

    fn remove_lease_question(&mut self, question: u64) -> Option<LeaseQuestion> {
        let pending = self.leases.questions.remove(&question)?;
        if let Some((index, _)) = pending.answer {
            self.leases.answers.remove(&(index, question));
        }
        Some(pending)
    }

    /// An entry of this node's own term was applied: all leases of earlier terms are known now, and their clock starts.
    pub(super) fn start_lease_clock(&mut self, cx: &mut Context<'_, Replica>) {
        if self.leases.clock.is_some()
            || self.consensus.raft().role() != RoleKind::Leader
            || self.machine.applied_term() != self.consensus.raft().term()
        {
            return;
        }
        let remaining = |lease: volvox_store::Lease| {
            let left = if lease.remaining_ttl > 0 { lease.remaining_ttl } else { lease.granted_ttl };
            (lease.id, lease.granted_ttl, left)
        };
        let extension = self.config.raft.election_timeout;
        let leases = self.machine.store().state().leases().map(remaining);
        self.leases.clock = Some(LeaseClock::start(leases, cx.now(), extension));
        cx.set_timer(Timer::Leases, LEASES_TICK);
        cx.set_timer(Timer::Reconcile, Duration::ZERO);
    }

    /// This node no longer leads: nodes that asked it about a lease ask another.
    pub(super) fn stop_lease_clock(&mut self, cx: &mut Context<'_, Replica>) {
        self.leases.clock = None;
        for ticket in core::mem::take(&mut self.leases.reads).into_keys() {
            self.reads.forget(ticket);
        }
        cx.cancel_timer(Timer::Leases);
    }

    /// This leader appended an action that ends a lease, or will.
    pub(super) fn on_lease_ending(&mut self, lease: i64) {
        if let Some(clock) = &mut self.leases.clock {
            clock.on_ending(lease);
        }
    }

    /// The store's leases changed by this command.
    pub(super) fn on_leases_changed(&mut self, command: &StoreCommand, cx: &mut Context<'_, Replica>) {
        let Some(clock) = &mut self.leases.clock else {
            return;
        };
        let state = self.machine.store().state();
        match command {
            StoreCommand::LeaseGrant(grant) => {
                if let Some(lease) = state.lease(grant.id).filter(|lease| !clock.contains(lease.id)) {
                    clock.on_granted(lease.id, lease.granted_ttl, cx.now());
                }
            }
            StoreCommand::LeaseRevoke(revoke) => match state.lease(revoke.id) {
                None => clock.on_removed(revoke.id),
                Some(_) => clock.on_kept(revoke.id),
            },
            StoreCommand::LeaseExpire(leases) => {
                clock.on_expiries_applied();
                for lease in leases {
                    match state.lease(*lease) {
                        None => {
                            clock.on_removed(*lease);
                            self.leases.expired += 1;
                        }
                        // An alarm forbids every change.
                        Some(_) => clock.on_kept(*lease),
                    }
                }
            }
            _ => {}
        }
    }

    /// Proposes the expiry of the leases whose time is over. Only in this leader's own term: the next leader will have
    /// given them their whole time again (etcd-io/etcd#15247).
    pub(super) fn on_lease_tick(&mut self, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        let leads = self.consensus.raft().role() == RoleKind::Leader;
        let Some(due) = self.leases.clock.as_ref().filter(|_| leads).map(|clock| clock.expired(now)) else {
            return;
        };
        cx.set_timer(Timer::Leases, LEASES_TICK);
        if due.is_empty() || !self.propose_now(Action::Store(StoreCommand::LeaseExpire(due.clone())), cx) {
            return;
        }
        if let Some(clock) = &mut self.leases.clock {
            clock.on_expiries_proposed(&due);
        }
    }

    /// Whether the lease clock of this term runs: for invariants.
    pub fn lease_clock_term(&self) -> Option<Term> {
        self.leases.clock.as_ref().map(|_| self.consensus.raft().term())
    }
}

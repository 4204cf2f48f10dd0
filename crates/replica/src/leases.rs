//! Questions about leases: only the leader has the clock, so every node asks it, and the leader answers from memory
//! once it has made sure that it still leads (etcd-v3 6.3). A renewal never goes through the log.

use crate::Error;
use crate::lease_clock::LeaseClock;
use crate::message::{Message, Timer};
use crate::proposal::Action;
use crate::reads::OWN_TICKETS;
use crate::replica::Replica;
use crate::request::{Reply, Ticket};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Instant, NodeId, Position};
use volvox_raft::{RoleKind, Term};
use volvox_store::Command as StoreCommand;

/// How often the leader looks for leases whose time is over.
const LEASES_TICK: Duration = Duration::from_millis(500);

/// An unanswered question is asked again after this long; renewing twice does no harm.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A client's question about a lease, at the node that it asked.
#[derive(Clone, Debug)]
pub(crate) struct LeaseQuestion {
    ticket: Ticket,
    lease: i64,
    renew: bool,
    deadline: Instant,
    asked: Option<Instant>,
}

/// Whom the leader answers, once it knows that it leads.
#[derive(Clone, Debug)]
pub(crate) struct LeaseOrigin {
    node: NodeId,
    question: u64,
    lease: i64,
    renew: bool,
}

impl Replica {
    /// A client renews a lease, or asks how long it lives.
    pub(crate) fn on_lease_question(&mut self, ticket: Ticket, lease: i64, renew: bool, cx: &mut Context<'_, Replica>) {
        if self.lease_questions.len() >= self.config.requests_max {
            return self.reply(ticket, Err(Error::TooManyRequests), cx);
        }
        let deadline = cx.now() + self.config.request_timeout();
        let question = self.next_question;
        self.next_question += 1;
        self.lease_questions.insert(question, LeaseQuestion { ticket, lease, renew, deadline, asked: None });
        self.ask_lease(question, cx);
    }

    fn ask_lease(&mut self, question: u64, cx: &mut Context<'_, Replica>) {
        let (now, leader) = (cx.now(), self.raft.leader());
        let Some(pending) = self.lease_questions.get_mut(&question) else {
            return;
        };
        let (lease, renew) = (pending.lease, pending.renew);
        match leader {
            Some(leader) if leader != self.id => {
                pending.asked = Some(now);
                // A question reveals nothing that a disk must keep.
                cx.send_after(Position::NONE, leader, Message::LeaseAsk { question, lease, renew });
            }
            Some(leader) => {
                pending.asked = Some(now);
                self.on_lease_ask(leader, question, lease, renew, cx);
            }
            None => pending.asked = None,
        }
    }

    /// Somebody asks this node, which should lead, about a lease.
    pub(crate) fn on_lease_ask(
        &mut self,
        node: NodeId,
        question: u64,
        lease: i64,
        renew: bool,
        cx: &mut Context<'_, Replica>,
    ) {
        if self.raft.role() != RoleKind::Leader {
            return cx.note("asked about a lease, but does not lead", question);
        }
        let Some(ticket) = self.own_read(cx) else {
            return cx.note("too many questions about leases", question);
        };
        self.lease_reads.insert(ticket, LeaseOrigin { node, question, lease, renew });
        self.ask_read(ticket, cx);
    }

    /// This node led a moment ago, and has applied everything up to then: it may answer.
    pub(crate) fn answer_lease(&mut self, ticket: Ticket, cx: &mut Context<'_, Replica>) {
        assert!(ticket.0 >= OWN_TICKETS, "a door's ticket");
        let Some(origin) = self.lease_reads.remove(&ticket) else {
            return;
        };
        let Some(clock) = &mut self.lease_clock else {
            return cx.note("no longer leads", origin.question);
        };
        let now = cx.now();
        let left = if origin.renew { clock.renew(origin.lease, now) } else { clock.time_left(origin.lease, now) };
        let (ttl, granted_ttl) = left.map_or((-1, 0), |left| (left.ttl, left.granted_ttl));
        if origin.node == self.id {
            self.on_lease_answer(origin.question, ttl, granted_ttl, cx);
        } else {
            let answer = Message::LeaseAnswer { question: origin.question, ttl, granted_ttl };
            // The clock of leases is on no disk.
            cx.send_after(Position::NONE, origin.node, answer);
        }
    }

    /// The leader's answer.
    pub(crate) fn on_lease_answer(&mut self, question: u64, ttl: i64, granted_ttl: i64, cx: &mut Context<'_, Replica>) {
        let Some(pending) = self.lease_questions.remove(&question) else {
            return;
        };
        let reply = if pending.renew {
            Reply::KeptAlive { ttl: ttl.max(0) }
        } else {
            let keys = if granted_ttl > 0 { self.store.view().lease_keys(pending.lease) } else { Vec::new() };
            Reply::TimeToLive { ttl, granted_ttl, keys }
        };
        self.reply(pending.ticket, Ok(reply), cx);
    }

    pub(crate) fn ask_leases_again(&mut self, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        let overdue = |pending: &LeaseQuestion| pending.asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN);
        let again: Vec<u64> =
            self.lease_questions.iter().filter(|(_, pending)| overdue(pending)).map(|(question, _)| *question).collect();
        for question in again {
            self.ask_lease(question, cx);
        }
    }

    pub(crate) fn expire_lease_questions(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let late: Vec<u64> = self
            .lease_questions
            .iter()
            .filter(|(_, pending)| pending.deadline <= now)
            .map(|(question, _)| *question)
            .collect();
        for question in late {
            if let Some(pending) = self.lease_questions.remove(&question) {
                let error = if self.raft.leader().is_none() { Error::NoLeader } else { Error::Timeout };
                self.reply(pending.ticket, Err(error), cx);
            }
        }
    }

    pub(crate) fn forget_lease_question(&mut self, ticket: Ticket) {
        self.lease_questions.retain(|_, pending| pending.ticket != ticket);
    }

    /// An entry of this node's own term was applied: all leases of earlier terms are known now, and their clock starts.
    pub(crate) fn start_lease_clock(&mut self, cx: &mut Context<'_, Replica>) {
        if self.lease_clock.is_some() || self.raft.role() != RoleKind::Leader || self.applied_term != self.raft.term() {
            return;
        }
        let remaining = |lease: volvox_store::Lease| {
            let left = if lease.remaining_ttl > 0 { lease.remaining_ttl } else { lease.granted_ttl };
            (lease.id, lease.granted_ttl, left)
        };
        let view = self.store.view();
        let extension = self.config.raft.election_timeout;
        self.lease_clock = Some(LeaseClock::start(view.leases().map(remaining), cx.now(), extension));
        cx.set_timer(Timer::Leases, LEASES_TICK);
        cx.set_timer(Timer::Reconcile, Duration::ZERO);
    }

    /// The store's leases changed by this command.
    pub(crate) fn on_leases_changed(&mut self, command: &StoreCommand, cx: &mut Context<'_, Replica>) {
        let Some(clock) = &mut self.lease_clock else {
            return;
        };
        let view = self.store.view();
        match command {
            StoreCommand::LeaseGrant(grant) => {
                if let Some(lease) = view.lease(grant.id).filter(|lease| !clock.contains(lease.id)) {
                    clock.on_granted(lease.id, lease.granted_ttl, cx.now());
                }
            }
            StoreCommand::LeaseRevoke(revoke) if view.lease(revoke.id).is_none() => clock.on_removed(revoke.id),
            StoreCommand::LeaseExpire(leases) => {
                leases.iter().filter(|lease| view.lease(**lease).is_none()).for_each(|lease| clock.on_removed(*lease));
            }
            _ => {}
        }
    }

    /// Proposes the expiry of the leases whose time is over.
    pub(crate) fn on_lease_tick(&mut self, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        let leads = self.raft.role() == RoleKind::Leader;
        let Some(clock) = self.lease_clock.as_mut().filter(|_| leads) else {
            return;
        };
        let due = clock.expired(now);
        cx.set_timer(Timer::Leases, LEASES_TICK);
        if !due.is_empty() {
            self.leases_expired += due.len() as u64;
            self.submit(None, Action::Store(StoreCommand::LeaseExpire(due)), cx);
        }
    }

    /// Whether the lease clock of this term runs: for invariants.
    pub fn lease_clock_term(&self) -> Option<Term> {
        self.lease_clock.as_ref().map(|_| self.raft.term())
    }
}

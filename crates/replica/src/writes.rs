//! Writes of this node's clients, from their arrival until their entry is applied.
//!
//! A write is *handed over* to the leader of one term: proposed here when this node leads, forwarded otherwise, and the
//! leader takes a forwarded one only in exactly that term. When an entry of a later term is applied and the write was
//! not, it is surely lost: an entry of the older term can't be committed behind it (Raft 5.4), and no leader of a later
//! term takes the frame. So it is handed over again, under the same sequence, and the client never notices that a
//! leader died. Only when time runs out is there doubt, and then the client gets etcd's error.

use crate::Error;
use crate::message::{Message, Refusal};
use crate::proposal::{Action, Origin, Proposal};
use crate::replica::Replica;
use crate::request::{Reply, Ticket};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use volvox_core::{Bytes, Context, Encode, Instant, NodeId, Position, decode_all};
use volvox_raft::{Command as RaftCommand, Event as RaftEvent, Refusal as RaftRefusal, RoleKind, Term};
use volvox_store::{AlarmAction, AlarmRequest, AlarmType, Command as StoreCommand, Error as StoreError};

/// Sequences of one start of the process; the start's number stands above them.
const SEQUENCES_A_BOOT: u64 = 1 << 40;

/// The raft ticket of every proposal: its outcome is looked at in the same step.
const PROPOSAL: Ticket = Ticket(u64::MAX);

/// One write in flight.
#[derive(Clone, Debug)]
struct Write {
    /// Nobody waits for the node's own writes, nor for those whose client went away.
    ticket: Option<Ticket>,
    proposal: Bytes,
    /// To the leader of which term it was handed over.
    handed: Option<Term>,
    /// It may be proposed by this node as the leader of this term, or never.
    bound_to: Option<Term>,
    deadline: Instant,
    leader_lost: bool,
    /// Its client went away: it is not handed over again.
    is_abandoned: bool,
}

/// All writes in flight, by sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes {
    in_flight: BTreeMap<u64, Write>,
    bytes: usize,
    next_sequence: u64,
    by_ticket: BTreeMap<Ticket, u64>,
    /// Whether a write may wait for being handed over.
    some_wait: bool,
    /// The sequence of the alarm that this node raises because of its quota, while it is in flight.
    alarm: Option<u64>,
}

impl Writes {
    /// The process starts for the `boot`-th time.
    pub fn start(&mut self, boot: u64) {
        self.next_sequence = boot * SEQUENCES_A_BOOT;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Who leads changed: what was handed over may be lost.
    pub fn on_leader_changed(&mut self, known: bool) {
        if !known {
            for write in self.in_flight.values_mut() {
                write.leader_lost = true;
            }
        }
    }

    fn remove(&mut self, sequence: u64) -> Option<Write> {
        let write = self.in_flight.remove(&sequence)?;
        self.bytes -= write.proposal.len();
        if let Some(ticket) = write.ticket {
            self.by_ticket.remove(&ticket);
        }
        if self.alarm == Some(sequence) {
            self.alarm = None;
        }
        Some(write)
    }
}

impl Replica {
    /// A client wants to change the store.
    pub(crate) fn on_write(&mut self, ticket: Ticket, command: StoreCommand, cx: &mut Context<'_, Replica>) {
        let view = self.store.view();
        let cost = volvox_store::quota::cost(&command);
        if view.exceeds_quota(cost, self.config.quota_bytes) {
            self.raise_no_space(cx);
            return self.reply(ticket, Err(Error::Store(StoreError::NoSpace)), cx);
        }
        self.submit(Some(ticket), Action::Store(command), cx);
    }

    /// Puts an action on its way through the log; its reply follows once it is applied.
    pub(crate) fn submit(&mut self, ticket: Option<Ticket>, action: Action, cx: &mut Context<'_, Replica>) {
        let sequence = self.writes.next_sequence;
        let origin = Origin { node: self.id, incarnation: self.config.raft.incarnation, sequence };
        let proposal = Proposal { origin, action };
        let bound_to = is_bound(&proposal.action).then(|| self.raft.term());
        let proposal = Bytes::from(proposal.to_bytes());
        if let Err(error) = self.check_room(&proposal) {
            if let Some(ticket) = ticket {
                self.reply(ticket, Err(error), cx);
            }
            return;
        }
        self.writes.next_sequence += 1;
        self.writes.bytes += proposal.len();
        let deadline = cx.now() + self.config.request_timeout();
        let write = Write { ticket, proposal, handed: None, bound_to, deadline, leader_lost: false, is_abandoned: false };
        self.writes.in_flight.insert(sequence, write);
        if let Some(ticket) = ticket {
            self.writes.by_ticket.insert(ticket, sequence);
        }
        self.hand_over(sequence, cx);
    }

    /// Overload is refused early, never held in memory.
    fn check_room(&self, proposal: &Bytes) -> Result<(), Error> {
        if proposal.len() > self.config.request_bytes_max {
            return Err(Error::TooLarge);
        }
        let lag = self.raft.commit_index().0.saturating_sub(self.applied.0);
        let full = self.writes.in_flight.len() >= self.config.requests_max
            || self.writes.bytes + proposal.len() > self.config.request_bytes_in_flight_max;
        if full || lag > self.config.apply_lag_max { Err(Error::TooManyRequests) } else { Ok(()) }
    }

    /// Proposes a write, or forwards it to the leader; without a leader it waits.
    fn hand_over(&mut self, sequence: u64, cx: &mut Context<'_, Replica>) {
        let term = self.raft.term();
        let Some(write) = self.writes.in_flight.get_mut(&sequence) else {
            return;
        };
        let leads = self.raft.role() == RoleKind::Leader;
        if write.bound_to.is_some_and(|bound_to| !leads || bound_to != term) {
            self.writes.remove(sequence);
            return;
        }
        let proposal = write.proposal.clone();
        let leader = self.raft.leader().filter(|_| self.is_booted);
        match leader {
            Some(leader) if leader != self.id => {
                write.handed = Some(term);
                // A forwarded request reveals nothing of this node's disk but its boot record, which is durable.
                cx.send_after(Position::NONE, leader, Message::Forward { sequence, term: term.0, proposal });
            }
            Some(_) if leads => {
                write.handed = Some(term);
                if let Err(refusal) = self.propose(proposal, cx) {
                    self.on_proposal_refused(sequence, refusal, cx);
                }
            }
            _ => {
                write.handed = None;
                self.writes.some_wait = true;
            }
        }
    }

    /// Hands over what waits: there may be a leader now.
    pub(crate) fn hand_over_waiting(&mut self, cx: &mut Context<'_, Replica>) {
        if !self.writes.some_wait || !self.is_booted || self.raft.leader().is_none() {
            return;
        }
        self.writes.some_wait = false;
        // What nobody waits for any more, and surely has not happened, need not happen.
        let abandoned = |write: &Write| write.is_abandoned && write.handed.is_none();
        let dropped: Vec<u64> =
            self.writes.in_flight.iter().filter(|(_, write)| abandoned(write)).map(|(sequence, _)| *sequence).collect();
        for sequence in dropped {
            self.writes.remove(sequence);
        }
        let waiting: Vec<u64> =
            self.writes.in_flight.iter().filter(|(_, write)| write.handed.is_none()).map(|(sequence, _)| *sequence).collect();
        for sequence in waiting {
            self.hand_over(sequence, cx);
        }
    }

    fn propose(&mut self, data: Bytes, cx: &mut Context<'_, Replica>) -> Result<(), RaftRefusal> {
        let before = self.scratch.events.len();
        self.with_raft(cx, |raft, cx| {
            use volvox_core::Process;
            raft.on_command(RaftCommand::Propose { ticket: PROPOSAL, data }, cx);
        });
        let mut outcome = Ok(());
        let mut at = before;
        while at < self.scratch.events.len() {
            match &self.scratch.events[at].0 {
                RaftEvent::Refused { ticket: PROPOSAL, reason } => {
                    outcome = Err(*reason);
                    self.scratch.events.remove(at);
                }
                RaftEvent::Proposed { ticket: PROPOSAL, .. } => {
                    self.scratch.events.remove(at);
                }
                _ => at += 1,
            }
        }
        outcome
    }

    fn on_proposal_refused(&mut self, sequence: u64, refusal: RaftRefusal, cx: &mut Context<'_, Replica>) {
        if refusal == RaftRefusal::TooMany {
            self.finish_write(sequence, Err(Error::TooManyRequests), cx);
        } else if let Some(write) = self.writes.in_flight.get_mut(&sequence) {
            write.handed = None;
            self.writes.some_wait = true;
        }
    }

    /// Another member forwards a write of its client.
    pub(crate) fn on_forward(
        &mut self,
        from: NodeId,
        sequence: u64,
        term: Term,
        data: Bytes,
        cx: &mut Context<'_, Replica>,
    ) {
        let Ok(proposal) = decode_all::<Proposal>(&data) else {
            return cx.note("a forwarded proposal does not decode", 0);
        };
        let honest = proposal.origin.node == from && proposal.origin.sequence == sequence;
        if !honest || data.len() > self.config.request_bytes_max {
            return cx.note("a forwarded proposal is not its sender's, or too large", sequence);
        }
        let leads = self.raft.role() == RoleKind::Leader && self.raft.term() == term;
        let refused = if !leads {
            Some(None)
        } else if let Err(refusal) = self.check_member_action(&proposal.action) {
            Some(Some(refusal))
        } else {
            match self.propose(data, cx) {
                Ok(()) => None,
                Err(RaftRefusal::TooMany) => Some(Some(Refusal::TooManyRequests)),
                Err(_) => Some(None),
            }
        };
        if let Some(error) = refused {
            // A refusal reveals nothing that a disk must keep.
            cx.send_after(Position::NONE, from, Message::Refused { sequence, error });
        }
    }

    /// The leader that a write was forwarded to did not propose it.
    pub(crate) fn on_forward_refused(&mut self, sequence: u64, error: Option<Refusal>, cx: &mut Context<'_, Replica>) {
        match error {
            Some(refusal) => self.finish_write(sequence, Err(refusal.into()), cx),
            None => {
                if let Some(write) = self.writes.in_flight.get_mut(&sequence) {
                    write.handed = None;
                    self.writes.some_wait = true;
                }
            }
        }
    }

    /// An entry of this node's was applied.
    pub(crate) fn on_own_applied(&mut self, sequence: u64, result: Result<Reply, Error>, cx: &mut Context<'_, Replica>) {
        self.finish_write(sequence, result, cx);
    }

    pub(crate) fn finish_write(&mut self, sequence: u64, result: Result<Reply, Error>, cx: &mut Context<'_, Replica>) {
        let Some(write) = self.writes.remove(sequence) else {
            return;
        };
        self.proposals_failed += u64::from(matches!(&result, Err(error) if !matches!(error, Error::Store(_))));
        if let Some(ticket) = write.ticket {
            self.reply(ticket, result, cx);
        }
    }

    /// An entry of this term was applied: what was handed over in an earlier one, and not applied, is lost.
    pub(crate) fn on_term_applied(&mut self, term: Term) {
        for write in self.writes.in_flight.values_mut() {
            if write.handed.is_some_and(|handed| handed < term) {
                write.handed = None;
                self.writes.some_wait = true;
            }
        }
    }

    /// A snapshot took the place of entries: of a write that was among them nobody here knows the result.
    pub(crate) fn on_writes_skipped(&mut self, cx: &mut Context<'_, Replica>) {
        let (node, incarnation) = (self.id, self.config.raft.incarnation);
        let applied: Vec<u64> = self
            .writes
            .in_flight
            .keys()
            .filter(|sequence| self.window.contains(&Origin { node, incarnation, sequence: **sequence }))
            .copied()
            .collect();
        for sequence in applied {
            self.finish_write(sequence, Err(Error::Timeout), cx);
        }
    }

    pub(crate) fn expire_writes(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let late: Vec<u64> =
            self.writes.in_flight.iter().filter(|(_, write)| write.deadline <= now).map(|(sequence, _)| *sequence).collect();
        for sequence in late {
            let write = &self.writes.in_flight[&sequence];
            let error = if write.leader_lost { Error::TimeoutLeaderFailure } else { Error::Timeout };
            self.finish_write(sequence, Err(error), cx);
        }
    }

    pub(crate) fn forget_write(&mut self, ticket: Ticket) {
        if let Some(sequence) = self.writes.by_ticket.remove(&ticket)
            && let Some(write) = self.writes.in_flight.get_mut(&sequence)
        {
            write.ticket = None;
            write.is_abandoned = true;
        }
    }

    /// The quota is used up: every member must know (etcd-v3 8.5).
    fn raise_no_space(&mut self, cx: &mut Context<'_, Replica>) {
        if self.store.view().has_alarm(AlarmType::NoSpace) || self.writes.alarm.is_some() {
            return;
        }
        let member_id = self.id.0;
        let request = AlarmRequest { action: AlarmAction::Activate, member_id, alarm: AlarmType::NoSpace };
        let sequence = self.writes.next_sequence;
        self.submit(None, Action::Store(StoreCommand::Alarm(request)), cx);
        if self.writes.in_flight.contains_key(&sequence) {
            self.writes.alarm = Some(sequence);
        }
    }
}

/// That the time of a lease is over is true by the clock of one leader in one term. The next leader has given the lease
/// its whole time again, and may have renewed it since: to hand the expiry over to it would end a lease early.
fn is_bound(action: &Action) -> bool {
    matches!(action, Action::Store(StoreCommand::LeaseExpire(_)))
}

//! Writes of this node's clients, from their arrival until their entry is applied.
//!
//! A write is *handed over* to the leader of one term: proposed here if this node leads, forwarded otherwise, and the
//! leader accepts a forwarded one only in exactly that term. When an entry of a later term is applied and the write was
//! not, the write is certainly lost: an entry of the older term cannot be committed after it (Raft 5.4), and no leader
//! of a later term accepts the frame. So the write is forwarded again, under the same sequence, and the client never
//! notices that a leader crashed. Only a time-out leaves doubt, and then the client gets etcd's error.
//!
//! A frame may get lost while the leader stays. Then it is sent once more, in the same term: the leader knows what it
//! accepted (`forward`), backed by the replicated window. But from then on a refusal proves nothing — it may
//! concern the second copy, while the first is in flight — so it is ignored, and the client waits.

use super::Replica;
use crate::Error;
use crate::message::{Message, Refusal};
use crate::proposal::{Action, Origin, Proposal};
use crate::request::{Reply, Ticket};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Bytes, Context, Instant, NodeId, Position};
use volvox_raft::{Refusal as RaftRefusal, RoleKind, Term};
use volvox_store::{AlarmAction, AlarmRequest, AlarmType, Command as StoreCommand, Error as StoreError, Identity};

/// Sequences of one boot; the boot number is in the bits above them.
const SEQUENCES_A_BOOT: u64 = 1 << 40;

/// A forwarded write without an answer is sent once more after this long: the frame may be lost.
const FORWARD_AGAIN: Duration = Duration::from_secs(1);

/// How many bytes are resent at a time: a merely slow leader must not get twice the work.
const FORWARD_AGAIN_BYTES: usize = 256 << 10;

/// One write in flight.
#[derive(Clone, Debug)]
struct Write {
    /// No client waits for the node's own writes, nor for those whose client went away.
    ticket: Option<Ticket>,
    proposal: Bytes,
    /// The lease that it revokes.
    revokes: Option<i64>,
    /// The leader that has it; `None` while it waits.
    handed: Option<Handed>,
    /// The last term in which it was handed over.
    last_term: Term,
    /// How often it was handed over since it was last known not to be in any log.
    copies: u32,
    deadline: Instant,
    leader_lost: bool,
    /// Whether its client went away: then it is not handed over again.
    is_abandoned: bool,
}

/// The leader to which a write was handed over.
#[derive(Clone, Copy, Debug)]
struct Handed {
    term: Term,
    to: NodeId,
    at: Instant,
}

/// All writes in flight, by sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    in_flight: BTreeMap<u64, Write>,
    bytes: usize,
    next_sequence: u64,
    by_ticket: BTreeMap<Ticket, u64>,
    /// Whether a write may wait for being handed over.
    some_wait: bool,
    /// The node's own writes, one of each kind at a time.
    own: BTreeMap<Own, u64>,
    failed: u64,
}

/// The writes of a node itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Own {
    /// Its quota is used up.
    Alarm,
    /// Its name and URLs.
    Publish,
    /// The first members.
    Bootstrap,
}

impl Writes {
    /// The process starts for the `boot`-th time.
    pub fn start(&mut self, boot: u64) {
        self.next_sequence = boot * SEQUENCES_A_BOOT;
    }

    /// The number of writes in flight.
    pub fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// How many failed otherwise than in the store.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The leader is gone: writes handed over to it may be lost.
    pub fn on_leader_lost(&mut self) {
        for write in self.in_flight.values_mut() {
            write.leader_lost = true;
        }
    }

    /// A sequence that was never used.
    pub fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    fn remove(&mut self, sequence: u64) -> Option<Write> {
        let write = self.in_flight.remove(&sequence)?;
        self.bytes -= write.proposal.len();
        match write.ticket {
            Some(ticket) => {
                self.by_ticket.remove(&ticket);
            }
            None => self.own.retain(|_, own| *own != sequence),
        }
        Some(write)
    }

    fn wait(&mut self, sequence: u64) {
        if let Some(write) = self.in_flight.get_mut(&sequence) {
            write.handed = None;
            self.some_wait = true;
        }
    }
}

impl Replica {
    /// A client wants to change the store.
    pub(super) fn on_write(
        &mut self,
        ticket: Ticket,
        identity: Identity,
        command: StoreCommand,
        cx: &mut Context<'_, Replica>,
    ) {
        let cost = volvox_store::quota::cost(&command);
        if self.machine.store().state().exceeds_quota(cost, self.config.quota_bytes) {
            self.raise_no_space(cx);
            return self.reply(ticket, Err(Error::Store(StoreError::NoSpace)), cx);
        }
        self.submit(Some(ticket), identity, Action::Store(command), cx);
    }

    /// Submits an action to the log; its reply follows once it is applied. Returns its sequence.
    pub(super) fn submit(
        &mut self,
        ticket: Option<Ticket>,
        identity: Identity,
        action: Action,
        cx: &mut Context<'_, Replica>,
    ) -> Option<u64> {
        let sequence = self.writes.next_sequence;
        let revokes = match &action {
            Action::Store(StoreCommand::LeaseRevoke(revoke)) => Some(revoke.id),
            _ => None,
        };
        let proposal = Proposal { origin: self.origin(sequence), identity, action }.to_shared();
        if let Err(error) = self.check_room(&proposal) {
            if let Some(ticket) = ticket {
                self.reply(ticket, Err(error), cx);
            }
            return None;
        }
        self.writes.next_sequence += 1;
        self.writes.bytes += proposal.len();
        let write = Write {
            ticket,
            proposal,
            revokes,
            handed: None,
            last_term: Term::ZERO,
            copies: 0,
            deadline: cx.now() + self.config.request_timeout(),
            leader_lost: false,
            is_abandoned: false,
        };
        self.writes.in_flight.insert(sequence, write);
        if let Some(ticket) = ticket {
            self.writes.by_ticket.insert(ticket, sequence);
        }
        self.hand_over(sequence, cx);
        Some(sequence)
    }

    /// Submits the node's own writes, unless they are already in flight.
    pub(super) fn submit_own(&mut self, own: Own, action: Action, cx: &mut Context<'_, Replica>) {
        if self.writes.own.contains_key(&own) {
            return;
        }
        if let Some(sequence) = self
            .submit(None, self.own_identity(), action, cx)
            .filter(|sequence| self.writes.in_flight.contains_key(sequence))
        {
            self.writes.own.insert(own, sequence);
        }
    }

    pub(super) fn origin(&self, sequence: u64) -> Origin {
        Origin { node: self.id, incarnation: self.config.raft.incarnation, sequence }
    }

    /// Overload is refused early, never held in memory.
    fn check_room(&self, proposal: &Bytes) -> Result<(), Error> {
        if proposal.len() > self.config.request_bytes_max {
            return Err(Error::TooLarge);
        }
        let lag = self.consensus.raft().commit_index().0.saturating_sub(self.machine.applied().0);
        let full = self.writes.in_flight.len() >= self.config.requests_max
            || self.writes.bytes + proposal.len() > self.config.request_bytes_in_flight_max;
        if full || lag > self.config.apply_lag_max { Err(Error::TooManyRequests) } else { Ok(()) }
    }

    /// Proposes a write, or forwards it to the leader; without a leader it waits.
    fn hand_over(&mut self, sequence: u64, cx: &mut Context<'_, Replica>) {
        let (term, at) = (self.consensus.raft().term(), cx.now());
        let Some(write) = self.writes.in_flight.get_mut(&sequence) else {
            return;
        };
        let Some(to) = self.consensus.raft().leader().filter(|_| self.boot.is_durable()) else {
            write.handed = None;
            self.writes.some_wait = true;
            return;
        };
        write.handed = Some(Handed { term, to, at });
        write.last_term = term;
        write.copies += 1;
        let proposal = write.proposal.clone();
        if to != self.id {
            // A forwarded request reveals nothing of this node's disk but its boot record, which is durable.
            return cx.send_after(Position::NONE, to, Message::Forward { sequence, term: term.0, proposal });
        }
        let revokes = write.revokes;
        match (self.propose(proposal, cx), revokes) {
            (Ok(()), Some(lease)) => self.on_lease_ending(lease),
            (Ok(()), None) => {}
            (Err(RaftRefusal::TooMany), _) => self.on_not_taken(sequence, Some(Refusal::TooManyRequests), cx),
            (Err(_), _) => self.on_not_taken(sequence, None, cx),
        }
    }

    /// Hands over waiting writes: there may be a leader now.
    pub(super) fn hand_over_waiting(&mut self, cx: &mut Context<'_, Replica>) {
        if !self.writes.some_wait || !self.boot.is_durable() || self.consensus.raft().leader().is_none() {
            return;
        }
        self.writes.some_wait = false;
        let waits =
            |(sequence, write): (&u64, &Write)| write.handed.is_none().then_some((*sequence, write.is_abandoned));
        let waiting: Vec<(u64, bool)> = self.writes.in_flight.iter().filter_map(waits).collect();
        for (sequence, is_abandoned) in waiting {
            if is_abandoned {
                // A write that no client waits for need not happen.
                self.writes.remove(sequence);
            } else {
                self.hand_over(sequence, cx);
            }
        }
    }

    /// Resends writes that the leader of this term may never have received.
    pub(super) fn forward_again(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let (term, leader) = (self.consensus.raft().term(), self.consensus.raft().leader());
        if self.consensus.raft().role() == RoleKind::Leader {
            return;
        }
        let mut bytes = 0;
        for (sequence, write) in &mut self.writes.in_flight {
            let Some(handed) = &mut write.handed else { continue };
            let overdue = now.since(handed.at) >= FORWARD_AGAIN;
            if !overdue || write.is_abandoned || handed.term != term || Some(handed.to) != leader {
                continue;
            }
            bytes += write.proposal.len();
            if bytes > FORWARD_AGAIN_BYTES {
                return;
            }
            handed.at = now;
            write.copies += 1;
            let proposal = write.proposal.clone();
            cx.note("a forwarded write sent once more", *sequence);
            // As the first time.
            cx.send_after(Position::NONE, handed.to, Message::Forward { sequence: *sequence, term: term.0, proposal });
        }
    }

    /// The leader that a write was forwarded to did not propose it.
    pub(super) fn on_forward_refused(
        &mut self,
        from: NodeId,
        sequence: u64,
        term: Term,
        refusal: Option<Refusal>,
        cx: &mut Context<'_, Replica>,
    ) {
        let handed = self.writes.in_flight.get(&sequence).and_then(|write| write.handed);
        // A late refusal of an earlier term says nothing about the copy at the next leader.
        if handed.is_none_or(|handed| handed.to != from || handed.term != term) {
            return cx.note("refuses what it was not given", sequence);
        }
        self.on_not_taken(sequence, refusal, cx);
    }

    /// A copy of a write was not proposed. The client learns of it if there was no other copy; otherwise the write
    /// waits, and is handed over again.
    fn on_not_taken(&mut self, sequence: u64, refusal: Option<Refusal>, cx: &mut Context<'_, Replica>) {
        let is_only_copy = self.writes.in_flight.get(&sequence).is_some_and(|write| write.copies == 1);
        match refusal {
            Some(refusal) if is_only_copy => self.finish_write(sequence, Err(refusal.into()), cx),
            _ => self.writes.wait(sequence),
        }
    }

    pub(super) fn finish_write(&mut self, sequence: u64, result: Result<Reply, Error>, cx: &mut Context<'_, Replica>) {
        let Some(write) = self.writes.remove(sequence) else {
            return;
        };
        self.writes.failed += u64::from(matches!(&result, Err(error) if !matches!(error, Error::Store(_))));
        if let Some(ticket) = write.ticket {
            self.reply(ticket, result, cx);
        }
    }

    /// An entry of this term was applied: writes handed over in earlier terms, and not applied, are lost.
    pub(super) fn on_term_applied(&mut self, term: Term, cx: &mut Context<'_, Replica>) {
        for (sequence, write) in self.writes.in_flight.iter_mut().filter(|(_, write)| write.last_term < term) {
            if write.copies > 0 && !write.is_abandoned {
                cx.note("writes handed over again", *sequence);
            }
            write.handed = None;
            write.copies = 0;
            self.writes.some_wait = true;
        }
    }

    /// A snapshot replaced entries: the result of a write among them is unknown here.
    pub(super) fn on_writes_skipped(&mut self, cx: &mut Context<'_, Replica>) {
        let gone = |sequence: &&u64| self.machine.window().refuses(&self.origin(**sequence));
        let gone: Vec<u64> = self.writes.in_flight.keys().filter(gone).copied().collect();
        for sequence in gone {
            cx.note("the result of a write went by in a snapshot", sequence);
            self.finish_write(sequence, Err(Error::Timeout), cx);
        }
    }

    pub(super) fn expire_writes(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let late =
            |(sequence, write): (&u64, &Write)| (write.deadline <= now).then_some((*sequence, write.leader_lost));
        let late: Vec<(u64, bool)> = self.writes.in_flight.iter().filter_map(late).collect();
        for (sequence, leader_lost) in late {
            let error = if leader_lost { Error::TimeoutLeaderFailure } else { Error::Timeout };
            self.finish_write(sequence, Err(error), cx);
        }
    }

    pub(super) fn forget_write(&mut self, ticket: Ticket) {
        if let Some(sequence) = self.writes.by_ticket.remove(&ticket)
            && let Some(write) = self.writes.in_flight.get_mut(&sequence)
        {
            write.ticket = None;
            write.is_abandoned = true;
        }
    }

    /// The quota is used up: every member must know (book/src/etcd.md#8.5).
    fn raise_no_space(&mut self, cx: &mut Context<'_, Replica>) {
        if self.machine.store().state().has_alarm(AlarmType::NoSpace) {
            return;
        }
        let member_id = self.id.0;
        let request = AlarmRequest { action: AlarmAction::Activate, member_id, alarm: AlarmType::NoSpace };
        self.submit_own(Own::Alarm, Action::Store(StoreCommand::Alarm(request)), cx);
    }
}

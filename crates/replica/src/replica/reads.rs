//! Linearizable reads: a read waits until this node has applied everything that was committed when the read arrived, as
//! confirmed by a leader that was still the leader afterwards (ReadIndex, thesis 6.4). It never waits for a disk or a
//! lock.

use super::Replica;
use crate::Error;
use crate::request::{Reply, Ticket};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use volvox_core::{Context, Instant, Process};
use volvox_raft::{Command as RaftCommand, Index, Refusal as RaftRefusal, Ticket as RaftTicket};

/// An unanswered read index is requested again after this long: the question, or its answer, may be lost.
const ASK_AGAIN: core::time::Duration = core::time::Duration::from_millis(500);

/// The asker of a read, which decides what becomes of its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asker {
    /// A client, by the ticket of its door.
    Door(Ticket),
    /// A member that asked about a lease.
    Lease,
}

#[derive(Clone, Debug)]
struct Read {
    asker: Asker,
    deadline: Instant,
    /// When consensus was asked; `None` while no leader is known.
    asked: Option<Instant>,
    /// Consensus has answered: it only waits for this index to be applied.
    ready_at: Option<Index>,
}

/// Reads that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    waiting: BTreeMap<RaftTicket, Read>,
    /// Those that only wait for being applied up to an index.
    ready: BTreeSet<(Index, RaftTicket)>,
    /// Those of doors.
    of_doors: BTreeMap<Ticket, RaftTicket>,
    last_ticket: u64,
}

impl Reads {
    /// A ticket that this replica has given consensus for nothing else.
    pub(super) fn next_ticket(&mut self) -> RaftTicket {
        self.last_ticket += 1;
        RaftTicket(self.last_ticket)
    }

    /// The read has no owner any more.
    pub(super) fn forget(&mut self, ticket: RaftTicket) {
        self.remove(ticket);
    }

    /// Removes a read; returns its owner.
    fn remove(&mut self, ticket: RaftTicket) -> Option<Asker> {
        let read = self.waiting.remove(&ticket)?;
        if let Some(index) = read.ready_at {
            self.ready.remove(&(index, ticket));
        }
        if let Asker::Door(door) = read.asker {
            self.of_doors.remove(&door);
        }
        Some(read.asker)
    }
}

impl Replica {
    /// A client wants to read linearizably.
    pub(super) fn on_read(&mut self, ticket: Ticket, cx: &mut Context<'_, Replica>) {
        // Questions of other members about leases do not take a client's place.
        if self.reads.waiting.len().saturating_sub(self.leases.reads()) >= self.config.requests_max {
            return self.reply(ticket, Err(Error::TooManyRequests), cx);
        }
        let asked = self.begin_read(Asker::Door(ticket), cx);
        self.reads.of_doors.insert(ticket, asked);
        self.ask_read(asked, cx);
    }

    /// A read of the replica's own, for a lease; `None` when too many wait. The caller remembers for which.
    pub(super) fn own_read(&mut self, cx: &mut Context<'_, Replica>) -> Option<RaftTicket> {
        if self.leases.reads() >= self.config.requests_max {
            return None;
        }
        Some(self.begin_read(Asker::Lease, cx))
    }

    fn begin_read(&mut self, asker: Asker, cx: &mut Context<'_, Replica>) -> RaftTicket {
        let ticket = self.reads.next_ticket();
        let deadline = cx.now() + self.config.request_timeout();
        self.reads.waiting.insert(ticket, Read { asker, deadline, asked: None, ready_at: None });
        ticket
    }

    pub(super) fn ask_read(&mut self, ticket: RaftTicket, cx: &mut Context<'_, Replica>) {
        let now = cx.now();
        if let Some(read) = self.reads.waiting.get_mut(&ticket) {
            read.asked = Some(now);
            self.with_raft(cx, |raft, cx| raft.on_command(RaftCommand::Read { ticket }, cx));
        }
    }

    /// Asks again for reads that found no leader, or whose answer is overdue. Asking twice does no harm.
    pub(super) fn ask_reads_again(&mut self, cx: &mut Context<'_, Replica>) {
        if self.reads.waiting.is_empty() || self.consensus.raft().leader().is_none() {
            return;
        }
        let now = cx.now();
        let overdue =
            |read: &Read| read.ready_at.is_none() && read.asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN);
        let again: Vec<RaftTicket> =
            self.reads.waiting.iter().filter(|(_, read)| overdue(read)).map(|(ticket, _)| *ticket).collect();
        for ticket in again {
            self.ask_read(ticket, cx);
        }
    }

    /// Consensus reports: linearizable once `index` is applied.
    pub(super) fn on_read_ready(&mut self, ticket: RaftTicket, index: Index, cx: &mut Context<'_, Replica>) {
        let Some(read) = self.reads.waiting.get_mut(&ticket).filter(|read| read.ready_at.is_none()) else {
            return;
        };
        if index <= self.machine.applied() {
            self.finish_read(ticket, cx);
        } else {
            read.ready_at = Some(index);
            self.reads.ready.insert((index, ticket));
        }
    }

    /// Consensus refused a request: a read is retried later, a transfer is over.
    pub(super) fn on_refused(&mut self, ticket: RaftTicket, reason: RaftRefusal, cx: &mut Context<'_, Replica>) {
        if let Some(read) = self.reads.waiting.get_mut(&ticket).filter(|read| read.ready_at.is_none()) {
            read.asked = None;
            if reason == RaftRefusal::TooMany {
                self.end_read(ticket, Error::TooManyRequests, cx);
            }
        } else {
            self.on_transfer_refused(ticket, reason, cx);
        }
    }

    /// Everything up to `self.machine.applied()` was applied.
    pub(super) fn finish_ready_reads(&mut self, cx: &mut Context<'_, Replica>) {
        while let Some((index, ticket)) = self.reads.ready.first().copied() {
            if index > self.machine.applied() {
                return;
            }
            self.finish_read(ticket, cx);
        }
    }

    fn finish_read(&mut self, ticket: RaftTicket, cx: &mut Context<'_, Replica>) {
        match self.reads.remove(ticket) {
            Some(Asker::Door(door)) => self.reply(door, Ok(Reply::ReadReady), cx),
            Some(Asker::Lease) => self.answer_lease(ticket, cx),
            None => {}
        }
    }

    fn end_read(&mut self, ticket: RaftTicket, error: Error, cx: &mut Context<'_, Replica>) {
        match self.reads.remove(ticket) {
            Some(Asker::Door(door)) => self.reply(door, Err(error), cx),
            Some(Asker::Lease) => self.leases.on_read_failed(ticket),
            None => {}
        }
    }

    /// Some reads time out, including those that wait for entries which never arrive: this node may be partitioned.
    pub(super) fn expire_reads(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        let late: Vec<RaftTicket> =
            self.reads.waiting.iter().filter(|(_, read)| read.deadline <= now).map(|(ticket, _)| *ticket).collect();
        for ticket in late {
            self.end_read(ticket, Error::Timeout, cx);
        }
    }

    pub(super) fn forget_read(&mut self, ticket: Ticket) {
        if let Some(asked) = self.reads.of_doors.get(&ticket).copied() {
            self.reads.remove(asked);
        }
    }
}

//! The coordinator.

use super::{Coordinating, Message, NOTHING, Participating, Record, Rule, Timer, TwoPhase, UNDER_WAY_MAX};
use crate::transaction::{Content, Decision, Event, Transaction, Vote};
use alloc::collections::BTreeSet;
use volvox_core::{Context, NodeId};

impl TwoPhase {
    /// The first phase. A participant that begins the transaction has already `voted` yes.
    pub(super) fn begin(
        &mut self,
        transaction: Transaction,
        content: Content,
        voted: Option<NodeId>,
        cx: &mut Context<'_, TwoPhase>,
    ) {
        if self.coordinating.len() >= UNDER_WAY_MAX {
            return cx.note("too many transactions in progress", UNDER_WAY_MAX as u64);
        }
        self.note_begun(transaction);
        cx.persist(Record::Begun(transaction));
        cx.emit(Event::Begun(transaction, self.participants.len() as u64));
        if self.participants.contains(&self.id) && !self.votes_itself(transaction, content, cx) {
            return self.abort(transaction, None, cx);
        }
        let mut missing = self.participants.clone();
        missing.remove(&self.id);
        if let Some(voted) = voted {
            missing.remove(&voted);
        }
        // A request reveals the transaction's name, but nothing else that "begun" protects: that record matters when an
        // abort is announced, and aborts wait for it. The name needs no record, since no later boot reuses it. So no
        // request waits for the disk (Gray and Lamport 2006, section 3.2, count no write here).
        for participant in &missing {
            cx.send_after(NOTHING, *participant, Message::VoteReq(transaction, content));
        }
        if missing.is_empty() {
            return self.commit(transaction, content, cx);
        }
        self.coordinating.insert(transaction, Coordinating::Voting { missing, content });
        cx.set_timer(Timer::Votes(transaction), self.config.vote_timeout);
    }

    /// A coordinator that takes part needs no record of its own yes: "committed" will be in the same log.
    fn votes_itself(&mut self, transaction: Transaction, content: Content, cx: &mut Context<'_, TwoPhase>) -> bool {
        let refuses = core::mem::take(&mut self.refuses_next);
        cx.emit(Event::Voted(transaction, if refuses { Vote::No } else { Vote::Yes }, content));
        !refuses
    }

    pub(super) fn on_vote(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        vote: Vote,
        cx: &mut Context<'_, TwoPhase>,
    ) {
        match (self.coordinating.get_mut(&transaction), vote) {
            (Some(Coordinating::Voting { .. }), Vote::No) => self.abort(transaction, Some(from), cx),
            (Some(Coordinating::Voting { missing, content }), Vote::Yes) => {
                let content = *content;
                missing.remove(&from);
                if missing.is_empty() || !self.config.keeps(Rule::Unanimity) {
                    self.commit(transaction, content, cx);
                }
            }
            _ => cx.note("a vote that decides nothing", from.0),
        }
    }

    /// A participant begins the transaction: its first message is its yes.
    pub(super) fn on_begin(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        content: Content,
        cx: &mut Context<'_, TwoPhase>,
    ) {
        if from != transaction.origin || self.was_begun(transaction) {
            return cx.note("already begun, or too late to begin", from.0);
        }
        self.begin(transaction, content, Some(from), cx);
    }

    /// The second phase, when all voted yes.
    fn commit(&mut self, transaction: Transaction, content: Content, cx: &mut Context<'_, TwoPhase>) {
        self.keep_committed(transaction, content);
        if self.config.keeps(Rule::Committed) {
            cx.persist(Record::Committed(transaction, content));
        }
        cx.cancel_timer(Timer::Votes(transaction));
        cx.emit(Event::Decided(transaction, Decision::Commit));
        self.tell_commit(transaction, cx);
    }

    /// Also restores a record "committed" after a restart.
    pub(super) fn keep_committed(&mut self, transaction: Transaction, content: Content) {
        let mut missing = self.participants.clone();
        if missing.remove(&self.id) {
            self.remember(transaction, Decision::Commit);
        }
        self.coordinating.insert(transaction, Coordinating::Committed { missing, content });
    }

    pub(super) fn tell_commit(&mut self, transaction: Transaction, cx: &mut Context<'_, TwoPhase>) {
        let Some(Coordinating::Committed { missing, .. }) = self.coordinating.get(&transaction) else { return };
        cx.broadcast(missing, Message::Decision(transaction, Decision::Commit));
        if missing.is_empty() {
            return self.forget(transaction, cx);
        }
        cx.set_timer(Timer::Acks(transaction), self.config.ack_timeout);
    }

    pub(super) fn on_ack(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, TwoPhase>) {
        let Some(Coordinating::Committed { missing, .. }) = self.coordinating.get_mut(&transaction) else { return };
        missing.remove(&from);
        if missing.is_empty() || !self.config.keeps(Rule::Acknowledged) {
            self.forget(transaction, cx);
        }
    }

    /// No participant will ask about it any more; one that did would be told that it is aborted.
    fn forget(&mut self, transaction: Transaction, cx: &mut Context<'_, TwoPhase>) {
        self.coordinating.remove(&transaction);
        cx.persist(Record::Ended(transaction));
        cx.cancel_timer(Timer::Acks(transaction));
    }

    /// The second phase, when a vote is no or missing. A participant that voted no already knows. Nothing is persisted:
    /// a transaction that is begun and not committed is aborted.
    pub(super) fn abort(&mut self, transaction: Transaction, said_no: Option<NodeId>, cx: &mut Context<'_, TwoPhase>) {
        self.coordinating.remove(&transaction);
        cx.cancel_timer(Timer::Votes(transaction));
        if self.participants.contains(&self.id) {
            self.remember(transaction, Decision::Abort);
        }
        cx.emit(Event::Decided(transaction, Decision::Abort));
        let told: BTreeSet<NodeId> = self.participants.iter().copied().filter(|node| Some(*node) != said_no).collect();
        cx.broadcast(&told, Message::Decision(transaction, Decision::Abort));
    }

    /// A participant is uncertain. While votes are missing, so is the coordinator.
    pub(super) fn on_decision_req(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, TwoPhase>) {
        let decision = match self.coordinating.get(&transaction) {
            Some(Coordinating::Voting { .. }) => return,
            Some(Coordinating::Committed { .. }) => Decision::Commit,
            None => Decision::Abort,
        };
        if !self.was_begun(transaction) {
            // The yes that would begin it may still be in flight: it must be refused, even after a crash.
            self.note_begun(transaction);
            cx.persist(Record::Begun(transaction));
        }
        cx.send(from, Message::Decision(transaction, decision));
    }

    pub(super) fn note_begun(&mut self, transaction: Transaction) {
        let begun = self.begun.entry(transaction.origin).or_insert(transaction.number);
        *begun = (*begun).max(transaction.number);
    }

    fn was_begun(&self, transaction: Transaction) -> bool {
        self.begun.get(&transaction.origin).is_some_and(|begun| transaction.number <= *begun)
    }

    /// Also used by a coordinator that is a participant.
    pub(super) fn remember(&mut self, transaction: Transaction, decision: Decision) {
        self.participating.insert(transaction, Participating::Decided(decision));
        self.forget_oldest();
    }
}

//! The participant.

use super::{Message, OUTCOMES_MAX, Participating, Record, Rule, Timer, TwoPhase};
use crate::transaction::{Content, Decision, Event, Transaction, Vote};
use volvox_core::{Context, NodeId};

impl TwoPhase {
    /// Its yes is the first message (Gray and Lamport 2006, section 3.2).
    pub(super) fn begin_as_participant(&mut self, content: Content, cx: &mut Context<'_, TwoPhase>) {
        if !self.has_room() {
            return cx.note("too many unknown outcomes", 0);
        }
        let transaction = self.next_transaction();
        self.vote_yes(transaction, content, Message::Begin(transaction, content), cx);
    }

    pub(super) fn on_vote_req(&mut self, transaction: Transaction, content: Content, cx: &mut Context<'_, TwoPhase>) {
        match self.participating.get(&transaction) {
            Some(Participating::Decided(Decision::Commit)) => cx.note("asked again after the commit", 0),
            Some(Participating::Decided(Decision::Abort)) => {
                cx.send(self.coordinator, Message::Vote(transaction, Vote::No));
            }
            // Bound to the content of the first request: no other has this name.
            Some(Participating::Uncertain(_)) => cx.send(self.coordinator, Message::Vote(transaction, Vote::Yes)),
            None if self.is_forgotten(transaction) => {
                cx.send(self.coordinator, Message::Vote(transaction, Vote::No));
            }
            None if self.refuses_next || !self.has_room() => {
                self.refuses_next = false;
                cx.emit(Event::Voted(transaction, Vote::No, content));
                self.decide(transaction, Decision::Abort, cx);
                cx.send(self.coordinator, Message::Vote(transaction, Vote::No));
            }
            None => self.vote_yes(transaction, content, Message::Vote(transaction, Vote::Yes), cx),
        }
    }

    /// From here on it may not abort unilaterally, even after a crash; the record ensures that.
    fn vote_yes(&mut self, transaction: Transaction, content: Content, yes: Message, cx: &mut Context<'_, TwoPhase>) {
        self.keep_uncertain(transaction, content);
        if self.config.keeps(Rule::Prepared) {
            cx.persist(Record::Prepared(transaction, content));
        }
        cx.emit(Event::Voted(transaction, Vote::Yes, content));
        cx.send(self.coordinator, yes);
        cx.set_timer(Timer::Decision(transaction), self.config.decision_timeout);
    }

    /// Also restores a record "prepared" after a restart.
    pub(super) fn keep_uncertain(&mut self, transaction: Transaction, content: Content) {
        self.participating.insert(transaction, Participating::Uncertain(content));
        self.forget_oldest();
    }

    pub(super) fn on_decision(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        decision: Decision,
        cx: &mut Context<'_, TwoPhase>,
    ) {
        match (self.participating.get(&transaction).copied(), decision) {
            (Some(Participating::Uncertain(_)), _) => self.decide(transaction, decision, cx),
            // The coordinator did not wait for the vote.
            (None, Decision::Abort) if !self.is_forgotten(transaction) => self.decide(transaction, decision, cx),
            (None, Decision::Commit) if !self.is_forgotten(transaction) => {
                return cx.note("a commit without a vote", from.0);
            }
            _ => {}
        }
        // Repeated for a coordinator that repeats the commit. It waits for the record above.
        if decision == Decision::Commit && from == self.coordinator {
            cx.send(from, Message::Ack(transaction));
        }
    }

    fn decide(&mut self, transaction: Transaction, decision: Decision, cx: &mut Context<'_, TwoPhase>) {
        self.remember(transaction, decision);
        cx.persist(Record::Decided(transaction, decision));
        cx.cancel_timer(Timer::Decision(transaction));
        cx.emit(Event::Decided(transaction, decision));
    }

    /// Cooperative termination on the side of the uncertain participant (7.4).
    pub(super) fn ask_for_decision(&mut self, transaction: Transaction, cx: &mut Context<'_, TwoPhase>) {
        if !self.config.keeps(Rule::Uncertain) {
            return self.decide(transaction, Decision::Abort, cx);
        }
        cx.broadcast(&self.members, Message::DecisionReq(transaction));
        cx.set_timer(Timer::Decision(transaction), self.config.decision_timeout);
    }

    /// Cooperative termination on the side of the participant that is asked (7.4).
    pub(super) fn on_decision_req_of_peer(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        cx: &mut Context<'_, TwoPhase>,
    ) {
        let decision = match self.participating.get(&transaction) {
            Some(Participating::Decided(decision)) => *decision,
            Some(Participating::Uncertain(_)) => return cx.note("uncertain itself", from.0),
            None if self.is_forgotten(transaction) => return cx.note("asked about a discarded transaction", from.0),
            None => {
                // It has not voted, so it may abort; and from now on it must never vote yes.
                if self.config.keeps(Rule::Refusal) {
                    self.decide(transaction, Decision::Abort, cx);
                }
                Decision::Abort
            }
        };
        cx.send(from, Message::Decision(transaction, decision));
    }

    fn has_room(&self) -> bool {
        self.participating.len() < OUTCOMES_MAX || self.oldest_decided().is_some()
    }

    /// A restart uses the same order, so that the log alone determines which outcomes are discarded.
    pub(super) fn forget_oldest(&mut self) {
        while self.participating.len() > OUTCOMES_MAX {
            let Some(oldest) = self.oldest_decided() else { return };
            self.participating.remove(&oldest);
            let forgotten = self.forgotten.entry(oldest.origin).or_insert(oldest.number);
            *forgotten = (*forgotten).max(oldest.number);
        }
    }

    fn oldest_decided(&self) -> Option<Transaction> {
        let decided = |state: &Participating| matches!(state, Participating::Decided(_));
        self.participating.iter().find(|(_, state)| decided(state)).map(|(transaction, _)| *transaction)
    }

    fn is_forgotten(&self, transaction: Transaction) -> bool {
        self.forgotten.get(&transaction.origin).is_some_and(|forgotten| transaction.number <= *forgotten)
    }
}

//! The coordinator: the first, and an elected one.

use super::{Collecting, Message, Part, Phase, Record, Rule, ThreePhase, Timer, UNDER_WAY_MAX};
use crate::transaction::{Content, Decision, Event, Transaction, Vote};
use alloc::collections::{BTreeMap, BTreeSet};
use volvox_core::{Context, NodeId, Serial};

impl ThreePhase {
    /// The first phase: the votes.
    pub(super) fn begin(&mut self, content: Content, cx: &mut Context<'_, ThreePhase>) {
        if self.undecided().count() >= UNDER_WAY_MAX {
            return cx.note("too many transactions in progress", UNDER_WAY_MAX as u64);
        }
        // The request waits for the record, so the log holds every number that any node has seen, and no boot is
        // needed.
        self.last_number += 1;
        let transaction = Transaction { origin: self.id, number: Serial::first_boot(self.last_number) };
        cx.persist(Record::Entered(transaction, content));
        self.keep(transaction, Part::uncertain(transaction, content));
        self.tell_entered(transaction, cx);
        let missing = self.participants();
        cx.broadcast(&missing, Message::VoteReq(transaction, content));
        self.collect(transaction, Collecting::Votes { missing }, cx);
    }

    pub(super) fn on_vote(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        vote: Vote,
        cx: &mut Context<'_, ThreePhase>,
    ) {
        let is_hasty = !self.config.keeps(Rule::Unanimity);
        let Some(Collecting::Votes { missing }) = self.collecting(transaction) else {
            return cx.note("a vote that decides nothing", from.0);
        };
        missing.remove(&from);
        let is_complete = missing.is_empty();
        match vote {
            Vote::No => {
                let told = self.participants().into_iter().filter(|node| *node != from).collect();
                self.conclude(transaction, Decision::Abort, &told, cx);
            }
            Vote::Yes if is_complete || is_hasty => {
                let participants = self.participants();
                if !self.config.keeps(Rule::PreCommit) {
                    return self.conclude(transaction, Decision::Commit, &participants, cx);
                }
                self.pre_commit(transaction, participants, cx);
            }
            Vote::Yes => {}
        }
    }

    /// The second phase: all nodes learn that all voted yes.
    fn pre_commit(&mut self, transaction: Transaction, who: BTreeSet<NodeId>, cx: &mut Context<'_, ThreePhase>) {
        let Some(part) = self.parts.get_mut(&transaction) else { return };
        part.phase = Phase::PreCommitted;
        cx.broadcast(&who, Message::PreCommit(transaction));
        if who.is_empty() || !self.config.keeps(Rule::Acks) {
            return self.commit(transaction, cx);
        }
        self.collect(transaction, Collecting::Acks { missing: who }, cx);
    }

    pub(super) fn on_ack(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let Some(Collecting::Acks { missing }) = self.collecting(transaction) else { return };
        missing.remove(&from);
        if missing.is_empty() {
            self.commit(transaction, cx);
        }
    }

    /// The third phase: every living node knows that all voted yes.
    fn commit(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let told = self.behind();
        self.conclude(transaction, Decision::Commit, &told, cx);
    }

    fn conclude(
        &mut self,
        transaction: Transaction,
        decision: Decision,
        told: &BTreeSet<NodeId>,
        cx: &mut Context<'_, ThreePhase>,
    ) {
        self.decide(transaction, decision, cx);
        cx.broadcast(told, Message::Decision(transaction, decision));
    }

    /// Two delays have passed: a node that has not answered is dead.
    pub(super) fn on_answers_due(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        match self.collecting(transaction).cloned() {
            Some(Collecting::Votes { .. }) => {
                let told = self.participants();
                self.conclude(transaction, Decision::Abort, &told, cx);
            }
            Some(Collecting::Acks { .. }) => self.commit(transaction, cx),
            Some(Collecting::States { known, .. }) => self.terminate(transaction, &known, cx),
            None => {}
        }
    }

    /// A node believes the coordinator to be dead, and this one is next.
    pub(super) fn on_elect(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        self.refuse_unknown(transaction, cx);
        let Some(part) = self.parts.get(&transaction) else { return };
        match part.phase {
            Phase::Decided(decision) => cx.send(from, Message::Decision(transaction, decision)),
            _ if part.recovering.is_some() => cx.note("was dead, and takes no part", from.0),
            _ if part.coordinator >= self.id => cx.note("already elected, or too late", from.0),
            _ => self.become_coordinator(transaction, cx),
        }
    }

    /// Termination: asks the remaining nodes for their states.
    pub(super) fn become_coordinator(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let id = self.id;
        let Some(part) = self.parts.get_mut(&transaction) else { return };
        part.coordinator = id;
        let known = BTreeMap::from([(id, part.phase)]);
        cx.cancel_timer(Timer::Silence(transaction));
        let missing = self.behind();
        if missing.is_empty() {
            return self.terminate(transaction, &known, cx);
        }
        cx.broadcast(&missing, Message::StateReq(transaction));
        self.collect(transaction, Collecting::States { missing, known }, cx);
    }

    pub(super) fn on_state(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        phase: Phase,
        cx: &mut Context<'_, ThreePhase>,
    ) {
        let Some(Collecting::States { missing, known }) = self.collecting(transaction) else { return };
        if missing.remove(&from) {
            known.insert(from, phase);
        }
        if missing.is_empty() {
            let known = known.clone();
            self.terminate(transaction, &known, cx);
        }
    }

    /// The termination rules TR1 to TR4 (7.5).
    fn terminate(
        &mut self,
        transaction: Transaction,
        known: &BTreeMap<NodeId, Phase>,
        cx: &mut Context<'_, ThreePhase>,
    ) {
        let told = self.behind();
        let any = |phase| known.values().any(|known| *known == phase);
        if any(Phase::Decided(Decision::Abort)) {
            self.conclude(transaction, Decision::Abort, &told, cx);
        } else if any(Phase::Decided(Decision::Commit)) {
            self.conclude(transaction, Decision::Commit, &told, cx);
        } else if !any(Phase::PreCommitted) {
            self.conclude(transaction, Decision::Abort, &told, cx);
        } else if !self.config.keeps(Rule::Again) {
            self.conclude(transaction, Decision::Commit, &told, cx);
        } else {
            let uncertain = known.iter().filter(|(node, phase)| **phase == Phase::Uncertain && **node != self.id);
            let uncertain = uncertain.map(|(node, _)| *node).collect();
            self.pre_commit(transaction, uncertain, cx);
        }
    }

    fn collect(&mut self, transaction: Transaction, what: Collecting, cx: &mut Context<'_, ThreePhase>) {
        let Some(part) = self.parts.get_mut(&transaction) else { return };
        part.collecting = Some(what);
        cx.set_timer(Timer::Answers(transaction), self.config.delay * 2);
    }

    fn collecting(&mut self, transaction: Transaction) -> Option<&mut Collecting> {
        self.parts.get_mut(&transaction)?.collecting.as_mut()
    }

    /// How this node entered: it began the transaction, or voted yes.
    pub(super) fn tell_entered(&self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        if transaction.origin == self.id {
            cx.emit(Event::Begun(transaction, self.participants().len() as u64));
        } else {
            let content = self.parts.get(&transaction).map_or(Content::default(), |part| part.content);
            cx.emit(Event::Voted(transaction, Vote::Yes, content));
        }
    }
}

//! The participant, including one that restarted.

use super::{Message, OUTCOMES_MAX, Part, Phase, Record, ThreePhase, Timer};
use crate::transaction::{Content, Decision, Event, Transaction, Vote};
use volvox_core::{Context, NodeId};

impl ThreePhase {
    pub(super) fn on_vote_req(
        &mut self,
        from: NodeId,
        transaction: Transaction,
        content: Content,
        cx: &mut Context<'_, ThreePhase>,
    ) {
        if self.parts.contains_key(&transaction) || from != transaction.origin {
            return cx.note("asked for a vote too late", from.0);
        }
        if self.refuses_next || !self.has_room() {
            self.refuses_next = false;
            cx.emit(Event::Voted(transaction, Vote::No, content));
            self.refuse_unknown(transaction, cx);
            return cx.send(from, Message::Vote(transaction, Vote::No));
        }
        cx.persist(Record::Entered(transaction, content));
        self.keep(transaction, Part::uncertain(transaction, content));
        self.tell_entered(transaction, cx);
        cx.send(from, Message::Vote(transaction, Vote::Yes));
        self.listen(transaction, 3, cx);
    }

    pub(super) fn on_pre_commit(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let Some(part) = self.serving(from, transaction) else { return cx.note("does not serve this one", from.0) };
        part.phase = Phase::PreCommitted;
        cx.send(from, Message::Ack(transaction));
        self.listen(transaction, 3, cx);
    }

    /// Follows a new coordinator. Those before it are dead.
    pub(super) fn on_state_req(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        self.refuse_unknown(transaction, cx);
        let Some(part) = self.parts.get_mut(&transaction) else { return };
        if part.recovering.is_some() || (part.coordinator > from && !matches!(part.phase, Phase::Decided(_))) {
            return cx.note("does not serve this one", from.0);
        }
        part.coordinator = from;
        let phase = part.phase;
        cx.send(from, Message::State(transaction, phase));
        if !matches!(phase, Phase::Decided(_)) {
            self.listen(transaction, 3, cx);
        }
    }

    /// The coordinator is dead. Asks the next node by id to take over, unless that is this one.
    pub(super) fn suspect_coordinator(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let Some(part) = self.parts.get_mut(&transaction) else { return };
        let next = self.members.iter().copied().find(|node| *node > part.coordinator).unwrap_or(self.id);
        if next == self.id {
            return self.become_coordinator(transaction, cx);
        }
        part.coordinator = next;
        cx.send(next, Message::Elect(transaction));
        self.listen(transaction, 2, cx);
    }

    /// Also used by a coordinator that has decided.
    pub(super) fn decide(&mut self, transaction: Transaction, decision: Decision, cx: &mut Context<'_, ThreePhase>) {
        let timer = match self.parts.get(&transaction) {
            Some(part) if matches!(part.phase, Phase::Decided(_)) => return,
            Some(part) if part.collecting.is_some() => Some(Timer::Answers(transaction)),
            Some(part) if part.recovering.is_some() => Some(Timer::Recovery(transaction)),
            Some(_) => Some(Timer::Silence(transaction)),
            None => None,
        };
        self.keep(transaction, Part::decided(transaction, decision));
        cx.persist(Record::Decided(transaction, decision));
        if let Some(timer) = timer {
            cx.cancel_timer(timer);
        }
        cx.emit(Event::Decided(transaction, decision));
    }

    /// A node that has not voted may abort; and it never votes yes afterwards.
    pub(super) fn refuse_unknown(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        if !self.parts.contains_key(&transaction) {
            self.decide(transaction, Decision::Abort, cx);
        }
    }

    /// A restarted node asks all others, until one of them knows the outcome.
    pub(super) fn ask_how_it_ended(&mut self, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        cx.broadcast(&self.members, Message::DecisionReq(transaction));
        cx.set_timer(Timer::Recovery(transaction), self.config.delay * 4);
    }

    pub(super) fn on_decision_req(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        self.refuse_unknown(transaction, cx);
        let Some(part) = self.parts.get(&transaction) else { return };
        match part.phase {
            Phase::Decided(decision) => cx.send(from, Message::Decision(transaction, decision)),
            _ if part.recovering.is_some() => cx.send(from, Message::Recovering(transaction)),
            _ => cx.note("will know soon", from.0),
        }
    }

    /// Total failure: if no node that took part has persisted a decision, none was announced (7.5).
    pub(super) fn on_recovering(&mut self, from: NodeId, transaction: Transaction, cx: &mut Context<'_, ThreePhase>) {
        let members = self.members.len();
        let Some(dead) = self.parts.get_mut(&transaction).and_then(|part| part.recovering.as_mut()) else { return };
        dead.insert(from);
        if dead.len() + 1 == members {
            self.decide(transaction, Decision::Abort, cx);
        }
    }

    /// Waits for the coordinator for this many delays.
    fn listen(&mut self, transaction: Transaction, delays: u32, cx: &mut Context<'_, ThreePhase>) {
        cx.set_timer(Timer::Silence(transaction), self.config.delay * delays);
    }

    /// The state of a living participant that follows this coordinator and does not know the outcome.
    fn serving(&mut self, coordinator: NodeId, transaction: Transaction) -> Option<&mut Part> {
        let part = self.parts.get_mut(&transaction)?;
        let serves = part.coordinator == coordinator && part.recovering.is_none();
        (serves && !matches!(part.phase, Phase::Decided(_))).then_some(part)
    }

    fn has_room(&self) -> bool {
        self.undecided().count() < OUTCOMES_MAX
    }
}

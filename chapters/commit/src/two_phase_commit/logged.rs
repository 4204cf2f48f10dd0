//! Write-ahead logging: the rules for the log of two-phase commit (Bernstein, Hadzilacos and Goodman 1987, 7.4).

use super::{COORDINATOR, Instance};
use volvox_commit::transaction::{Decision, Outcome, Transaction, Vote};
use volvox_commit::two_phase::{Message, Record};
use volvox_core::NodeId;
use volvox_lab::check::{State, View};

/// Whether every message in flight, and every event, reveals only what will survive a crash; and whether an event tells
/// what has survived one.
pub(super) fn is_logged(world: &Instance, state: &State) -> bool {
    let view = world.view(state);
    view.in_flight().all(|(from, _, message)| Log::of(&view, from).justifies(message))
        && view.history().iter().all(|(transaction, outcome)| is_kept(&view, *transaction, outcome))
        && view.nodes().all(|(id, _)| Log::of(&view, id).is_announced(&view))
}

type Seen<'a> = View<'a, volvox_commit::two_phase::TwoPhase, volvox_commit::two_phase::History>;

/// The durable records of a node.
struct Log<'a> {
    node: NodeId,
    records: Vec<&'a Record>,
}

impl<'a> Log<'a> {
    fn of(view: &Seen<'a>, node: NodeId) -> Log<'a> {
        let (mut records, durable) = view.records(node);
        records.truncate(durable);
        Log { node, records }
    }

    fn has(&self, test: impl Fn(&Record) -> bool) -> bool {
        self.records.iter().any(|record| test(record))
    }

    fn has_begun(&self, transaction: Transaction) -> bool {
        self.has(|record| matches!(record, Record::Begun(one) if *one >= transaction))
    }

    fn has_prepared(&self, transaction: Transaction) -> bool {
        self.has(|record| matches!(record, Record::Prepared(one, _) if *one == transaction))
    }

    /// A coordinator that has begun a transaction and not committed it presumes that it is aborted.
    fn has_decided(&self, transaction: Transaction, decision: Decision) -> bool {
        let is_coordinator = self.node == COORDINATOR;
        self.has(|record| match record {
            Record::Committed(one, _) => *one == transaction && decision == Decision::Commit,
            Record::Decided(one, made) => *one == transaction && decision == *made,
            _ => false,
        }) || (is_coordinator && decision == Decision::Abort && self.has_begun(transaction))
    }

    fn justifies(&self, message: &Message) -> bool {
        match message {
            // The name is never reused, so it needs no record.
            Message::VoteReq(..) => true,
            Message::Begin(transaction, _)
            | Message::Vote(transaction, Vote::Yes)
            | Message::DecisionReq(transaction) => self.has_prepared(*transaction),
            Message::Vote(transaction, Vote::No) => self.has_decided(*transaction, Decision::Abort),
            Message::Decision(transaction, decision) => self.has_decided(*transaction, *decision),
            Message::Ack(transaction) => self.has_decided(*transaction, Decision::Commit),
        }
    }

    /// A participant that is bound or knows the decision, and a coordinator that has committed, has told so, even if it
    /// crashed before it could. A yes need not be told once it cannot be sent: the abort is on the same disk.
    fn is_announced(&self, view: &Seen<'a>) -> bool {
        let told = |transaction: &Transaction, test: &dyn Fn(&Outcome) -> bool| {
            view.history().iter().any(|(one, outcome)| one == transaction && test(outcome))
        };
        let is_ended =
            |transaction: &Transaction| self.has(|record| matches!(record, Record::Ended(one) if one == transaction));
        self.records.iter().all(|record| match record {
            Record::Prepared(transaction, _) => {
                self.has_decided(*transaction, Decision::Abort)
                    || told(transaction, &|outcome| outcome.yes.contains(&self.node))
            }
            Record::Committed(transaction, _) => {
                is_ended(transaction)
                    || told(transaction, &|outcome| {
                        outcome.participants.is_some() && outcome.decisions.contains_key(&self.node)
                    })
            }
            Record::Decided(transaction, decision) => {
                told(transaction, &|outcome| outcome.decisions.get(&self.node) == Some(decision))
            }
            Record::Begun(_) | Record::Ended(_) => true,
        })
    }
}

fn is_kept(view: &Seen<'_>, transaction: Transaction, outcome: &Outcome) -> bool {
    let coordinator = Log::of(view, COORDINATOR);
    outcome.participants.is_none_or(|_| coordinator.has_begun(transaction))
        && outcome.yes.iter().all(|node| match *node {
            COORDINATOR => coordinator.has_begun(transaction),
            node => Log::of(view, node).has_prepared(transaction),
        })
        && outcome.decisions.iter().all(|(node, made)| Log::of(view, *node).has_decided(transaction, *made))
}

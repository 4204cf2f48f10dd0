//! The messages and records.

use crate::transaction::{Content, Decision, Transaction, Vote};
use volvox_core::{Kinds, payload};

/// The messages between nodes, in the words of Bernstein, Hadzilacos and Goodman (1987, 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The coordinator asks a participant whether it can commit this content.
    VoteReq(Transaction, Content),
    /// A participant answers.
    Vote(Transaction, Vote),
    /// A participant begins a transaction, and votes yes on it.
    Begin(Transaction, Content),
    /// The decision: from the coordinator, or from any node that knows it to one that asked.
    Decision(Transaction, Decision),
    /// A participant that voted yes and has received nothing since asks all nodes.
    DecisionReq(Transaction),
    /// A participant has persisted the commit, and will not ask any more.
    Ack(Transaction),
}

payload! { Message: "message of two-phase commit";
    0 VoteReq(transaction, content) as "Vote-req"           => ("Vote-req {transaction}{}", content.in_brackets()),
    1 Vote(transaction, vote) as vote: Vote                 => ("{} {transaction}", vote.kind()),
    5 Begin(transaction, content)                           => ("Begin {transaction}{}", content.in_brackets()),
    2 Decision(transaction, decision) as decision: Decision => ("{} {transaction}", decision.kind()),
    3 DecisionReq(transaction) as "Decision-req"            => "Decision-req {transaction}",
    4 Ack(transaction)                                      => "Ack {transaction}",
}

impl Message {
    pub(super) fn transaction(&self) -> Transaction {
        match self {
            Message::VoteReq(transaction, _)
            | Message::Vote(transaction, _)
            | Message::Begin(transaction, _)
            | Message::Decision(transaction, _)
            | Message::DecisionReq(transaction)
            | Message::Ack(transaction) => *transaction,
        }
    }
}

/// The records, which survive a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// Coordinator: this transaction and all before it, of this origin, were begun or refused.
    Begun(Transaction),
    /// Coordinator: all voted yes on this content. From here on the transaction is committed, whatever happens.
    Committed(Transaction, Content),
    /// Coordinator: every participant has persisted the commit, so none will ever ask.
    Ended(Transaction),
    /// Participant: it can commit this content, even after a crash, and may no longer abort unilaterally.
    Prepared(Transaction, Content),
    /// Participant: the decision, received or its own.
    Decided(Transaction, Decision),
}

payload! { Record: "record of two-phase commit";
    0 Begun(transaction)              => "begun {transaction}",
    1 Committed(transaction, content) => ("committed {transaction}{}", content.in_brackets()),
    2 Ended(transaction)              => "ended {transaction}",
    3 Prepared(transaction, content)  => ("prepared {transaction}{}", content.in_brackets()),
    4 Decided(transaction, decision)  => "decided {decision} {transaction}",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Coordinator: votes are missing.
    Votes(Transaction),
    /// Coordinator: acknowledgements are missing.
    Acks(Transaction),
    /// Participant: the decision is missing.
    Decision(Transaction),
}

payload! { Timer; Votes(transaction), Acks(transaction), Decision(transaction) }

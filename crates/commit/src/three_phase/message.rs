//! The messages and records.

use crate::transaction::{Content, Decision, Transaction, Vote};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, Kinds, Reader, payload};

/// The state of a node, as it reports to a new coordinator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// The node voted yes, and cannot know whether all others did.
    Uncertain,
    /// The node knows that all voted yes, but not whether all others know.
    PreCommitted,
    /// The node knows the outcome.
    Decided(Decision),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Uncertain => "uncertain",
            Phase::PreCommitted => "pre-committed",
            Phase::Decided(Decision::Commit) => "committed",
            Phase::Decided(Decision::Abort) => "aborted",
        })
    }
}

impl Encode for Phase {
    fn encode(&self, out: &mut Vec<u8>) {
        let tag: u8 = match self {
            Phase::Uncertain => 0,
            Phase::PreCommitted => 1,
            Phase::Decided(Decision::Commit) => 2,
            Phase::Decided(Decision::Abort) => 3,
        };
        tag.encode(out);
    }
}

impl Decode for Phase {
    fn decode(input: &mut Reader<'_>) -> Result<Phase, DecodeError> {
        Ok(match input.u8()? {
            0 => Phase::Uncertain,
            1 => Phase::PreCommitted,
            2 => Phase::Decided(Decision::Commit),
            3 => Phase::Decided(Decision::Abort),
            other => return Err(DecodeError::Unknown("phase", u64::from(other))),
        })
    }
}

/// The messages between nodes, in the words of Bernstein, Hadzilacos and Goodman (1987, 7.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The coordinator asks a participant whether it can commit this content.
    VoteReq(Transaction, Content),
    /// A participant answers.
    Vote(Transaction, Vote),
    /// All voted yes; prepare to commit.
    PreCommit(Transaction),
    /// A participant knows that all voted yes.
    Ack(Transaction),
    /// The decision.
    Decision(Transaction, Decision),
    /// The coordinator is dead: take over.
    Elect(Transaction),
    /// A new coordinator asks for a participant's state.
    StateReq(Transaction),
    /// A participant answers.
    State(Transaction, Phase),
    /// A restarted node asks for the outcome.
    DecisionReq(Transaction),
    /// The sender restarted, too, and does not know.
    Recovering(Transaction),
}

payload! { Message: "message of three-phase commit";
    0 VoteReq(transaction, content) as "Vote-req"           => ("Vote-req {transaction}{}", content.in_brackets()),
    1 Vote(transaction, vote) as vote: Vote                 => ("{} {transaction}", vote.kind()),
    2 PreCommit(transaction) as "Pre-commit"                => "Pre-commit {transaction}",
    3 Ack(transaction)                                      => "Ack {transaction}",
    4 Decision(transaction, decision) as decision: Decision => ("{} {transaction}", decision.kind()),
    5 Elect(transaction)                                    => "Elect {transaction}",
    6 StateReq(transaction) as "State-req"                  => "State-req {transaction}",
    7 State(transaction, phase)                             => "State {transaction} {phase}",
    8 DecisionReq(transaction) as "Decision-req"            => "Decision-req {transaction}",
    9 Recovering(transaction)                               => "Recovering {transaction}",
}

impl Message {
    pub(super) fn transaction(&self) -> Transaction {
        match self {
            Message::VoteReq(transaction, _)
            | Message::Vote(transaction, _)
            | Message::PreCommit(transaction)
            | Message::Ack(transaction)
            | Message::Decision(transaction, _)
            | Message::Elect(transaction)
            | Message::StateReq(transaction)
            | Message::State(transaction, _)
            | Message::DecisionReq(transaction)
            | Message::Recovering(transaction) => *transaction,
        }
    }
}

/// The records, which survive a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The node takes part: it began the transaction with this content, or voted yes on it.
    Entered(Transaction, Content),
    /// The outcome.
    Decided(Transaction, Decision),
}

payload! { Record: "record of three-phase commit";
    0 Entered(transaction, content)  => ("entered {transaction}{}", content.in_brackets()),
    1 Decided(transaction, decision) => "decided {decision} {transaction}",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// A coordinator has waited for two delays: a node that has not answered is dead.
    Answers(Transaction),
    /// The coordinator has been silent for longer than a living one can be: it is dead.
    Silence(Transaction),
    /// A restarted node asks again.
    Recovery(Transaction),
}

payload! { Timer; Answers(transaction), Silence(transaction), Recovery(transaction) }

//! What is sent and what is written down.

use crate::transaction::{Content, Decision, Transaction, Vote};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, Reader};

/// How far a node is, as it reports to a new coordinator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// It voted yes, and cannot know whether all others did.
    Uncertain,
    /// It knows that all voted yes, and not whether all others know.
    PreCommitted,
    /// It is over.
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

/// What nodes send one another, in the words of Bernstein, Hadzilacos and Goodman (1987, 7.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The coordinator asks a participant whether it can commit this content.
    VoteReq(Transaction, Content),
    /// A participant answers.
    Vote(Transaction, Vote),
    /// All voted yes; prepare to hear that it is committed.
    PreCommit(Transaction),
    /// A participant knows that all voted yes.
    Ack(Transaction),
    /// It is over.
    Decision(Transaction, Decision),
    /// Whoever coordinated is dead: coordinate.
    Elect(Transaction),
    /// A new coordinator asks how far a participant is.
    StateReq(Transaction),
    /// A participant answers.
    State(Transaction, Phase),
    /// One who was dead asks how it ended.
    DecisionReq(Transaction),
    /// It was dead, too, and does not know.
    Recovering(Transaction),
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::VoteReq(..) => "Vote-req",
            Message::Vote(_, Vote::Yes) => "Yes",
            Message::Vote(_, Vote::No) => "No",
            Message::PreCommit(_) => "Pre-commit",
            Message::Ack(_) => "Ack",
            Message::Decision(_, Decision::Commit) => "Commit",
            Message::Decision(_, Decision::Abort) => "Abort",
            Message::Elect(_) => "Elect",
            Message::StateReq(_) => "State-req",
            Message::State(..) => "State",
            Message::DecisionReq(_) => "Decision-req",
            Message::Recovering(_) => "Recovering",
        }
    }
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

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::State(transaction, phase) => write!(f, "State {transaction} {phase}"),
            Message::VoteReq(transaction, content) => write!(f, "Vote-req {transaction}{content}"),
            other => write!(f, "{} {}", other.kind(), other.transaction()),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let tag: u8 = match self {
            Message::VoteReq(..) => 0,
            Message::Vote(..) => 1,
            Message::PreCommit(_) => 2,
            Message::Ack(_) => 3,
            Message::Decision(..) => 4,
            Message::Elect(_) => 5,
            Message::StateReq(_) => 6,
            Message::State(..) => 7,
            Message::DecisionReq(_) => 8,
            Message::Recovering(_) => 9,
        };
        tag.encode(out);
        self.transaction().encode(out);
        match self {
            Message::VoteReq(_, content) => content.encode(out),
            Message::Vote(_, vote) => vote.encode(out),
            Message::Decision(_, decision) => decision.encode(out),
            Message::State(_, phase) => phase.encode(out),
            _ => {}
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        let tag = input.u8()?;
        let transaction = Transaction::decode(input)?;
        Ok(match tag {
            0 => Message::VoteReq(transaction, Content::decode(input)?),
            1 => Message::Vote(transaction, Vote::decode(input)?),
            2 => Message::PreCommit(transaction),
            3 => Message::Ack(transaction),
            4 => Message::Decision(transaction, Decision::decode(input)?),
            5 => Message::Elect(transaction),
            6 => Message::StateReq(transaction),
            7 => Message::State(transaction, Phase::decode(input)?),
            8 => Message::DecisionReq(transaction),
            9 => Message::Recovering(transaction),
            other => return Err(DecodeError::Unknown("message of three-phase commit", u64::from(other))),
        })
    }
}

/// What survives a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// It takes part: it began it with this content, or voted yes on it.
    Entered(Transaction, Content),
    /// How it ended.
    Decided(Transaction, Decision),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Entered(transaction, content) => write!(f, "entered {transaction}{content}"),
            Record::Decided(transaction, decision) => write!(f, "decided {decision} {transaction}"),
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Entered(transaction, content) => {
                0u8.encode(out);
                transaction.encode(out);
                content.encode(out);
            }
            Record::Decided(transaction, decision) => {
                1u8.encode(out);
                transaction.encode(out);
                decision.encode(out);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        Ok(match input.u8()? {
            0 => Record::Entered(Transaction::decode(input)?, Content::decode(input)?),
            1 => Record::Decided(Transaction::decode(input)?, Decision::decode(input)?),
            other => return Err(DecodeError::Unknown("record of three-phase commit", u64::from(other))),
        })
    }
}

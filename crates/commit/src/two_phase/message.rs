//! What is sent and what is written down.

use crate::transaction::{Content, Decision, Transaction, Vote};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, Reader};

/// What nodes send one another, in the words of Bernstein, Hadzilacos and Goodman (1987, 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The coordinator asks a participant whether it can commit this content.
    VoteReq(Transaction, Content),
    /// A participant answers.
    Vote(Transaction, Vote),
    /// A participant begins a transaction, and votes yes on it.
    Begin(Transaction, Content),
    /// The decision: from the coordinator, or from whoever knows it to one who asked.
    Decision(Transaction, Decision),
    /// One who voted yes and has heard nothing since asks everybody.
    DecisionReq(Transaction),
    /// A participant has written down the commit, and will not ask any more.
    Ack(Transaction),
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::VoteReq(..) => "Vote-req",
            Message::Vote(_, Vote::Yes) => "Yes",
            Message::Vote(_, Vote::No) => "No",
            Message::Begin(..) => "Begin",
            Message::Decision(_, Decision::Commit) => "Commit",
            Message::Decision(_, Decision::Abort) => "Abort",
            Message::DecisionReq(_) => "Decision-req",
            Message::Ack(_) => "Ack",
        }
    }
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

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.transaction())?;
        match self {
            Message::VoteReq(_, content) | Message::Begin(_, content) => content.fmt(f),
            _ => Ok(()),
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let tag: u8 = match self {
            Message::VoteReq(..) => 0,
            Message::Vote(..) => 1,
            Message::Decision(..) => 2,
            Message::DecisionReq(_) => 3,
            Message::Ack(_) => 4,
            Message::Begin(..) => 5,
        };
        tag.encode(out);
        self.transaction().encode(out);
        match self {
            Message::Vote(_, vote) => vote.encode(out),
            Message::Decision(_, decision) => decision.encode(out),
            Message::VoteReq(_, content) | Message::Begin(_, content) => content.encode(out),
            Message::DecisionReq(_) | Message::Ack(_) => {}
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
            2 => Message::Decision(transaction, Decision::decode(input)?),
            3 => Message::DecisionReq(transaction),
            4 => Message::Ack(transaction),
            5 => Message::Begin(transaction, Content::decode(input)?),
            other => return Err(DecodeError::Unknown("message of two-phase commit", u64::from(other))),
        })
    }
}

/// What survives a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// Coordinator: this one and all before it, of this origin, were begun or refused.
    Begun(Transaction),
    /// Coordinator: all voted yes on this content. From here on it is committed, whatever happens.
    Committed(Transaction, Content),
    /// Coordinator: every participant has written down the commit, so nobody will ever ask.
    Ended(Transaction),
    /// Participant: it can commit this content, also after a crash, and may not abort by itself any more.
    Prepared(Transaction, Content),
    /// Participant: the decision, heard or its own.
    Decided(Transaction, Decision),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Begun(transaction) => write!(f, "begun {transaction}"),
            Record::Committed(transaction, content) => write!(f, "committed {transaction}{content}"),
            Record::Ended(transaction) => write!(f, "ended {transaction}"),
            Record::Prepared(transaction, content) => write!(f, "prepared {transaction}{content}"),
            Record::Decided(transaction, decision) => write!(f, "decided {decision} {transaction}"),
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, transaction): (u8, &Transaction) = match self {
            Record::Begun(transaction) => (0, transaction),
            Record::Committed(transaction, _) => (1, transaction),
            Record::Ended(transaction) => (2, transaction),
            Record::Prepared(transaction, _) => (3, transaction),
            Record::Decided(transaction, _) => (4, transaction),
        };
        tag.encode(out);
        transaction.encode(out);
        match self {
            Record::Committed(_, content) | Record::Prepared(_, content) => content.encode(out),
            Record::Decided(_, decision) => decision.encode(out),
            Record::Begun(_) | Record::Ended(_) => {}
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        let tag = input.u8()?;
        let transaction = Transaction::decode(input)?;
        Ok(match tag {
            0 => Record::Begun(transaction),
            1 => Record::Committed(transaction, Content::decode(input)?),
            2 => Record::Ended(transaction),
            3 => Record::Prepared(transaction, Content::decode(input)?),
            4 => Record::Decided(transaction, Decision::decode(input)?),
            other => return Err(DecodeError::Unknown("record of two-phase commit", u64::from(other))),
        })
    }
}

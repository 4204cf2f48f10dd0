//! Transactions, votes and decisions, and what must hold of them.
//!
//! The properties are those of Bernstein, Hadzilacos and Goodman (1987, 7.3), by the numbers of the catalogue:
//!
//! | | |
//! |---|---|
//! | AC1 | no two nodes decide differently, also after recovery |
//! | AC2 | a decision is final |
//! | AC3 | commit only if all voted yes |
//! | AC4 | if nothing fails and all vote yes, then commit |
//! | AC5 | when what failed is repaired for long enough, all decide |
//!
//! All of them speak of one transaction, and take it for granted that its name is that of one content. So there is one
//! more, *agreement on the content*: those who commit a transaction commit the same. It breaks where a name is given twice.
//!
//! The first three are written here, over what nodes tell the outside, so that one text serves every protocol. AC4 speaks of
//! runs in which nothing fails, and is asked of such runs only; AC5 asks the nodes themselves, so each protocol has its own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, History, NodeId, Picture, Process, Property, Reader, Serial, When};

/// The name of a transaction, given once: the third that node 1 began prints as `1.3`, the first after its restart as
/// `1.2.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transaction {
    /// Who began it.
    pub origin: NodeId,
    /// Which of those that it began.
    pub number: Serial,
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.origin.0, self.number)
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Encode for Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.origin.encode(out);
        self.number.encode(out);
    }
}

impl Decode for Transaction {
    fn decode(input: &mut Reader<'_>) -> Result<Transaction, DecodeError> {
        Ok(Transaction { origin: NodeId::decode(input)?, number: Serial::decode(input)? })
    }
}

/// What a transaction does: a number, such as the amount that a transfer moves. It is not interpreted, and 0, which is
/// not printed, is that of transactions of which only the outcome is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Content(pub u64);

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " ({})", self.0) }
    }
}

impl Encode for Content {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Content {
    fn decode(input: &mut Reader<'_>) -> Result<Content, DecodeError> {
        input.varint().map(Content)
    }
}

/// What a participant says when it is asked whether it can commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Vote {
    /// It can, now and after a crash.
    Yes,
    /// It cannot.
    No,
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Vote::Yes => "yes",
            Vote::No => "no",
        })
    }
}

impl Encode for Vote {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self == Vote::Yes).encode(out);
    }
}

impl Decode for Vote {
    fn decode(input: &mut Reader<'_>) -> Result<Vote, DecodeError> {
        Ok(if bool::decode(input)? { Vote::Yes } else { Vote::No })
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Decision {
    /// Everywhere.
    Commit,
    /// Nowhere.
    Abort,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decision::Commit => "commit",
            Decision::Abort => "abort",
        })
    }
}

impl Encode for Decision {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self == Decision::Commit).encode(out);
    }
}

impl Decode for Decision {
    fn decode(input: &mut Reader<'_>) -> Result<Decision, DecodeError> {
        Ok(if bool::decode(input)? { Decision::Commit } else { Decision::Abort })
    }
}

/// What is asked of a node from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Begins a transaction of all participants: `begin`.
    Begin,
    /// The same, with a content: `begin 30`.
    BeginWith(Content),
    /// This participant will vote no the next time.
    Refuse,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Begin => f.write_str("begin"),
            Command::BeginWith(Content(content)) => write!(f, "begin {content}"),
            Command::Refuse => f.write_str("refuse"),
        }
    }
}

impl core::str::FromStr for Command {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Command, &'static str> {
        let content = |text: &str| Some(Command::BeginWith(Content(text.strip_prefix("begin ")?.parse().ok()?)));
        match text.trim() {
            "begin" => Ok(Command::Begin),
            "refuse" => Ok(Command::Refuse),
            text => content(text).ok_or("expected begin, begin CONTENT or refuse, such as begin 30"),
        }
    }
}

/// What a node tells the outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The coordinator has begun it, for so many participants.
    Begun(Transaction, u64),
    /// A participant has voted on this content.
    Voted(Transaction, Vote, Content),
    /// For this node it is over.
    Decided(Transaction, Decision),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Begun(transaction, participants) => write!(f, "begun {transaction} of {participants}"),
            Event::Voted(transaction, vote, content) => write!(f, "voted {vote} {transaction}{content}"),
            Event::Decided(transaction, decision) => write!(f, "decided {decision} {transaction}"),
        }
    }
}

/// What was told of each transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Outcomes(BTreeMap<Transaction, Outcome>);

/// What was told of one transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Outcome {
    /// How many participants it has, once that was told.
    pub participants: Option<u64>,
    /// Who voted yes.
    pub yes: BTreeSet<NodeId>,
    /// What they voted yes on: more than one content is none.
    pub contents: BTreeSet<Content>,
    /// Who decided what, the first time.
    pub decisions: BTreeMap<NodeId, Decision>,
    /// Who decided otherwise later.
    pub wavered: Option<NodeId>,
}

impl Outcomes {
    /// What was told of each transaction.
    pub fn iter(&self) -> impl Iterator<Item = (&Transaction, &Outcome)> {
        self.0.iter()
    }
}

impl<P: Process<Event = Event>> History<P> for Outcomes {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match *event {
            Event::Begun(transaction, participants) => {
                self.0.entry(transaction).or_default().participants = Some(participants);
            }
            Event::Voted(transaction, Vote::Yes, content) => {
                let outcome = self.0.entry(transaction).or_default();
                outcome.yes.insert(node);
                outcome.contents.insert(content);
            }
            Event::Voted(_, Vote::No, _) => {}
            Event::Decided(transaction, decision) => {
                let outcome = self.0.entry(transaction).or_default();
                if *outcome.decisions.entry(node).or_insert(decision) != decision {
                    outcome.wavered = Some(node);
                }
            }
        }
    }
}

/// What must hold of every protocol of this family.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, Outcomes>> {
    vec![
        Property {
            name: "no two decide differently",
            source: "AC1; Bernstein, Hadzilacos, Goodman 1987, 7.3",
            when: When::Always,
            holds: |picture| each(picture, agrees),
        },
        Property {
            name: "a decision is final",
            source: "AC2; Bernstein, Hadzilacos, Goodman 1987, 7.3",
            when: When::Always,
            holds: |picture| {
                each(picture, |_, outcome| match outcome.wavered {
                    Some(node) => Err(format!("{node} decides anew")),
                    None => Ok(()),
                })
            },
        },
        Property {
            name: "commit only if all voted yes",
            source: "AC3; Bernstein, Hadzilacos, Goodman 1987, 7.3",
            when: When::Always,
            holds: |picture| each(picture, was_unanimous),
        },
        Property {
            name: "agreement on the content",
            source: "implied by the name of a transaction; Gray and Lamport 2006, section 2",
            when: When::Always,
            holds: |picture| each(picture, has_one_content),
        },
    ]
}

fn each<P>(
    picture: &Picture<'_, P, Outcomes>,
    holds: impl Fn(Transaction, &Outcome) -> Result<(), String>,
) -> Result<(), String> {
    picture.history.iter().try_for_each(|(transaction, outcome)| {
        holds(*transaction, outcome).map_err(|wrong| format!("{transaction}: {wrong}"))
    })
}

fn agrees(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    let who = |decision| outcome.decisions.iter().find(|(_, made)| **made == decision).map(|(node, _)| *node);
    match (who(Decision::Commit), who(Decision::Abort)) {
        (Some(commits), Some(aborts)) => Err(format!("{commits} commits, {aborts} aborts")),
        _ => Ok(()),
    }
}

fn was_unanimous(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    let commits = outcome.decisions.values().any(|decision| *decision == Decision::Commit);
    let votes = outcome.yes.len() as u64;
    match outcome.participants {
        Some(participants) if commits && votes < participants => {
            Err(format!("committed with {votes} of {participants} votes"))
        }
        None if commits => Err(String::from("committed before it was begun")),
        _ => Ok(()),
    }
}

fn has_one_content(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    let commits = outcome.decisions.values().any(|decision| *decision == Decision::Commit);
    let mut contents = outcome.contents.iter();
    match (contents.next(), contents.next()) {
        (Some(Content(one)), Some(Content(other))) if commits => Err(format!("committed as {one} and as {other}")),
        _ => Ok(()),
    }
}

//! Transactions, votes and decisions, and their properties.
//!
//! The properties are those of Bernstein, Hadzilacos and Goodman (1987, 7.3), by the numbers of the catalogue:
//!
//! | | |
//! |---|---|
//! | AC1 | agreement: no two nodes decide differently, even after recovery |
//! | AC2 | irrevocability: a decision is final |
//! | AC3 | validity: commit only if all voted yes |
//! | AC4 | if nothing fails and all vote yes, then commit |
//! | AC5 | termination: once all failures are repaired for long enough, all nodes decide |
//!
//! All of them concern one transaction, and assume that its name belongs to one content. So there is one more,
//! *agreement on the content*: all nodes that commit a transaction commit the same content. It breaks if a name is used
//! twice.
//!
//! The first three are written here, over the events of the nodes, so that one definition serves every protocol. AC4
//! concerns runs in which nothing fails, and is evaluated only in such runs; AC5 examines the nodes themselves, so each
//! protocol has its own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;
use volvox_core::{NodeId, Picture, Process, Property, Serial, When, commands, payload};

/// The name of a transaction, which is never reused: the third that node 1 began prints as `1.3`, the first after its
/// restart as `1.2.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transaction {
    /// The node that began it.
    pub origin: NodeId,
    /// The number among that node's transactions.
    pub number: Serial,
}

payload! { struct Transaction { origin, number } => ("{}.{number}", origin.0) }

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The content of a transaction: a number, such as the amount of a transfer. It is not interpreted. Transactions of
/// which only the outcome matters have the content 0, which is not printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Content(pub u64);

payload! { struct Content(number) => "{number}" }

impl Content {
    /// ` (30)` after the name of a transaction; nothing for 0.
    pub(crate) fn in_brackets(self) -> impl fmt::Display {
        fmt::from_fn(move |f| if self.0 == 0 { Ok(()) } else { write!(f, " ({self})") })
    }
}

impl core::str::FromStr for Content {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Content, core::num::ParseIntError> {
        text.parse().map(Content)
    }
}

/// The answer of a participant that is asked whether it can commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Vote {
    /// The participant can commit, now and after a crash.
    Yes,
    /// The participant cannot commit.
    No,
}

payload! { Vote: "vote"; 0 No => "no", 1 Yes => "yes" }

/// The outcome of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Decision {
    /// The transaction takes effect on all nodes.
    Commit,
    /// The transaction takes effect on no node.
    Abort,
}

payload! { Decision: "decision"; 0 Abort => "abort", 1 Commit => "commit" }

/// The commands to a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Begins a transaction of all participants: `begin`.
    Begin,
    /// Begins a transaction with a content: `begin 30`.
    BeginWith(Content),
    /// Makes this participant vote no the next time.
    Refuse,
}

commands! { Command; Begin = "begin", BeginWith(content) = "begin {content}", Refuse = "refuse" }

/// The events of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The coordinator has begun it, for this many participants.
    Begun(Transaction, u64),
    /// A participant has voted on this content.
    Voted(Transaction, Vote, Content),
    /// This node knows the outcome. A node that restarts announces again every outcome in its log: it may have crashed
    /// between the record and the event.
    Decided(Transaction, Decision),
}

payload! { Event;
    Begun(transaction, participants)  => "begun {transaction} of {participants}",
    Voted(transaction, vote, content) => ("voted {vote} {transaction}{}", content.in_brackets()),
    Decided(transaction, decision)    => "decided {decision} {transaction}",
}

/// The events of each transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History(BTreeMap<Transaction, Outcome>);

/// The events of one transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Outcome {
    /// The number of its participants, once it was begun.
    pub participants: Option<u64>,
    /// The participants that voted yes.
    pub yes: BTreeSet<NodeId>,
    /// The contents on which they voted yes; there must not be more than one.
    pub contents: BTreeSet<Content>,
    /// The first decision of each node.
    pub decisions: BTreeMap<NodeId, Decision>,
    /// The nodes that later decided differently.
    pub wavered: Option<NodeId>,
}

impl History {
    /// The events of each transaction.
    pub fn iter(&self) -> impl Iterator<Item = (&Transaction, &Outcome)> {
        self.0.iter()
    }
}

impl Outcome {
    /// The first node, by id, that decided this.
    fn first(&self, decision: Decision) -> Option<NodeId> {
        self.decisions.iter().find(|(_, made)| **made == decision).map(|(node, _)| *node)
    }
}

impl<P: Process<Event = Event>> volvox_core::History<P> for History {
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

/// The properties of every protocol of this family.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, History>> {
    vec![
        Property {
            name: "agreement",
            source: "AC1; Bernstein, Hadzilacos, Goodman 1987, 7.3",
            when: When::Always,
            holds: |picture| each(picture, agrees),
        },
        Property {
            name: "irrevocability",
            source: "AC2; Bernstein, Hadzilacos, Goodman 1987, 7.3",
            when: When::Always,
            holds: |picture| {
                each(picture, |_, outcome| match outcome.wavered {
                    Some(node) => Err(format!("{node} has reversed its decision")),
                    None => Ok(()),
                })
            },
        },
        Property {
            name: "validity",
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
    picture: &Picture<'_, P, History>,
    holds: impl Fn(Transaction, &Outcome) -> Result<(), String>,
) -> Result<(), String> {
    picture.history.iter().try_for_each(|(transaction, outcome)| {
        holds(*transaction, outcome).map_err(|wrong| format!("{transaction}: {wrong}"))
    })
}

fn agrees(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    match (outcome.first(Decision::Commit), outcome.first(Decision::Abort)) {
        (Some(commits), Some(aborts)) => Err(format!("{commits} decided to commit and {aborts} to abort")),
        _ => Ok(()),
    }
}

fn was_unanimous(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    let Some(node) = outcome.first(Decision::Commit) else { return Ok(()) };
    let votes = outcome.yes.len() as u64;
    match outcome.participants {
        Some(participants) if votes < participants => {
            Err(format!("{node} committed with {votes} of {participants} votes"))
        }
        Some(_) => Ok(()),
        None => Err(format!("{node} committed before the transaction was begun")),
    }
}

fn has_one_content(_: Transaction, outcome: &Outcome) -> Result<(), String> {
    let Some(node) = outcome.first(Decision::Commit) else { return Ok(()) };
    let mut contents = outcome.contents.iter();
    match (contents.next(), contents.next()) {
        (Some(one), Some(other)) => {
            Err(format!("{node} committed a transaction on which some voted as {one} and some as {other}"))
        }
        _ => Ok(()),
    }
}

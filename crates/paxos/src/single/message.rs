//! The messages, records, commands and events.

use core::fmt;
use core::num::ParseIntError;
use core::str::FromStr;
use volvox_core::{NodeId, commands, payload};

/// The highest round that is accepted: far beyond what proposers reach, and far below the maximum.
const ROUND_MAX: u64 = 1 << 48;

/// The number of an attempt (section 2.2: proposals are numbered, and different proposals have different numbers):
/// rounds are compared first, and the id of the proposer makes it unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ballot {
    /// One more than any round that the proposer had seen.
    pub round: u64,
    /// The proposer.
    pub node: NodeId,
}

payload! { struct Ballot { round <= ROUND_MAX, node } => ("{round}.{}", node.0) }

/// A value to choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u64);

payload! { struct Value(value) => "{value}" }

impl FromStr for Value {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Value, ParseIntError> {
        text.parse().map(Value)
    }
}

/// The messages between processes: see the table of the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Propose this, since you are the distinguished proposer (section 2.4).
    Request(Value),
    /// Phase 1a: promise to accept nothing older, and say what you accepted.
    Prepare(Ballot),
    /// Phase 1b: promised; and the newest proposal that I accepted.
    Promise(Ballot, Option<(Ballot, Value)>),
    /// Phase 2a: accept this value in this ballot.
    Accept(Ballot, Value),
    /// Phase 2b: accepted.
    Accepted(Ballot, Value),
    /// The first ballot is too old: I promised the second.
    Refused(Ballot, Ballot),
    /// This value was chosen.
    Chosen(Value),
    /// Find out what was chosen, since you are the distinguished proposer (section 2.3).
    Inquire,
}

payload! { Message: "message of Paxos";
    0 Request(value)            => "Request {value}",
    1 Prepare(ballot)           => "Prepare {ballot}",
    2 Promise(ballot, accepted) => ("Promise {ballot}{}", Has(accepted)),
    3 Accept(ballot, value)     => "Accept {ballot}={value}",
    4 Accepted(ballot, value)   => "Accepted {ballot}={value}",
    5 Refused(ballot, promised) => "Refused {ballot} for {promised}",
    6 Chosen(value)             => "Chosen {value}",
    7 Inquire                   => "Inquire",
}

/// The accepted proposal that a promise reports.
struct Has<'a>(&'a Option<(Ballot, Value)>);

impl fmt::Display for Has<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(ballot, value)| write!(f, " has {ballot}={value}"))
    }
}

impl Message {
    /// Shows every ballot in it to `visit`, which may change it: for models that count rounds from the lowest alive.
    pub fn each_ballot(&mut self, visit: &mut dyn FnMut(&mut Ballot)) {
        match self {
            Message::Request(_) | Message::Inquire | Message::Chosen(_) => {}
            Message::Prepare(ballot) | Message::Accept(ballot, _) | Message::Accepted(ballot, _) => visit(ballot),
            Message::Promise(ballot, accepted) => {
                visit(ballot);
                if let Some((ballot, _)) = accepted {
                    visit(ballot);
                }
            }
            Message::Refused(ballot, promised) => {
                visit(ballot);
                visit(promised);
            }
        }
    }
}

/// The records of an acceptor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// It no longer accepts anything older.
    Promised(Ballot),
    /// It accepted this proposal, which implies the promise.
    Accepted(Ballot, Value),
}

payload! { Record: "record of Paxos";
    0 Promised(ballot)        => "promised {ballot}",
    1 Accepted(ballot, value) => "accepted {ballot}={value}",
}

/// The commands to a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Propose this value: `propose 7`.
    Propose(Value),
    /// Find out whether something was chosen (section 2.3): `learn`.
    Learn,
}

commands! { Command; Propose(value) = "propose {value}", Learn = "learn" }

/// The events of a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The process was asked to propose this.
    Proposed(Value),
    /// The process learned that this was chosen.
    Chosen(Value),
}

payload! { Event; Proposed(value) => "proposed {value}", Chosen(value) => "chosen {value}" }

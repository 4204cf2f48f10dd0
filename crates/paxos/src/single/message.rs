//! The messages, records, commands and events.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// The highest round that is believed: far beyond what proposers reach, and far from where counting ends.
const ROUND_MAX: u64 = 1 << 48;

/// An attempt's name and age (section 2.2: proposals are numbered, and different proposals have different numbers):
/// rounds are compared first, and the name of the proposer makes it unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ballot {
    /// One more than the proposer had seen.
    pub round: u64,
    /// Whose it is.
    pub node: NodeId,
}

/// What is chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u64);

/// What processes send one another: see the table of the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Propose this, since you are the distinguished proposer (section 2.4).
    Request(Value),
    /// Phase 1a: promise to accept nothing older, and say what you accepted.
    Prepare(Ballot),
    /// Phase 1b: promised; and the newest that I accepted.
    Promise(Ballot, Option<(Ballot, Value)>),
    /// Phase 2a: accept this value in this ballot.
    Accept(Ballot, Value),
    /// Phase 2b: accepted.
    Accepted(Ballot, Value),
    /// The ballot is too old: I promised the second.
    Refused(Ballot, Ballot),
    /// This value was chosen.
    Chosen(Value),
    /// Find out what was chosen, since you are the distinguished proposer (section 2.3).
    Inquire,
}

/// What an acceptor persists.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// It accepts nothing older any more.
    Promised(Ballot),
    /// It accepted, which promises the same.
    Accepted(Ballot, Value),
}

/// What is asked of a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Propose this value: `propose 7`.
    Propose(Value),
    /// Find out whether something was chosen (section 2.3): `learn`.
    Learn,
}

/// What a process tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// It was asked to propose this.
    Proposed(Value),
    /// It learned that this was chosen.
    Chosen(Value),
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request(_) => "Request",
            Message::Inquire => "Inquire",
            Message::Prepare(_) => "Prepare",
            Message::Promise(..) => "Promise",
            Message::Accept(..) => "Accept",
            Message::Accepted(..) => "Accepted",
            Message::Refused(..) => "Refused",
            Message::Chosen(_) => "Chosen",
        }
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

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node.0)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Request(value) => write!(f, "Request {value}"),
            Message::Inquire => f.write_str("Inquire"),
            Message::Prepare(ballot) => write!(f, "Prepare {ballot}"),
            Message::Promise(ballot, None) => write!(f, "Promise {ballot}"),
            Message::Promise(ballot, Some((accepted, value))) => write!(f, "Promise {ballot} has {accepted}={value}"),
            Message::Accept(ballot, value) => write!(f, "Accept {ballot}={value}"),
            Message::Accepted(ballot, value) => write!(f, "Accepted {ballot}={value}"),
            Message::Refused(ballot, promised) => write!(f, "Refused {ballot} for {promised}"),
            Message::Chosen(value) => write!(f, "Chosen {value}"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Promised(ballot) => write!(f, "promised {ballot}"),
            Record::Accepted(ballot, value) => write!(f, "accepted {ballot}={value}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Propose(value) => write!(f, "propose {value}"),
            Command::Learn => f.write_str("learn"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Proposed(value) => write!(f, "proposed {value}"),
            Event::Chosen(value) => write!(f, "chosen {value}"),
        }
    }
}

/// A text that is no command. The writer of the text is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandError;

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `propose` with a number, such as `propose 7`, or `learn`")
    }
}

impl core::error::Error for CommandError {}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Command, CommandError> {
        let mut words = text.split_whitespace();
        let command = match words.next() {
            Some("propose") => {
                Command::Propose(Value(words.next().ok_or(CommandError)?.parse().map_err(|_| CommandError)?))
            }
            Some("learn") => Command::Learn,
            _ => return Err(CommandError),
        };
        if words.next().is_some() { Err(CommandError) } else { Ok(command) }
    }
}

impl Encode for Ballot {
    fn encode(&self, out: &mut Vec<u8>) {
        self.round.encode(out);
        self.node.encode(out);
    }
}

impl Decode for Ballot {
    fn decode(input: &mut Reader<'_>) -> Result<Ballot, DecodeError> {
        let ballot = Ballot { round: u64::decode(input)?, node: NodeId::decode(input)? };
        if ballot.round > ROUND_MAX { Err(DecodeError::Invalid("round")) } else { Ok(ballot) }
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Value {
    fn decode(input: &mut Reader<'_>) -> Result<Value, DecodeError> {
        u64::decode(input).map(Value)
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Request(value) => tagged(0, value, out),
            Message::Prepare(ballot) => tagged(1, ballot, out),
            Message::Promise(ballot, accepted) => {
                tagged(2, ballot, out);
                accepted.encode(out);
            }
            Message::Accept(ballot, value) => {
                tagged(3, ballot, out);
                value.encode(out);
            }
            Message::Accepted(ballot, value) => {
                tagged(4, ballot, out);
                value.encode(out);
            }
            Message::Refused(ballot, promised) => {
                tagged(5, ballot, out);
                promised.encode(out);
            }
            Message::Chosen(value) => tagged(6, value, out),
            Message::Inquire => out.push(7),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Request(Value::decode(input)?),
            1 => Message::Prepare(Ballot::decode(input)?),
            2 => Message::Promise(Ballot::decode(input)?, Option::decode(input)?),
            3 => Message::Accept(Ballot::decode(input)?, Value::decode(input)?),
            4 => Message::Accepted(Ballot::decode(input)?, Value::decode(input)?),
            5 => Message::Refused(Ballot::decode(input)?, Ballot::decode(input)?),
            6 => Message::Chosen(Value::decode(input)?),
            7 => Message::Inquire,
            other => return Err(DecodeError::Unknown("message", other.into())),
        })
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Promised(ballot) => tagged(0, ballot, out),
            Record::Accepted(ballot, value) => {
                tagged(1, ballot, out);
                value.encode(out);
            }
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        Ok(match input.u8()? {
            0 => Record::Promised(Ballot::decode(input)?),
            1 => Record::Accepted(Ballot::decode(input)?, Value::decode(input)?),
            other => return Err(DecodeError::Unknown("record", other.into())),
        })
    }
}

fn tagged(tag: u8, first: &impl Encode, out: &mut Vec<u8>) {
    out.push(tag);
    first.encode(out);
}

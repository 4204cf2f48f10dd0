//! What is sent, asked and told.

use super::MEMBERS_MAX;
use super::standing::{Standing, Update};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// The most updates that one message may carry.
pub const UPDATES_MAX: usize = 16;

/// What members send one another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Are you alive?
    Ping {
        /// Who wants to know: the sender, or who asked it to ping.
        origin: NodeId,
        /// The origin's number for this probe.
        number: u32,
        /// News.
        updates: Vec<Update>,
    },
    /// Ping the target for me.
    PingReq {
        /// Whom.
        target: NodeId,
        /// The sender's number for this probe.
        number: u32,
        /// News.
        updates: Vec<Update>,
    },
    /// It is alive.
    Ack {
        /// Who is.
        about: NodeId,
        /// Who wanted to know.
        origin: NodeId,
        /// The origin's number for this probe.
        number: u32,
        /// News.
        updates: Vec<Update>,
    },
    /// Take me in: this is how I stand.
    Join(Standing),
    /// Everybody that the contact knows.
    Members(Vec<Update>),
    /// News by themselves.
    News(Vec<Update>),
}

/// What is asked of a member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Go, and let the others know.
    Leave,
}

/// What a member tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// It says this of itself: at its start, and whenever it refutes or comes back.
    Announces(Standing),
    /// It holds this of another, which it did not before.
    Believes(Update),
    /// It is out: it left, or was declared faulty and does not come back.
    Out,
}

impl Message {
    /// The news that it carries.
    pub fn updates(&self) -> &[Update] {
        match self {
            Message::Ping { updates, .. } | Message::PingReq { updates, .. } | Message::Ack { updates, .. } => updates,
            Message::Members(updates) | Message::News(updates) => updates,
            Message::Join(_) => &[],
        }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ping { .. } => "Ping",
            Message::PingReq { .. } => "PingReq",
            Message::Ack { .. } => "Ack",
            Message::Join(_) => "Join",
            Message::Members(_) => "Members",
            Message::News(_) => "News",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Ping { number, .. } => write!(f, "Ping {number}")?,
            Message::PingReq { target, number, .. } => write!(f, "PingReq {number} {target}")?,
            Message::Ack { about, number, .. } => write!(f, "Ack {number} {about}")?,
            Message::Join(standing) => return write!(f, "Join {standing}"),
            Message::Members(members) => return write!(f, "Members {}", members.len()),
            Message::News(_) => f.write_str("News")?,
        }
        self.updates().iter().try_for_each(|update| write!(f, ", {update}"))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("leave")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Announces(standing) => write!(f, "is {standing}"),
            Event::Believes(update) => write!(f, "believes {update}"),
            Event::Out => f.write_str("out"),
        }
    }
}

/// A text that is no command. The writer of the text is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandError;

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `leave`")
    }
}

impl core::error::Error for CommandError {}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Command, CommandError> {
        if text.trim() == "leave" { Ok(Command::Leave) } else { Err(CommandError) }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Ping { origin, number, .. } => {
                out.push(0);
                origin.encode(out);
                number.encode(out);
            }
            Message::PingReq { target, number, .. } => {
                out.push(1);
                target.encode(out);
                number.encode(out);
            }
            Message::Ack { about, origin, number, .. } => {
                out.push(2);
                about.encode(out);
                origin.encode(out);
                number.encode(out);
            }
            Message::Join(standing) => {
                out.push(3);
                return standing.encode(out);
            }
            Message::Members(_) => out.push(4),
            Message::News(_) => out.push(5),
        }
        volvox_core::codec::put_varint(self.updates().len() as u64, out);
        self.updates().iter().for_each(|update| update.encode(out));
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Ping {
                origin: NodeId::decode(input)?,
                number: u32::decode(input)?,
                updates: updates(input, UPDATES_MAX)?,
            },
            1 => Message::PingReq {
                target: NodeId::decode(input)?,
                number: u32::decode(input)?,
                updates: updates(input, UPDATES_MAX)?,
            },
            2 => Message::Ack {
                about: NodeId::decode(input)?,
                origin: NodeId::decode(input)?,
                number: u32::decode(input)?,
                updates: updates(input, UPDATES_MAX)?,
            },
            3 => Message::Join(Standing::decode(input)?),
            4 => Message::Members(updates(input, MEMBERS_MAX)?),
            5 => Message::News(updates(input, UPDATES_MAX)?),
            other => return Err(DecodeError::Unknown("message", other.into())),
        })
    }
}

fn updates(input: &mut Reader<'_>, most: usize) -> Result<Vec<Update>, DecodeError> {
    let updates = Vec::decode(input)?;
    if updates.len() > most { Err(DecodeError::TooLong) } else { Ok(updates) }
}

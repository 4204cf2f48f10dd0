//! What is sent, asked and told between the nodes of a world. What is sent to foreign servers is a [`Packet`](super::Packet)
//! with the same four times.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, Reader};

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// What time is it? With T1, by the machine's own clock: it comes back untouched, and says which answer is which.
    Request {
        /// When the client sent it.
        t1: i64,
    },
    /// It is this time.
    Response {
        /// T1, as the client sent it (the origin timestamp).
        t1: i64,
        /// When the request arrived, by the server's clock.
        t2: i64,
        /// When this leaves, by the server's clock.
        t3: i64,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Request { t1 } => write!(f, "Request T1={}", TimeOfDay(*t1)),
            Message::Response { t2, t3, .. } => write!(f, "Response T2={} T3={}", TimeOfDay(*t2), TimeOfDay(*t3)),
        }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request { .. } => "Request",
            Message::Response { .. } => "Response",
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Request { t1 } => {
                out.push(0);
                t1.encode(out);
            }
            Message::Response { t1, t2, t3 } => {
                out.push(1);
                [t1, t2, t3].into_iter().for_each(|time| time.encode(out));
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Request { t1: i64::decode(input)? },
            1 => Message::Response { t1: i64::decode(input)?, t2: i64::decode(input)?, t3: i64::decode(input)? },
            other => return Err(DecodeError::Unknown("message", u64::from(other))),
        })
    }
}

/// What is asked of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Of a client: ask all servers now: `poll`.
    Poll,
    /// Show the clock: `show`.
    Show,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Command::Poll => "poll",
            Command::Show => "show",
        })
    }
}

/// What is not a [`Command`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandError;

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 'poll' or 'show'")
    }
}

impl core::error::Error for CommandError {}

impl FromStr for Command {
    type Err = CommandError;
    fn from_str(text: &str) -> Result<Command, CommandError> {
        match text.trim() {
            "poll" => Ok(Command::Poll),
            "show" => Ok(Command::Show),
            _ => Err(CommandError),
        }
    }
}

/// What a node tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// It started, and its clock shows this.
    Started(Reading),
    /// It was asked for its clock.
    Shows(Reading),
    /// An offset was chosen from what the servers say, and its clock is being slewed by it: what it showed just before and
    /// just after.
    Slewed {
        /// The offset.
        by_ns: i64,
        /// Of how many servers.
        survivors: usize,
        /// Out of how many that were heard.
        heard: usize,
        /// Before.
        before: Reading,
        /// After.
        after: Reading,
    },
    /// A large offset has lasted, and the clock was stepped.
    Stepped {
        /// The offset.
        by_ns: i64,
        /// After.
        after: Reading,
    },
    /// No majority of the servers agrees.
    NoMajority {
        /// How many were heard.
        heard: usize,
    },
    /// An offset that cannot be true: somebody must look at it.
    Panicked {
        /// The offset.
        by_ns: i64,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started(reading) => write!(f, "starts at {reading}"),
            Event::Shows(reading) => write!(f, "shows {reading}"),
            Event::Slewed { by_ns, survivors, heard, .. } => {
                write!(f, "slews by {} as {survivors} of {heard} say", Signed(*by_ns))
            }
            Event::Stepped { by_ns, .. } => write!(f, "steps by {}", Signed(*by_ns)),
            Event::NoMajority { heard } => write!(f, "no majority among {heard}"),
            Event::Panicked { by_ns } => write!(f, "does not believe {}", Signed(*by_ns)),
        }
    }
}

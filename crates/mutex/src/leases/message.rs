//! What clients, the grantor and the store say; what they write down, tell, and are asked.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, Reader, Serial};

/// The messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to grantor: give me the lease; I hold none.
    Acquire {
        /// Names the request for ever, so that a grant is known to answer the one whose sending was timed.
        request: Serial,
    },
    /// Client to grantor: I hold the lease of this token; give me more time.
    Extend {
        /// Names the request, as in [`Message::Acquire`].
        request: Serial,
        /// That of the lease.
        token: u64,
    },
    /// Grantor to client: it is yours for a term, counted from your request.
    Granted {
        /// What it answers.
        request: Serial,
        /// That of the lease that is extended; of a new lease, greater than those of all before.
        token: u64,
    },
    /// Grantor to client: you cannot have it now.
    Busy {
        /// What it answers.
        request: Serial,
    },
    /// Client to grantor: I do not need it any more.
    Release {
        /// That of the lease.
        token: u64,
    },
    /// Client to store: write, under this lease.
    Write {
        /// That of the lease.
        token: u64,
    },
    /// Store to client: written.
    Written {
        /// That of the write.
        token: u64,
    },
    /// Store to client: a later holder has written; you are none any more.
    Rejected {
        /// The greatest seen.
        token: u64,
    },
}

/// What is written down before anybody hears of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// By the grantor: this token is given.
    Given(u64),
    /// By the store: this token has written.
    Seen(u64),
}

/// What a node is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Get the lease, for one term.
    Acquire,
    /// Get the lease, and renew it until it is released.
    Keep,
    /// Write to the store, under the lease.
    Write,
    /// Give the lease back.
    Release,
}

/// The text is not a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotACommand;

/// What a node tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A life begins, without a lease.
    Started,
    /// A client wants the lease, and has none.
    Asked,
    /// A client that held none holds the lease from now on.
    Acquired {
        /// That of the lease.
        token: u64,
    },
    /// A client holds no lease, and wants none, from now on.
    Ended,
    /// The store took a write.
    Stored {
        /// That of the lease under which it was sent.
        token: u64,
    },
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Acquire { .. } => "Acquire",
            Message::Extend { .. } => "Extend",
            Message::Granted { .. } => "Granted",
            Message::Busy { .. } => "Busy",
            Message::Release { .. } => "Release",
            Message::Write { .. } => "Write",
            Message::Written { .. } => "Written",
            Message::Rejected { .. } => "Rejected",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Message::Acquire { request } | Message::Busy { request } => write!(f, "{kind} r{request}"),
            Message::Extend { request, token } | Message::Granted { request, token } => {
                write!(f, "{kind} r{request} token {token}")
            }
            Message::Release { token }
            | Message::Write { token }
            | Message::Written { token }
            | Message::Rejected { token } => write!(f, "{kind} token {token}"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Given(token) => write!(f, "given token {token}"),
            Record::Seen(token) => write!(f, "seen token {token}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started => f.write_str("started"),
            Event::Asked => f.write_str("asked"),
            Event::Acquired { token } => write!(f, "acquired token {token}"),
            Event::Ended => f.write_str("ended"),
            Event::Stored { token } => write!(f, "stored token {token}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Command::Acquire => "acquire",
            Command::Keep => "keep",
            Command::Write => "write",
            Command::Release => "release",
        })
    }
}

impl FromStr for Command {
    type Err = NotACommand;

    fn from_str(text: &str) -> Result<Command, NotACommand> {
        match text {
            "acquire" => Ok(Command::Acquire),
            "keep" => Ok(Command::Keep),
            "write" => Ok(Command::Write),
            "release" => Ok(Command::Release),
            _ => Err(NotACommand),
        }
    }
}

impl fmt::Display for NotACommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the commands are `acquire`, `keep`, `write` and `release`")
    }
}

impl core::error::Error for NotACommand {}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::Acquire { request } => (1u8, request).encode(out),
            Message::Granted { request, token } => (2u8, (request, token)).encode(out),
            Message::Busy { request } => (3u8, request).encode(out),
            Message::Release { token } => (4u8, token).encode(out),
            Message::Write { token } => (5u8, token).encode(out),
            Message::Written { token } => (6u8, token).encode(out),
            Message::Rejected { token } => (7u8, token).encode(out),
            Message::Extend { request, token } => (8u8, (request, token)).encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        match input.u8()? {
            1 => Ok(Message::Acquire { request: Serial::decode(input)? }),
            2 => Ok(Message::Granted { request: Serial::decode(input)?, token: input.varint()? }),
            3 => Ok(Message::Busy { request: Serial::decode(input)? }),
            4 => Ok(Message::Release { token: input.varint()? }),
            5 => Ok(Message::Write { token: input.varint()? }),
            6 => Ok(Message::Written { token: input.varint()? }),
            7 => Ok(Message::Rejected { token: input.varint()? }),
            8 => Ok(Message::Extend { request: Serial::decode(input)?, token: input.varint()? }),
            other => Err(DecodeError::Unknown("message of leases", u64::from(other))),
        }
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Record::Given(token) => (1u8, token).encode(out),
            Record::Seen(token) => (2u8, token).encode(out),
        }
    }
}

impl Decode for Record {
    fn decode(input: &mut Reader<'_>) -> Result<Record, DecodeError> {
        match input.u8()? {
            1 => Ok(Record::Given(input.varint()?)),
            2 => Ok(Record::Seen(input.varint()?)),
            other => Err(DecodeError::Unknown("record of leases", u64::from(other))),
        }
    }
}

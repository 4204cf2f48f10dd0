//! What the processes of a group say to one another, are asked, and tell.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// The longest text of a message, in bytes.
pub const TEXT_MAX: usize = 4_096;

/// The place of a message in everybody's sequence: the clock of its sender, and its name where clocks are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp {
    /// The sender's clock.
    pub time: u64,
    /// The sender.
    pub process: NodeId,
}

/// The messages.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Deliver this in its place.
    Multicast {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: String,
    },
    /// Nothing stamped earlier will come from the sender of this.
    Ack {
        /// The sender's clock.
        time: u64,
    },
}

impl Message {
    /// The clock of whoever sent this.
    pub(super) fn time(&self) -> u64 {
        match self {
            Message::Multicast { stamp, .. } => stamp.time,
            Message::Ack { time } => *time,
        }
    }
}

/// What a process can be asked: to multicast a text, `multicast hello`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ask(pub String);

/// What a process tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Told {
    /// It multicasts a message.
    Multicast {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: String,
    },
    /// It delivers a message.
    Delivered {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: String,
    },
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Multicast { .. } => "Multicast",
            Message::Ack { .. } => "Ack",
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.time, self.process)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Multicast { stamp, text } => write!(f, "Multicast {stamp} {text}"),
            Message::Ack { time } => write!(f, "Ack {time}"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Multicast { stamp, text } => write!(f, "multicasts {stamp} {text}"),
            Told::Delivered { stamp, text } => write!(f, "delivers {stamp} {text}"),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "multicast {}", self.0)
    }
}

/// Why a text is no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskError;

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected 'multicast TEXT', where TEXT is one line of 1 to {TEXT_MAX} bytes")
    }
}

impl core::error::Error for AskError {}

impl FromStr for Ask {
    type Err = AskError;
    fn from_str(line: &str) -> Result<Ask, AskError> {
        let text = line.strip_prefix("multicast ").ok_or(AskError)?;
        if is_text(text) { Ok(Ask(text.to_string())) } else { Err(AskError) }
    }
}

/// One line that begins and ends visibly, so that it comes back from every trace as it was.
fn is_text(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Multicast { stamp, text } => {
                (1u8, (stamp.time, stamp.process)).encode(out);
                text.encode(out);
            }
            Message::Ack { time } => (2u8, *time).encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            1 => {
                let stamp = Stamp { time: input.varint()?, process: NodeId::decode(input)? };
                let text = String::decode(input)?;
                if !is_text(&text) {
                    return Err(DecodeError::Invalid("text of a multicast"));
                }
                Message::Multicast { stamp, text }
            }
            2 => Message::Ack { time: input.varint()? },
            other => return Err(DecodeError::Unknown("multicast message", u64::from(other))),
        })
    }
}

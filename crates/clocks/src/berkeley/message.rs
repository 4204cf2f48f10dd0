//! What is sent, asked and told.

use crate::software_clock::{Reading, Signed, TimeOfDay};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, Reader};

/// A round: the life of the master in which it was begun, by the clock of its machine, and its number in that life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Round {
    /// When the master started. A master that comes back is heard, since its rounds are later ones.
    pub life: i64,
    /// Counted from 1.
    pub number: u64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}

impl Encode for Round {
    fn encode(&self, out: &mut Vec<u8>) {
        self.life.encode(out);
        self.number.encode(out);
    }
}

impl Decode for Round {
    fn decode(input: &mut Reader<'_>) -> Result<Round, DecodeError> {
        Ok(Round { life: i64::decode(input)?, number: u64::decode(input)? })
    }
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The master: what does your clock show?
    Poll(Round),
    /// A slave: this.
    Clock(Round, i64),
    /// The master: change it by so much. Never a time: that would be old on arrival.
    Adjust(Round, i64),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Poll(round) => write!(f, "Poll {round}"),
            Message::Clock(round, time) => write!(f, "Clock {round} {}", TimeOfDay(*time)),
            Message::Adjust(round, by) => write!(f, "Adjust {round} {}", Signed(*by)),
        }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Poll(_) => "Poll",
            Message::Clock(..) => "Clock",
            Message::Adjust(..) => "Adjust",
        }
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, round, value) = match self {
            Message::Poll(round) => (0, round, None),
            Message::Clock(round, time) => (1, round, Some(time)),
            Message::Adjust(round, by) => (2, round, Some(by)),
        };
        out.push(tag);
        round.encode(out);
        if let Some(value) = value {
            value.encode(out);
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            0 => Message::Poll(Round::decode(input)?),
            1 => Message::Clock(Round::decode(input)?, i64::decode(input)?),
            2 => Message::Adjust(Round::decode(input)?, i64::decode(input)?),
            other => return Err(DecodeError::Unknown("message", u64::from(other))),
        })
    }
}

/// What is waited for, by the master.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Until the next round.
    Next,
    /// For answers: later ones are not used.
    Close,
}

/// What is asked of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Of the master: begin a round now: `poll`.
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
    /// The master has made its average.
    Averaged {
        /// Of how many clocks that agree, its own included.
        of: usize,
        /// Out of how many.
        answered: usize,
        /// How far the average is ahead of its own clock.
        by_ns: i64,
    },
    /// Its clock is being set by so much: what it showed just before and just after.
    Adjusted {
        /// The delta.
        by_ns: i64,
        /// Before.
        before: Reading,
        /// After.
        after: Reading,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started(reading) => write!(f, "starts at {reading}"),
            Event::Shows(reading) => write!(f, "shows {reading}"),
            Event::Averaged { of, answered, by_ns } => {
                write!(f, "average of {of} of {answered} clocks: {}", Signed(*by_ns))
            }
            Event::Adjusted { by_ns, .. } => write!(f, "adjusts by {}", Signed(*by_ns)),
        }
    }
}

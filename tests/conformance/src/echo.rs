//! The smallest protocol that sends, persists, answers and remembers.

use core::fmt;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Reader, Restored};

/// Answers a call once it has written it down; the answer says how many it has written.
#[derive(Default)]
pub struct Echo {
    written: u64,
}

/// See [`Echo`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Write this down and say so.
    Call(u64),
    /// Written; the second number counts what was.
    Answer(u64, u64),
}

/// Call `to`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// The receiver.
    pub to: NodeId,
    /// With what.
    pub number: u64,
}

/// An answer came.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Answered {
    /// From whom.
    pub from: NodeId,
    /// To what.
    pub number: u64,
    /// How many calls it has written down.
    pub written: u64,
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Call(_) => "Call",
            Message::Answer(..) => "Answer",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Call(number) => write!(f, "Call {number}"),
            Message::Answer(number, written) => write!(f, "Answer {number} written={written}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} {}", self.to, self.number)
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {} by {}, which has written {}", self.number, self.from, self.written)
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Call(number) => (1u8, *number).encode(out),
            Message::Answer(number, written) => (2u8, (*number, *written)).encode(out),
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        Ok(match input.u8()? {
            1 => Message::Call(input.varint()?),
            2 => Message::Answer(input.varint()?, input.varint()?),
            other => return Err(DecodeError::Unknown("echo message", u64::from(other))),
        })
    }
}

impl Process for Echo {
    type Config = ();
    type Message = Message;
    type Timer = ();
    type Record = u64;
    type Command = Call;
    type Event = Answered;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Echo {
        Echo::default()
    }

    fn on_restore(&mut self, restored: Restored<u64>) {
        if let Restored::Record { .. } = restored {
            self.written += 1;
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Echo>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Echo>) {
        match message {
            Message::Call(number) => {
                self.written += 1;
                cx.persist(number);
                cx.send(from, Message::Answer(number, self.written));
            }
            Message::Answer(number, written) => cx.emit(Answered { from, number, written }),
        }
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Echo>) {}

    fn on_command(&mut self, call: Call, cx: &mut Context<'_, Echo>) {
        cx.send(call.to, Message::Call(call.number));
    }

    fn view(&self) {}
}

//! A child for the channel: says words on command, and reports what it hears.

use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Reader};

/// See the module.
pub struct Talk;

/// The words.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Word(pub u64);

/// Say `number` to `to`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Say {
    /// The receiver.
    pub to: NodeId,
    /// The number.
    pub number: u64,
}

/// The record type, never written: the talker has no records.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NoRecord(Infallible);

impl MessageKind for Word {
    fn kind(&self) -> &'static str {
        "Word"
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word {}", self.0)
    }
}

impl fmt::Display for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "say {} {}", self.to, self.number)
    }
}

impl fmt::Display for NoRecord {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl Encode for Word {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Word {
    fn decode(input: &mut Reader<'_>) -> Result<Word, DecodeError> {
        input.varint().map(Word)
    }
}

impl Encode for NoRecord {
    fn encode(&self, _: &mut Vec<u8>) {
        match self.0 {}
    }
}

impl Decode for NoRecord {
    fn decode(_: &mut Reader<'_>) -> Result<NoRecord, DecodeError> {
        Err(DecodeError::Invalid("record of a process that has none"))
    }
}

impl Process for Talk {
    type Config = ();
    type Message = Word;
    type Timer = ();
    type Record = NoRecord;
    type Command = Say;
    type Event = Word;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Talk {
        Talk
    }
    fn on_start(&mut self, _: &mut Context<'_, Talk>) {}
    fn on_message(&mut self, _: NodeId, word: Word, cx: &mut Context<'_, Talk>) {
        cx.emit(word);
    }
    fn on_timer(&mut self, (): (), _: &mut Context<'_, Talk>) {}
    fn on_command(&mut self, say: Say, cx: &mut Context<'_, Talk>) {
        cx.send(say.to, Word(say.number));
    }
    fn view(&self) {}
}

//! A process that says words on command, and reports what it hears.

use core::fmt;
use volvox_core::{
    Context, Decode, DecodeError, Encode, Incarnation, MessageKind, NodeId, Position, Process, Reader, Wall,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Talk {
    pub to: NodeId,
    pub number: u64,
}

/// The words heard, with the boot of the speaker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Told {
    pub from: NodeId,
    pub life: Wall,
    pub number: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Word {
    pub life: Wall,
    pub number: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stored(pub Incarnation);

impl fmt::Display for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "say {} to {}", self.number, self.to)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "heard {} from {}", self.number, self.from)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word {}", self.number)
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "life {}", self.0)
    }
}

impl MessageKind for Word {
    fn kind(&self) -> &'static str {
        "Word"
    }
}

impl Encode for Word {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.life, self.number).encode(out);
    }
}

impl Decode for Word {
    fn decode(input: &mut Reader<'_>) -> Result<Word, DecodeError> {
        let (life, number) = <(Wall, u64)>::decode(input)?;
        Ok(Word { life, number })
    }
}

pub struct Talker {
    life: Wall,
}

impl Process for Talker {
    type Config = ();
    type Message = Word;
    type Timer = ();
    type Record = Stored;
    type Command = Talk;
    type Event = Told;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], (): &()) -> Talker {
        Talker { life: Wall::default() }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Talker>) {
        self.life = cx.wall();
        cx.persist(Stored(cx.incarnation()));
    }

    fn on_message(&mut self, from: NodeId, word: Word, cx: &mut Context<'_, Talker>) {
        cx.emit_after(Position::NONE, Told { from, life: word.life, number: word.number });
    }

    fn on_timer(&mut self, (): (), _: &mut Context<'_, Talker>) {}

    fn on_command(&mut self, command: Talk, cx: &mut Context<'_, Talker>) {
        cx.send(command.to, Word { life: self.life, number: command.number });
    }

    fn view(&self) {}
}

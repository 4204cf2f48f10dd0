//! Whoever stands on a channel, in its simplest form: says words, and tells the words that it hears.
//!
//! Words are numbered for each listener, so that an observer can tell two equal words apart, and say of any link under
//! it whether it invents, repeats, reorders or loses: see [`properties`]. The talker itself does not look at the numbers.

mod property;

pub use property::{Words, properties};

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Reader};

/// The longest word, in bytes.
pub const TEXT_MAX: usize = 1_024;

/// A word on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Word {
    /// Its how-manieth from this speaker to this listener it is, from 1.
    pub number: u64,
    /// The word.
    pub text: String,
}

/// What a talker can be asked: `say hello to n2`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Say {
    /// The word.
    pub text: String,
    /// To whom.
    pub to: NodeId,
}

/// What a talker tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Told {
    /// It says a word.
    Said {
        /// To whom.
        to: NodeId,
        /// The word.
        word: Word,
    },
    /// It hears a word.
    Heard {
        /// From whom.
        from: NodeId,
        /// The word.
        word: Word,
    },
}

/// A talker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Talk {
    id: NodeId,
    /// How many words were said to each of the others.
    said: BTreeMap<NodeId, u64>,
}

impl Process for Talk {
    type Config = ();
    type Message = Word;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Say;
    type Event = Told;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Talk {
        Talk { id, said: members.iter().map(|member| (*member, 0)).collect() }
    }

    fn on_start(&mut self, _: &mut Context<'_, Talk>) {}

    fn on_message(&mut self, from: NodeId, word: Word, cx: &mut Context<'_, Talk>) {
        cx.emit(Told::Heard { from, word });
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Talk>) {
        match timer {}
    }

    fn on_command(&mut self, Say { text, to }: Say, cx: &mut Context<'_, Talk>) {
        match self.said.get_mut(&to) {
            Some(said) if to != self.id => {
                *said += 1;
                let word = Word { number: *said, text };
                cx.emit(Told::Said { to, word: word.clone() });
                cx.send(to, word);
            }
            _ => cx.note("nobody there to talk to", to.0),
        }
    }

    fn view(&self) {}
}

impl MessageKind for Word {
    fn kind(&self) -> &'static str {
        "Word"
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "say {} to {}", self.text, self.to)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Said { to, word } => write!(f, "says {word} to {to}"),
            Told::Heard { from, word } => write!(f, "hears {word} from {from}"),
        }
    }
}

/// Why a text is no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SayError;

impl fmt::Display for SayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected 'say WORD to NODE', such as 'say hello to n2'; a word is one line of 1 to {TEXT_MAX} bytes")
    }
}

impl core::error::Error for SayError {}

impl FromStr for Say {
    type Err = SayError;
    fn from_str(line: &str) -> Result<Say, SayError> {
        let (text, node) = line.strip_prefix("say ").and_then(|rest| rest.rsplit_once(" to n")).ok_or(SayError)?;
        let is_number = node.bytes().all(|byte| byte.is_ascii_digit());
        match node.parse() {
            Ok(node) if is_number && is_text(text) => Ok(Say { text: text.to_string(), to: NodeId(node) }),
            _ => Err(SayError),
        }
    }
}

/// One line that begins and ends visibly, so that it comes back from every trace as it was.
fn is_text(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

impl Encode for Word {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        self.text.encode(out);
    }
}

impl Decode for Word {
    fn decode(input: &mut Reader<'_>) -> Result<Word, DecodeError> {
        let word = Word { number: input.varint()?, text: String::decode(input)? };
        if is_text(&word.text) { Ok(word) } else { Err(DecodeError::Invalid("word")) }
    }
}

//! The simplest process over a channel: it says words, and reports the words that it hears.
//!
//! Words are numbered for each listener, so that an observer can tell two equal words apart, and detect whether a link
//! creates, duplicates, reorders or loses messages: see [`properties`]. The talker itself does not look at the numbers.

mod properties;

pub use properties::{History, properties};

use alloc::collections::BTreeMap;
use core::convert::Infallible;
use volvox_core::{Context, Line, NodeId, Process, commands, payload};

/// The longest word, in bytes.
pub const TEXT_MAX: usize = 1_024;

/// The text of a word: one line.
pub type Text = Line<TEXT_MAX>;

/// A word in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// Counts the words from this speaker to this listener, from 1.
    pub number: u64,
    /// The word.
    pub text: Text,
}

payload! { struct Message { number, text } as "Word" => "{text}" }

/// The commands to a talker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Say this word.
    Say {
        /// The word.
        text: Text,
        /// The listener.
        to: NodeId,
    },
}

commands! { Command; Say { text, to } = "say {text} to {to}" }

/// The events of a talker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The talker says a word.
    Said {
        /// The listener.
        to: NodeId,
        /// The word.
        word: Message,
    },
    /// The talker hears a word.
    Heard {
        /// The speaker.
        from: NodeId,
        /// The word.
        word: Message,
    },
}

payload! { Event;
    Said { to, word }    => "says {word} to {to}",
    Heard { from, word } => "hears {word} from {from}",
}

/// A talker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Talk {
    id: NodeId,
    /// The number of words said to each of the others.
    said: BTreeMap<NodeId, u64>,
}

impl Process for Talk {
    type Config = ();
    type Message = Message;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Talk {
        Talk { id, said: members.iter().map(|member| (*member, 0)).collect() }
    }

    fn on_start(&mut self, _: &mut Context<'_, Talk>) {}

    fn on_message(&mut self, from: NodeId, word: Message, cx: &mut Context<'_, Talk>) {
        cx.emit(Event::Heard { from, word });
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Talk>) {
        match timer {}
    }

    fn on_command(&mut self, Command::Say { text, to }: Command, cx: &mut Context<'_, Talk>) {
        match self.said.get_mut(&to) {
            Some(said) if to != self.id => {
                *said += 1;
                let word = Message { number: *said, text };
                cx.emit(Event::Said { to, word: word.clone() });
                cx.send(to, word);
            }
            _ => cx.note("no such listener", to.0),
        }
    }

    fn view(&self) {}
}

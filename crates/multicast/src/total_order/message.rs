//! The messages, commands and events of the processes of a group.

use volvox_core::{Line, NodeId, commands, numbers, payload};

/// The longest text of a message, in bytes.
pub const TEXT_MAX: usize = 4_096;

/// The text of a message: one line.
pub type Text = Line<TEXT_MAX>;

/// The time of a Lamport clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

/// No clock reaches this by counting, and a faulty peer must not drive the others to a stamp without a successor.
const TIME_MAX: u64 = (1 << 62) - 1;

numbers! { Time <= TIME_MAX, "time of a multicast" }

impl Time {
    /// The next event of the process, or the first after a message with this time.
    pub(super) fn next(self) -> Time {
        Time(self.0 + 1)
    }
}

/// The place of a message in the sequence of every process: its sender's clock, with the sender's id to break ties.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp {
    /// The sender's clock.
    pub time: Time,
    /// The sender.
    pub process: NodeId,
}

payload! { struct Stamp { time, process } => "{time}@{process}" }

/// The messages between the processes of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Deliver this text in its place.
    Multicast {
        /// The place of the message.
        stamp: Stamp,
        /// The text.
        text: Text,
    },
    /// Nothing with an earlier stamp will come from the sender of this.
    Ack {
        /// The sender's clock.
        time: Time,
    },
}

payload! { Message: "message of total order";
    1 Multicast { stamp, text } => "Multicast {stamp} {text}",
    2 Ack { time }              => "Ack {time}",
}

impl Message {
    /// The clock of the sender.
    pub(super) fn time(&self) -> Time {
        match self {
            Message::Multicast { stamp, .. } => stamp.time,
            Message::Ack { time } => *time,
        }
    }
}

/// The timers of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Only without the rule `fifo`: sends the messages that were held back.
    Late,
}

payload! { Timer; Late }

/// The commands to a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Multicast this text to the group.
    Multicast(Text),
}

commands! { Command; Multicast(text) = "multicast {text}" }

/// The events of a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The process multicasts a message.
    Multicast {
        /// The place of the message.
        stamp: Stamp,
        /// The text.
        text: Text,
    },
    /// The process delivers a message.
    Delivered {
        /// The place of the message.
        stamp: Stamp,
        /// The text.
        text: Text,
    },
}

payload! { Event;
    Multicast { stamp, text } => "multicasts {stamp} {text}",
    Delivered { stamp, text } => "delivers {stamp} {text}",
}

//! What the processes of a group say to one another, are asked, and tell.

use volvox_core::{Line, NodeId, commands, numbers, payload};

/// The longest text of a message, in bytes.
pub const TEXT_MAX: usize = 4_096;

/// What a message says: one line.
pub type Text = Line<TEXT_MAX>;

/// What a Lamport clock shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

/// No clock comes this far by counting, and a liar must not drive the others to where there is no later stamp.
const TIME_MAX: u64 = (1 << 62) - 1;

numbers! { Time <= TIME_MAX, "time of a multicast" }

impl Time {
    /// The next event of the process, or the first after a message with this time.
    pub(super) fn next(self) -> Time {
        Time(self.0 + 1)
    }
}

/// The place of a message in the sequence of every process: the clock of its sender, and its id where clocks are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp {
    /// The sender's clock.
    pub time: Time,
    /// The sender.
    pub process: NodeId,
}

payload! { struct Stamp { time, process } => "{time}@{process}" }

/// What the processes of a group say to one another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Deliver this in its place.
    Multicast {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: Text,
    },
    /// Nothing stamped earlier will come from the sender of this.
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
    /// Only without the rule `fifo`: what was held back is put on the links.
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
    /// It multicasts a message.
    Multicast {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: Text,
    },
    /// It delivers a message.
    Delivered {
        /// Its place.
        stamp: Stamp,
        /// What it says.
        text: Text,
    },
}

payload! { Event;
    Multicast { stamp, text } => "multicasts {stamp} {text}",
    Delivered { stamp, text } => "delivers {stamp} {text}",
}

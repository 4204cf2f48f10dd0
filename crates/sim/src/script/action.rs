//! The actions in a world that is driven by hand, as data.

use std::fmt;
use volvox_core::{Duration, Instant, MessageKind, NodeId, Position, Process};

/// One action, with the choices of the step that it causes.
pub struct Action<P: Process> {
    /// The earliest world's time; [`Instant::ZERO`] is as soon as possible.
    pub at: Instant,
    /// The action.
    pub what: What<P>,
    /// The answers to `choose`, in the order of asking. Missing ones are 0.
    pub choices: Vec<u32>,
}

/// See [`Action`].
pub enum What<P: Process> {
    /// A node that is down starts.
    Start {
        /// The node.
        node: NodeId,
    },
    /// A command arrives from outside.
    Command {
        /// The node.
        node: NodeId,
        /// The command.
        command: P::Command,
    },
    /// A message arrives. If the node is down, it is lost.
    Deliver {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The index among the messages in flight.
        which: Which<P::Message>,
    },
    /// A message never arrives.
    Drop {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The index among the messages in flight.
        which: Which<P::Message>,
    },
    /// A message is duplicated, right behind the first.
    Duplicate {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The index among the messages in flight.
        which: Which<P::Message>,
    },
    /// A timer fires; the clock of the world advances to its moment if that is later.
    Fire {
        /// The node.
        node: NodeId,
        /// The timer.
        timer: WhichTimer<P::Timer>,
    },
    /// Records are durable.
    Sync {
        /// The node.
        node: NodeId,
        /// The last durable record; by default all that the disk has received.
        through: Option<Position>,
    },
    /// The process ends.
    Crash {
        /// The node.
        node: NodeId,
        /// The records that its disk keeps.
        keeps: Keeps,
    },
    /// A node's clocks change.
    Clock {
        /// The node.
        node: NodeId,
        /// The jump of the wall clock, in nanoseconds.
        jump: i64,
        /// The drift of both clocks from now on, in parts per million.
        drift_ppm: Option<i32>,
    },
    /// Only time passes.
    Wait,
}

/// One of the messages in flight on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which<M> {
    /// The one sent first.
    Oldest,
    /// The message at this place, counted from 0 for the oldest.
    Place(usize),
    /// The oldest of this kind.
    Kind(String),
    /// The oldest that equals this one; while a run is being shrunk, otherwise the oldest of its kind.
    Equal(M),
}

/// One of the timers that a node has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhichTimer<T> {
    /// This one.
    Exactly(T),
    /// The one that is due first.
    Earliest,
}

/// The records that a crash leaves on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// The synced records.
    Durable,
    /// Also the unsynced records up to here.
    Through(Position),
    /// Nothing: the disk is gone, and the next start is that of another incarnation.
    Nothing,
}

impl<P: Process> Action<P> {
    /// This, as soon as possible.
    pub fn now(what: What<P>) -> Action<P> {
        Action { at: Instant::ZERO, what, choices: Vec::new() }
    }
}

// Not derived: that would require a clonable process, and there is none inside.
impl<P: Process> Clone for Action<P> {
    fn clone(&self) -> Action<P> {
        Action { at: self.at, what: self.what.clone(), choices: self.choices.clone() }
    }
}

impl<P: Process> Clone for What<P> {
    fn clone(&self) -> What<P> {
        match self {
            What::Start { node } => What::Start { node: *node },
            What::Command { node, command } => What::Command { node: *node, command: command.clone() },
            What::Deliver { from, to, which } => What::Deliver { from: *from, to: *to, which: which.clone() },
            What::Drop { from, to, which } => What::Drop { from: *from, to: *to, which: which.clone() },
            What::Duplicate { from, to, which } => What::Duplicate { from: *from, to: *to, which: which.clone() },
            What::Fire { node, timer } => What::Fire { node: *node, timer: timer.clone() },
            What::Sync { node, through } => What::Sync { node: *node, through: *through },
            What::Crash { node, keeps } => What::Crash { node: *node, keeps: *keeps },
            What::Clock { node, jump, drift_ppm } => What::Clock { node: *node, jump: *jump, drift_ppm: *drift_ppm },
            What::Wait => What::Wait,
        }
    }
}

impl<P: Process> fmt::Debug for Action<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The line of a script. Its choices are separate lines before it.
impl<P: Process> fmt::Display for Action<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at > Instant::ZERO {
            write!(f, "at {} ", Span(Duration::from_nanos(self.at.0)))?;
        }
        fmt::Display::fmt(&self.what, f)
    }
}

impl<P: Process> fmt::Display for What<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Start { node } => write!(f, "start {node}"),
            What::Command { node, command } => write!(f, "command {node} {command}"),
            What::Deliver { from, to, which } => write!(f, "deliver {from}->{to}{which}"),
            What::Drop { from, to, which } => write!(f, "drop {from}->{to}{which}"),
            What::Duplicate { from, to, which } => write!(f, "duplicate {from}->{to}{which}"),
            What::Fire { node, timer: WhichTimer::Exactly(timer) } => write!(f, "timer {node} {timer:?}"),
            What::Fire { node, timer: WhichTimer::Earliest } => write!(f, "timeout {node}"),
            What::Sync { node, through: None } => write!(f, "sync {node}"),
            What::Sync { node, through: Some(through) } => write!(f, "sync {node} {through}"),
            What::Crash { node, keeps: Keeps::Durable } => write!(f, "crash {node}"),
            What::Crash { node, keeps: Keeps::Through(through) } => write!(f, "crash {node} keeping {through}"),
            What::Crash { node, keeps: Keeps::Nothing } => write!(f, "crash {node} without disk"),
            What::Clock { node, jump, drift_ppm } => {
                write!(f, "clock {node}")?;
                if *jump != 0 || drift_ppm.is_none() {
                    let sign = if *jump < 0 { '-' } else { '+' };
                    write!(f, " {sign}{}", Span(Duration::from_nanos(jump.unsigned_abs())))?;
                }
                drift_ppm.map_or(Ok(()), |ppm| write!(f, " {ppm}ppm"))
            }
            What::Wait => f.write_str("wait"),
        }
    }
}

impl<M: MessageKind> fmt::Display for Which<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Oldest => Ok(()),
            Which::Place(place) => write!(f, " #{}", place + 1),
            Which::Kind(kind) => write!(f, " {kind}"),
            Which::Equal(message) => write!(f, " {}", message.kind()),
        }
    }
}

/// A span in the largest unit that divides it.
pub(super) struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
            if nanos >= size && nanos.is_multiple_of(size) {
                return write!(f, "{}{unit}", nanos / size);
            }
        }
        write!(f, "{nanos}ns")
    }
}

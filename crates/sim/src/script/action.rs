//! What may happen in a world that is driven by hand, as data.

use std::fmt;
use volvox_core::{Duration, Instant, MessageKind, NodeId, Position, Process};

/// One thing that happens, and how the choices of the step that it causes turn out.
pub struct Action<P: Process> {
    /// Not before this moment of the world's time; [`Instant::ZERO`] is as soon as possible.
    pub at: Instant,
    /// What happens.
    pub what: What<P>,
    /// The answers to `choose`, in the order of asking. Those that are missing are 0.
    pub choices: Vec<u32>,
}

/// See [`Action`].
pub enum What<P: Process> {
    /// A node that is down starts.
    Start {
        /// Whose process.
        node: NodeId,
    },
    /// Somebody outside asks for something.
    Command {
        /// Whom.
        node: NodeId,
        /// What.
        command: P::Command,
    },
    /// A message arrives. Where nobody is, it is lost.
    Deliver {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Which of those under way.
        which: Which<P::Message>,
    },
    /// A message never arrives.
    Drop {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Which of those under way.
        which: Which<P::Message>,
    },
    /// A message is under way a second time, right behind the first.
    Duplicate {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Which of those under way.
        which: Which<P::Message>,
    },
    /// A timer fires; the clock of the world advances to its moment if that is later.
    Fire {
        /// Whose.
        node: NodeId,
        /// Which.
        timer: WhichTimer<P::Timer>,
    },
    /// Records are durable.
    Sync {
        /// Whose.
        node: NodeId,
        /// Up to which; all that was handed to the disk when nothing is said.
        through: Option<Position>,
    },
    /// The process ends.
    Crash {
        /// Whose.
        node: NodeId,
        /// What is found on its disk afterwards.
        keeps: Keeps,
    },
    /// A node's clocks change.
    Clock {
        /// Whose.
        node: NodeId,
        /// By how many nanoseconds the wall clock jumps.
        jump: i64,
        /// How fast both run from now on, in parts per million over the true rate.
        drift_ppm: Option<i32>,
    },
    /// Nothing but time.
    Wait,
}

/// One of the messages that are under way on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which<M> {
    /// The one sent first.
    Oldest,
    /// The one at this place, counted from 0 for the oldest.
    Place(usize),
    /// The oldest of this kind.
    Kind(String),
    /// The oldest that equals this one. While a run is made shorter, a like one must do: then the oldest of its kind.
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

/// What a crash leaves on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// What was synced.
    Durable,
    /// Of what was not synced, what was written up to here.
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

// Not derived: that would ask for a process that can be cloned, and there is none inside.
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

/// The line of a script. Its choices are lines of their own, before it.
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

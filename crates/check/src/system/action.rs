//! The decisions of the world, as values.

use std::fmt;
use volvox_core::{NodeId, Position, Process};

/// One decision of the world, with the choices of the step that it caused.
pub struct Action<P: Process> {
    /// The decision.
    pub what: What<P>,
    /// The answers to `choose`, in the order of asking.
    pub choices: Box<[u32]>,
}

/// A decision of the world.
pub enum What<P: Process> {
    /// A message arrives.
    Deliver {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The message.
        message: P::Message,
        /// Whether it stays in flight, to arrive once more.
        kept: bool,
    },
    /// A message never arrives.
    Lose {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The message.
        message: P::Message,
        /// Whether that is because the receiver is down.
        is_receiver_down: bool,
    },
    /// A timer fires.
    Fire {
        /// The node.
        node: NodeId,
        /// The timer.
        timer: P::Timer,
    },
    /// A command arrives from outside.
    Command {
        /// The node.
        node: NodeId,
        /// The command.
        command: P::Command,
    },
    /// Records are durable.
    Sync {
        /// The node.
        node: NodeId,
        /// The last durable record.
        through: Position,
    },
    /// A process ends.
    Crash {
        /// The node.
        node: NodeId,
        /// The last record that survives.
        keeps: Position,
        /// Whether its messages in flight, over ordered links, are lost with it.
        silenced: bool,
    },
    /// A process starts for the first time. All processes do before a run begins, so this is only reported for a start
    /// that fails.
    Start {
        /// The node.
        node: NodeId,
    },
    /// A process starts again.
    Restart {
        /// The node.
        node: NodeId,
    },
    /// A tick.
    Pass,
}

// Not derived: that would require a clonable process, and there is none inside.
impl<P: Process> Clone for Action<P> {
    fn clone(&self) -> Action<P> {
        Action { what: self.what.clone(), choices: self.choices.clone() }
    }
}

impl<P: Process> Clone for What<P> {
    fn clone(&self) -> What<P> {
        match self {
            What::Deliver { from, to, message, kept } => {
                What::Deliver { from: *from, to: *to, message: message.clone(), kept: *kept }
            }
            What::Lose { from, to, message, is_receiver_down } => {
                What::Lose { from: *from, to: *to, message: message.clone(), is_receiver_down: *is_receiver_down }
            }
            What::Fire { node, timer } => What::Fire { node: *node, timer: timer.clone() },
            What::Command { node, command } => What::Command { node: *node, command: command.clone() },
            What::Sync { node, through } => What::Sync { node: *node, through: *through },
            What::Crash { node, keeps, silenced } => What::Crash { node: *node, keeps: *keeps, silenced: *silenced },
            What::Start { node } => What::Start { node: *node },
            What::Restart { node } => What::Restart { node: *node },
            What::Pass => What::Pass,
        }
    }
}

impl<P: Process> fmt::Display for Action<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Deliver { from, to, message, kept } => {
                write!(f, "{to} <- {from} {message}{}", if *kept { " (and stays in flight)" } else { "" })?;
            }
            What::Lose { from, to, message, is_receiver_down } => {
                write!(
                    f,
                    "lost {from} -> {to} {message}{}",
                    if *is_receiver_down { " (the receiver is down)" } else { "" }
                )?;
            }
            What::Fire { node, timer } => write!(f, "{node} timer {timer:?} fires")?,
            What::Command { node, command } => write!(f, "{node} command {command}")?,
            What::Sync { node, through } => write!(f, "{node} durable through {through}")?,
            What::Crash { node, keeps, silenced } => {
                write!(f, "{node} crashes, its disk keeps {keeps}")?;
                f.write_str(if *silenced { ", and what it sent is lost" } else { "" })?;
            }
            What::Start { node } => write!(f, "{node} starts")?,
            What::Restart { node } => write!(f, "{node} starts again")?,
            What::Pass => f.write_str("a tick passes")?,
        }
        if !self.choices.is_empty() {
            write!(f, " choosing {:?}", self.choices)?;
        }
        Ok(())
    }
}

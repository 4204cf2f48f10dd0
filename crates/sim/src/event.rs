//! What will happen, what a process is told then, and what the outside sees of it.

use crate::storage::StorageError;
use std::fmt;
use volvox_core::{Duration, Fault, Incarnation, Instant, NodeId, Position, Process};

/// Something that the world will do.
pub(crate) enum Pending<P: Process> {
    Message {
        link: u32,
        epoch: u32,
        message: P::Message,
    },
    Timer {
        node: u32,
        run: u32,
        timer: P::Timer,
    },
    Synced {
        node: u32,
        run: u32,
    },
    /// A disk that lets something wait is asked again.
    AskDisk {
        node: u32,
        run: u32,
    },
    Command {
        node: u32,
        command: Box<P::Command>,
    },
    Start {
        node: u32,
    },
    /// A node that was paused looks at what waits.
    Wake {
        node: u32,
        run: u32,
    },
    Fault(Box<Fault>),
    /// A fault that is undone after this span.
    Passing(Box<(Fault, Duration)>),
    Undo(Undo),
    Plan,
    Alarm(u64),
}

/// What the outside sees of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened<E> {
    /// When, in the world's time.
    pub at: Instant,
    /// Whom it concerns; nobody for an alarm.
    pub node: NodeId,
    /// What.
    pub what: Happening<E>,
}

/// What a [`Happened`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening<E> {
    /// The process told something.
    Event(E),
    /// The process started, in this life of its storage.
    Started(Incarnation),
    /// The process is gone; with the reason when its disk was it.
    Stopped(Option<StorageError>),
    /// An alarm set with [`Simulation::alarm`](crate::Simulation::alarm) is due.
    Alarm(u64),
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, in the world's time.
    pub at: Instant,
    /// Whose step broke it.
    pub node: NodeId,
    /// Its name.
    pub invariant: &'static str,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} does not hold: {}", self.at, self.node, self.invariant, self.text)
    }
}

/// What a process is told.
pub(crate) enum Input<P: Process> {
    Start,
    Message(NodeId, P::Message),
    Timer(P::Timer),
    Command(P::Command),
    Persisted(Position),
}

/// How a drawn fault ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Undo {
    Partition(u64),
    Cut(u32, u32),
    Slow(u32, u32),
    /// The disk is well, the process goes on, or starts.
    Node(u32),
    Clock(u32),
    Disk(u32),
}

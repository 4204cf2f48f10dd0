//! Future events, the inputs of a process, and their visible results.

use crate::storage::StorageError;
use std::fmt;
use volvox_core::{Duration, Fault, Incarnation, Instant, NodeId, Position, Process};

/// A future event of the world.
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
    /// A disk that defers something is asked again.
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
    /// A node that was paused handles what waits.
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

/// The part of a run that is visible from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened<E> {
    /// The world's time.
    pub at: Instant,
    /// The node that it concerns; none for an alarm.
    pub node: NodeId,
    /// The happening.
    pub what: Happening<E>,
}

/// The subject of a [`Happened`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening<E> {
    /// The process emitted an event.
    Event(E),
    /// The process started, in this incarnation.
    Started(Incarnation),
    /// The process is gone; with the reason if its disk failed.
    Stopped(Option<StorageError>),
    /// An alarm set with [`Simulation::alarm`](crate::Simulation::alarm) is due.
    Alarm(u64),
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The world's time.
    pub at: Instant,
    /// The node whose step broke it.
    pub node: NodeId,
    /// Its name.
    pub invariant: &'static str,
    /// The reason.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} does not hold: {}", self.at, self.node, self.invariant, self.text)
    }
}

/// The input of a step.
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
    /// The disk works again, the process resumes, or starts.
    Node(u32),
    Clock(u32),
    Disk(u32),
}

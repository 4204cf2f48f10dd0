//! The messages, commands and events of snapshots over an application.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{NodeId, Serial, commands, payload};

/// The name of a snapshot, which is never reused: the second that node 1 began prints as `n1#2`, the first after its
/// restart as `n1#2.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// The initiator.
    pub beginner: NodeId,
    /// The number among the initiator's snapshots.
    pub number: Serial,
}

payload! { struct SnapshotId { beginner, number } => "{beginner}#{number}" }

/// The messages over an application with messages `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// Separates messages sent before its sender recorded its state from those sent after.
    Marker(SnapshotId),
    /// A message of the application.
    Application(M),
}

payload! { Message<M>: "snapshot message";
    1 Marker(snapshot)                   => "Marker {snapshot}",
    2 Application(message) as message: M => "{message}",
}

/// The commands over an application with commands `C`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command<C> {
    /// Begin a snapshot: `snapshot`.
    Snapshot,
    /// A command of the application.
    Application(C),
}

commands! { Command<C>; Snapshot = "snapshot"; else Application: C }

/// The events over an application with states `S`, messages `M` and events `E`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event<S, M, E> {
    /// The state of this process is recorded.
    State {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The state.
        state: S,
    },
    /// The state of an incoming channel is recorded.
    Channel {
        /// The snapshot.
        snapshot: SnapshotId,
        /// The sender of the channel.
        from: NodeId,
        /// The messages in transit, oldest first.
        messages: Vec<M>,
    },
    /// This process's part of a snapshot is complete.
    Complete(SnapshotId),
    /// An event of the application.
    Application(E),
}

payload! { Event<S, M, E>;
    State { snapshot, state }            => "snapshot {snapshot}: {state}",
    Channel { snapshot, from, messages } => ("snapshot {snapshot}: channel from {from}:{}", Content(messages)),
    Complete(snapshot)                   => "snapshot {snapshot}: complete",
    Application(event) as event: E       => "{event}",
}

/// The messages in transit in a channel.
struct Content<'a, M>(&'a [M]);

impl<M: fmt::Display> fmt::Display for Content<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" empty");
        }
        self.0.iter().try_for_each(|message| write!(f, " [{message}]"))
    }
}

/// The timers over an application with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// Only if a rule is removed: sends the delayed messages.
    Late,
    /// A timer of the application.
    Application(T),
}

payload! { Timer<T>; Late, Application(timer) as timer: T }

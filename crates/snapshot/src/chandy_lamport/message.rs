//! What is said, asked and told when snapshots are taken over an application.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{NodeId, Serial, commands, payload};

/// The name of a snapshot, given once: the second that node 1 began prints as `n1#2`, the first after its restart as
/// `n1#2.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// Who began it.
    pub beginner: NodeId,
    /// Which of those that it began.
    pub number: Serial,
}

payload! { struct SnapshotId { beginner, number } => "{beginner}#{number}" }

/// The messages over an application with messages `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// Parts what was sent before its sender recorded its state from what was sent after.
    Marker(SnapshotId),
    /// The application's own.
    Application(M),
}

payload! { Message<M>: "snapshot message";
    1 Marker(snapshot)                   => "Marker {snapshot}",
    2 Application(message) as message: M => "{message}",
}

/// What can be asked over an application with commands `C`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command<C> {
    /// Begin a snapshot: `snapshot`.
    Snapshot,
    /// The application's own.
    Application(C),
}

commands! { Command<C>; Snapshot = "snapshot"; else Application: C }

/// What is told over an application with states `S`, messages `M` and events `E`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event<S, M, E> {
    /// The state of this process is recorded.
    State {
        /// In which snapshot.
        snapshot: SnapshotId,
        /// The state.
        state: S,
    },
    /// The state of an incoming channel is recorded.
    Channel {
        /// In which snapshot.
        snapshot: SnapshotId,
        /// Whence the channel comes.
        from: NodeId,
        /// What was under way in it, oldest first.
        messages: Vec<M>,
    },
    /// This process's part of a snapshot is complete.
    Complete(SnapshotId),
    /// The application's own.
    Application(E),
}

payload! { Event<S, M, E>;
    State { snapshot, state }            => "snapshot {snapshot}: {state}",
    Channel { snapshot, from, messages } => ("snapshot {snapshot}: channel from {from}:{}", Content(messages)),
    Complete(snapshot)                   => "snapshot {snapshot}: complete",
    Application(event) as event: E       => "{event}",
}

/// What was under way in a channel.
struct Content<'a, M>(&'a [M]);

impl<M: fmt::Display> fmt::Display for Content<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" empty");
        }
        self.0.iter().try_for_each(|message| write!(f, " [{message}]"))
    }
}

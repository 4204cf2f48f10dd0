//! What is said, asked and told when snapshots are taken over an application.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader, Serial};

/// The name of a snapshot, given once: the second that node 1 began prints as `n1#2`, the first after its restart as
/// `n1#2.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// Who began it.
    pub beginner: NodeId,
    /// Which of those that it began.
    pub number: Serial,
}

/// The messages over an application with messages `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// Parts what was sent before its sender recorded its state from what was sent after.
    Marker(SnapshotId),
    /// The application's own.
    Application(M),
}

/// What can be asked over an application with commands `C`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ask<C> {
    /// Begin a snapshot: `snapshot`.
    Snapshot,
    /// The application's own.
    Application(C),
}

/// What is told over an application with states `S`, messages `M` and events `E`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Told<S, M, E> {
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

impl<M: MessageKind> MessageKind for Message<M> {
    fn kind(&self) -> &'static str {
        match self {
            Message::Marker(_) => "Marker",
            Message::Application(message) => message.kind(),
        }
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.beginner, self.number)
    }
}

impl<M: fmt::Display> fmt::Display for Message<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Marker(snapshot) => write!(f, "Marker {snapshot}"),
            Message::Application(message) => message.fmt(f),
        }
    }
}

impl<C: fmt::Display> fmt::Display for Ask<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Snapshot => f.write_str("snapshot"),
            Ask::Application(command) => command.fmt(f),
        }
    }
}

impl<S: fmt::Display, M: fmt::Display, E: fmt::Display> fmt::Display for Told<S, M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::State { snapshot, state } => write!(f, "snapshot {snapshot}: {state}"),
            Told::Channel { snapshot, from, messages } => {
                write!(f, "snapshot {snapshot}: channel from {from}:")?;
                if messages.is_empty() {
                    return f.write_str(" empty");
                }
                messages.iter().try_for_each(|message| write!(f, " [{message}]"))
            }
            Told::Complete(snapshot) => write!(f, "snapshot {snapshot}: complete"),
            Told::Application(event) => event.fmt(f),
        }
    }
}

/// Why a text is no command: it is not `snapshot`, and the application does not know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskError<E>(pub E);

impl<E: fmt::Display> fmt::Display for AskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected 'snapshot', or a command of the application: {}", self.0)
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for AskError<E> {}

impl<C: FromStr> FromStr for Ask<C> {
    type Err = AskError<C::Err>;
    fn from_str(text: &str) -> Result<Ask<C>, AskError<C::Err>> {
        match text {
            "snapshot" => Ok(Ask::Snapshot),
            _ => text.parse().map(Ask::Application).map_err(AskError),
        }
    }
}

impl<M: Encode> Encode for Message<M> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Marker(snapshot) => (1u8, (snapshot.beginner, snapshot.number)).encode(out),
            Message::Application(message) => {
                2u8.encode(out);
                message.encode(out);
            }
        }
    }
}

impl<M: Decode> Decode for Message<M> {
    fn decode(input: &mut Reader<'_>) -> Result<Message<M>, DecodeError> {
        Ok(match input.u8()? {
            1 => Message::Marker(SnapshotId { beginner: NodeId::decode(input)?, number: Serial::decode(input)? }),
            2 => Message::Application(M::decode(input)?),
            other => return Err(DecodeError::Unknown("snapshot message", u64::from(other))),
        })
    }
}

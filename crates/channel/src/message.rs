//! The messages between two channels.

use volvox_core::{NodeId, payload};

/// One boot of a node's process; a later boot has a greater session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Session(pub u64);

payload! { struct Session(number) => "s{number}" }

/// The messages of a channel that carries messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// This is my session; what is yours?
    Hello {
        /// The sender's session.
        from: Session,
    },
    /// This is my session; I know yours.
    Welcome {
        /// The sender's session.
        from: Session,
        /// The receiver's session, as the sender knows it.
        to: Session,
    },
    /// One message of the stream between two sessions.
    Data {
        /// The sender's session.
        from: Session,
        /// The receiver's session.
        to: Session,
        /// The number in the stream, from 1.
        number: u64,
        /// The payload.
        payload: M,
    },
    /// Everything up to `through` was delivered.
    Ack {
        /// The sender's session: that of the node that received the data.
        from: Session,
        /// The receiver's session: that of the node that sent the data.
        to: Session,
        /// The last number delivered; 0 if none.
        through: u64,
    },
    /// Your session is not your latest.
    Refused {
        /// The session that the message used.
        to: Session,
        /// The latest one known.
        latest: Session,
    },
}

payload! { Message<M>: "channel message";
    1 Hello { from }                                  => "Hello {from}",
    2 Welcome { from, to }                            => "Welcome {from}->{to}",
    3 Data { from, to, number, payload } as payload: M => "Data {from}->{to} #{number} {payload}",
    4 Ack { from, to, through }                       => "Ack {from}->{to} #{through}",
    5 Refused { to, latest }                          => "Refused {to} latest={latest}",
}

/// The timers of a channel over a process with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// Retransmit to this peer what it has not acknowledged.
    Repeat(NodeId),
    /// A timer of the child.
    Child(T),
}

payload! { Timer<T>; Repeat(peer), Child(timer) as timer: T }

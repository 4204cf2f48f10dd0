//! What goes over the link.

use volvox_core::{NodeId, payload};

/// The messages of sliding windows that carry messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// A message, perhaps not for the first time.
    Data {
        /// Its number, modulo 2^k.
        sequence: u16,
        /// What is carried.
        message: M,
    },
    /// It arrived; in go-back-N, all up to it did.
    Ack {
        /// The number.
        sequence: u16,
    },
}

payload! { Message<M>: "message of a sliding window";
    1 Data { sequence, message } as message: M => "Data {sequence} {message}",
    2 Ack { sequence }                         => "Ack {sequence}",
}

impl<M> Message<M> {
    pub(super) fn sequence(&self) -> u16 {
        match self {
            Message::Data { sequence, .. } | Message::Ack { sequence } => *sequence,
        }
    }
}

/// The timers of sliding windows over a process with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// Nothing more is acknowledged: all again (stop-and-wait, go-back-N).
    RepeatAll(NodeId),
    /// This one is not acknowledged: again (selective repeat).
    RepeatOne(NodeId, u16),
    /// Only without order: slow copies arrive at the link.
    Late,
    /// The process's own.
    Child(T),
}

payload! { Timer<T>; RepeatAll(peer), RepeatOne(peer, sequence), Late, Child(timer) as timer: T }

//! The messages on the link.

use volvox_core::{NodeId, payload};

/// The messages of sliding windows that carry messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// A message, possibly retransmitted.
    Data {
        /// The sequence number, modulo 2^k.
        sequence: u16,
        /// The payload.
        message: M,
    },
    /// The message arrived; in go-back-N, so did all before it.
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
    /// No further acknowledgement: retransmit all (stop-and-wait, go-back-N).
    RepeatAll(NodeId),
    /// This message is not acknowledged: retransmit it (selective repeat).
    RepeatOne(NodeId, u16),
    /// Only without the rule `order`: slow copies enter the link.
    Late,
    /// A timer of the process above.
    Child(T),
}

payload! { Timer<T>; RepeatAll(peer), RepeatOne(peer, sequence), Late, Child(timer) as timer: T }

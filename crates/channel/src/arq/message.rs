//! What goes over the link.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// The messages of sliding windows that carry messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Frame<M> {
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

impl<M> Frame<M> {
    pub(super) fn sequence(&self) -> u16 {
        match self {
            Frame::Data { sequence, .. } | Frame::Ack { sequence } => *sequence,
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

impl<M: MessageKind> MessageKind for Frame<M> {
    fn kind(&self) -> &'static str {
        match self {
            Frame::Data { message, .. } => message.kind(),
            Frame::Ack { .. } => "Ack",
        }
    }
}

impl<M: fmt::Display> fmt::Display for Frame<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Frame::Data { sequence, message } => write!(f, "Data {sequence} {message}"),
            Frame::Ack { sequence } => write!(f, "Ack {sequence}"),
        }
    }
}

impl<M: Encode> Encode for Frame<M> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Data { sequence, message } => {
                (1u8, *sequence).encode(out);
                message.encode(out);
            }
            Frame::Ack { sequence } => (2u8, *sequence).encode(out),
        }
    }
}

impl<M: Decode> Decode for Frame<M> {
    fn decode(input: &mut Reader<'_>) -> Result<Frame<M>, DecodeError> {
        Ok(match input.u8()? {
            1 => Frame::Data { sequence: u16::decode(input)?, message: M::decode(input)? },
            2 => Frame::Ack { sequence: u16::decode(input)? },
            other => return Err(DecodeError::Unknown("frame of a sliding window", u64::from(other))),
        })
    }
}

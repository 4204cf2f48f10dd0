//! What two channels say to one another.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// One life of a node's process; a later life has a greater session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Session(pub u64);

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// The messages of a channel that carries messages of kind `M`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<M> {
    /// This is my session; what is yours?
    Hello {
        /// The sender's.
        from: Session,
    },
    /// This is my session; I know yours.
    Welcome {
        /// The sender's.
        from: Session,
        /// The receiver's, as the sender knows it.
        to: Session,
    },
    /// One message of the stream between two sessions.
    Data {
        /// The sender's.
        from: Session,
        /// The receiver's.
        to: Session,
        /// Its place in the stream, from 1.
        number: u64,
        /// What is carried.
        payload: M,
    },
    /// Everything up to `through` was handed up.
    Ack {
        /// The sender's: who received.
        from: Session,
        /// The receiver's: who sent the data.
        to: Session,
        /// The last number handed up; 0 when none was.
        through: u64,
    },
    /// Your session is not your latest.
    Refused {
        /// The one that was used.
        to: Session,
        /// The latest one known.
        latest: Session,
    },
}

impl<M: MessageKind> MessageKind for Message<M> {
    fn kind(&self) -> &'static str {
        match self {
            Message::Hello { .. } => "Hello",
            Message::Welcome { .. } => "Welcome",
            Message::Data { payload, .. } => payload.kind(),
            Message::Ack { .. } => "Ack",
            Message::Refused { .. } => "Refused",
        }
    }
}

impl<M: fmt::Display> fmt::Display for Message<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Hello { from } => write!(f, "Hello {from}"),
            Message::Welcome { from, to } => write!(f, "Welcome {from}->{to}"),
            Message::Data { from, to, number, payload } => write!(f, "Data {from}->{to} #{number} {payload}"),
            Message::Ack { from, to, through } => write!(f, "Ack {from}->{to} #{through}"),
            Message::Refused { to, latest } => write!(f, "Refused {to} latest={latest}"),
        }
    }
}

impl<M: Encode> Encode for Message<M> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Hello { from } => (1u8, from.0).encode(out),
            Message::Welcome { from, to } => (2u8, (from.0, to.0)).encode(out),
            Message::Data { from, to, number, payload } => {
                (3u8, (from.0, (to.0, *number))).encode(out);
                payload.encode(out);
            }
            Message::Ack { from, to, through } => (4u8, (from.0, (to.0, *through))).encode(out),
            Message::Refused { to, latest } => (5u8, (to.0, latest.0)).encode(out),
        }
    }
}

impl<M: Decode> Decode for Message<M> {
    fn decode(input: &mut Reader<'_>) -> Result<Message<M>, DecodeError> {
        let tag = input.u8()?;
        let mut session = || input.varint().map(Session);
        Ok(match tag {
            1 => Message::Hello { from: session()? },
            2 => Message::Welcome { from: session()?, to: session()? },
            3 => {
                Message::Data { from: session()?, to: session()?, number: input.varint()?, payload: M::decode(input)? }
            }
            4 => Message::Ack { from: session()?, to: session()?, through: input.varint()? },
            5 => Message::Refused { to: session()?, latest: session()? },
            other => return Err(DecodeError::Unknown("channel message", u64::from(other))),
        })
    }
}

/// The timers of a channel over a process with timers `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer<T> {
    /// Say again to this peer what it has not answered.
    Repeat(NodeId),
    /// The child's own.
    Child(T),
}

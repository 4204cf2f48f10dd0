//! What the nodes of a ring say, and what they write down.

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

/// Which token: a later one has a greater epoch, and no two nodes ever make the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch {
    /// Greater than any that its maker knew.
    pub number: u64,
    /// Who made it: it decides where numbers are equal.
    pub by: NodeId,
}

/// What two neighbours say to one another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The token: you may enter, once.
    Token {
        /// Which.
        epoch: Epoch,
    },
    /// I miss the token: let go of any older one, and pass this on; when it is back, I make a new token.
    Claim {
        /// That of the new token.
        epoch: Epoch,
    },
    /// I live, and have what you sent.
    Received {
        /// What it carried.
        epoch: Epoch,
    },
}

/// The greatest epoch that the node knows, before anybody hears of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Known {
    /// It.
    pub epoch: Epoch,
}

impl Message {
    /// The epoch that it carries.
    pub fn epoch(&self) -> Epoch {
        match self {
            Message::Token { epoch } | Message::Claim { epoch } | Message::Received { epoch } => *epoch,
        }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Token { .. } => "Token",
            Message::Claim { .. } => "Claim",
            Message::Received { .. } => "Received",
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.number, self.by)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.epoch())
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}", self.epoch)
    }
}

impl Encode for Epoch {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.number, self.by).encode(out);
    }
}

impl Decode for Epoch {
    fn decode(input: &mut Reader<'_>) -> Result<Epoch, DecodeError> {
        Ok(Epoch { number: input.varint()?, by: NodeId::decode(input)? })
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let tag = match self {
            Message::Token { .. } => 1u8,
            Message::Claim { .. } => 2,
            Message::Received { .. } => 3,
        };
        (tag, self.epoch()).encode(out);
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        match input.u8()? {
            1 => Ok(Message::Token { epoch: Epoch::decode(input)? }),
            2 => Ok(Message::Claim { epoch: Epoch::decode(input)? }),
            3 => Ok(Message::Received { epoch: Epoch::decode(input)? }),
            other => Err(DecodeError::Unknown("message of the token ring", u64::from(other))),
        }
    }
}

/// The version of the record's form.
const VERSION: u8 = 1;

impl Encode for Known {
    fn encode(&self, out: &mut Vec<u8>) {
        (VERSION, self.epoch).encode(out);
    }
}

impl Decode for Known {
    fn decode(input: &mut Reader<'_>) -> Result<Known, DecodeError> {
        match input.u8()? {
            VERSION => Ok(Known { epoch: Epoch::decode(input)? }),
            other => Err(DecodeError::Unknown("record of the token ring", u64::from(other))),
        }
    }
}

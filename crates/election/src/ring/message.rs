//! How messages, records and events are printed and encoded.

use super::{Begun, Elected, Election, Message, RING_MAX, Round};
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, MessageKind, NodeId, Reader};

impl fmt::Display for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.initiator.0, self.number)
    }
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Election { .. } => "Election",
            Message::Coordinator { .. } => "Coordinator",
            Message::Ack { .. } => "Ack",
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Election { election, list } => {
                write!(f, "Election {election} ")?;
                names(list, f)
            }
            Message::Coordinator { election, leader, list } => {
                write!(f, "Coordinator {election} {leader} ")?;
                names(list, f)
            }
            Message::Ack { election, .. } => write!(f, "Ack {election}"),
        }
    }
}

fn names(list: &[NodeId], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, node) in list.iter().enumerate() {
        write!(f, "{}{}", if place == 0 { "[" } else { " " }, node.0)?;
    }
    f.write_str("]")
}

impl fmt::Display for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "begun {}", self.number)
    }
}

impl fmt::Display for Elected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "elected {} by {}", self.leader, self.election)
    }
}

impl Encode for Election {
    fn encode(&self, out: &mut Vec<u8>) {
        self.initiator.encode(out);
        self.number.encode(out);
    }
}

impl Decode for Election {
    fn decode(input: &mut Reader<'_>) -> Result<Election, DecodeError> {
        Ok(Election { initiator: NodeId::decode(input)?, number: u64::decode(input)? })
    }
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Election { election, list } => {
                0u8.encode(out);
                election.encode(out);
                list.encode(out);
            }
            Message::Coordinator { election, leader, list } => {
                1u8.encode(out);
                election.encode(out);
                leader.encode(out);
                list.encode(out);
            }
            Message::Ack { election, round } => {
                2u8.encode(out);
                election.encode(out);
                (*round == Round::Coordinator).encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(input: &mut Reader<'_>) -> Result<Message, DecodeError> {
        let tag = input.u8()?;
        let election = Election::decode(input)?;
        Ok(match tag {
            0 => Message::Election { election, list: list(input)? },
            1 => Message::Coordinator { election, leader: NodeId::decode(input)?, list: list(input)? },
            2 => {
                let round = if bool::decode(input)? { Round::Coordinator } else { Round::Election };
                Message::Ack { election, round }
            }
            other => return Err(DecodeError::Unknown("message of the ring election", u64::from(other))),
        })
    }
}

fn list(input: &mut Reader<'_>) -> Result<Vec<NodeId>, DecodeError> {
    let list = Vec::<NodeId>::decode(input)?;
    if list.len() > RING_MAX { Err(DecodeError::TooLong) } else { Ok(list) }
}

impl Encode for Begun {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
    }
}

impl Decode for Begun {
    fn decode(input: &mut Reader<'_>) -> Result<Begun, DecodeError> {
        Ok(Begun { number: u64::decode(input)? })
    }
}

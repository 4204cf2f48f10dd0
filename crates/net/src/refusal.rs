//! Why a node refuses a connection, in the words that both ends log.

use std::fmt;
use volvox_core::{Decode, DecodeError, Encode, NodeId, Reader};

/// Why the accepting node refuses the connection. It is sent back, so that both ends log it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The nodes belong to two clusters.
    Cluster {
        /// The dialling node's.
        theirs: u64,
        /// The accepting node's.
        ours: u64,
    },
    /// The accepting node is another one: an address points to the wrong place.
    Addressee {
        /// The node that the dialling node wanted.
        wanted: NodeId,
        /// The node that answered.
        here: NodeId,
    },
    /// The dialling node has the accepting node's name: two nodes run under one id.
    OwnId(NodeId),
    /// The accepting node has no such peer.
    UnknownNode(NodeId),
    /// The certificate names other nodes.
    Certificate(NodeId),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Cluster { theirs, ours } => {
                write!(f, "wrong cluster: the dialling node is of {theirs:016x}, the accepting one of {ours:016x}")
            }
            Refusal::Addressee { wanted, here } => {
                write!(f, "wrong address: {wanted} was dialled, and {here} answers there")
            }
            Refusal::OwnId(id) => write!(f, "two nodes run as {id}: stop one of them"),
            Refusal::UnknownNode(id) => write!(f, "{id} is not a peer of the accepting node: add it there first"),
            Refusal::Certificate(id) => write!(f, "the certificate names other nodes than {id}"),
        }
    }
}

impl Encode for Refusal {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Refusal::Cluster { theirs, ours } => (1u8, (*theirs, *ours)).encode(out),
            Refusal::Addressee { wanted, here } => (2u8, (*wanted, *here)).encode(out),
            Refusal::OwnId(id) => (3u8, *id).encode(out),
            Refusal::UnknownNode(id) => (4u8, *id).encode(out),
            Refusal::Certificate(id) => (5u8, *id).encode(out),
        }
    }
}

impl Decode for Refusal {
    fn decode(input: &mut Reader<'_>) -> Result<Refusal, DecodeError> {
        Ok(match input.u8()? {
            1 => Refusal::Cluster { theirs: u64::decode(input)?, ours: u64::decode(input)? },
            2 => Refusal::Addressee { wanted: NodeId::decode(input)?, here: NodeId::decode(input)? },
            3 => Refusal::OwnId(NodeId::decode(input)?),
            4 => Refusal::UnknownNode(NodeId::decode(input)?),
            5 => Refusal::Certificate(NodeId::decode(input)?),
            other => return Err(DecodeError::Unknown("refusal", u64::from(other))),
        })
    }
}

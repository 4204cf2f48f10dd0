//! The messages and records of the nodes of a ring.

use volvox_core::{NodeId, payload};

/// Identifies a token: a later one has a greater epoch, and no two nodes ever create the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch {
    /// Greater than any that its creator knew.
    pub number: u64,
    /// The node that created it, which breaks ties.
    pub by: NodeId,
}

payload! { struct Epoch { number, by } => "{number}.{by}" }

/// The messages between two neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The token: you may enter, once.
    Token {
        /// The epoch of the token.
        epoch: Epoch,
    },
    /// I miss the token: discard any older one, and forward this; when it has come round, I create a new token.
    Claim {
        /// The epoch of the new token.
        epoch: Epoch,
    },
    /// I am alive, and received what you sent.
    Received {
        /// The epoch that the acknowledged message carried.
        epoch: Epoch,
    },
}

payload! { Message: "message of the token ring";
    1 Token { epoch }    => "Token {epoch}",
    2 Claim { epoch }    => "Claim {epoch}",
    3 Received { epoch } => "Received {epoch}",
}

/// The records, which survive a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The greatest epoch that the node knows, persisted before any other node learns of it.
    Known {
        /// The epoch.
        epoch: Epoch,
    },
}

payload! { Record: "record of the token ring"; 1 Known { epoch } => "epoch {epoch}" }

impl Message {
    /// The epoch that it carries.
    pub fn epoch(&self) -> Epoch {
        match self {
            Message::Token { epoch } | Message::Claim { epoch } | Message::Received { epoch } => *epoch,
        }
    }
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
    /// An idle holder has kept the token long enough.
    Rest,
    /// The neighbour did not answer.
    Unanswered,
    /// The token has been missing for too long.
    Missing,
}

payload! { Timer; Leave, Rest, Unanswered, Missing }

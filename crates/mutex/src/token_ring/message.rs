//! What the nodes of a ring say, and what they write down.

use volvox_core::{NodeId, payload};

/// Which token: a later one has a greater epoch, and no two nodes ever make the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch {
    /// Greater than any that its maker knew.
    pub number: u64,
    /// Who made it: it decides where numbers are equal.
    pub by: NodeId,
}

payload! { struct Epoch { number, by } => "{number}.{by}" }

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

payload! { Message: "message of the token ring";
    1 Token { epoch }    => "Token {epoch}",
    2 Claim { epoch }    => "Claim {epoch}",
    3 Received { epoch } => "Received {epoch}",
}

/// What survives a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The greatest epoch that the node knows, written before any other node hears of it.
    Known {
        /// It.
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
    /// The token rested long enough where nobody wants in.
    Rest,
    /// The neighbour did not answer.
    Unanswered,
    /// The token was not seen for too long.
    Missing,
}

payload! { Timer; Leave, Rest, Unanswered, Missing }

//! The messages between a node and its arbiters.

use volvox_core::{NodeId, payload};

/// The messages between two nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// I want to enter.
    Request {
        /// The sequence number: greater than any that I have seen.
        sequence_number: u64,
    },
    /// You have my vote.
    Locked,
    /// An earlier request has my vote, or will have it before you.
    Failed,
    /// An earlier request needs my vote: give it back unless you succeed.
    Inquire,
    /// Here is your vote; I continue to wait for it.
    Relinquish,
    /// I have left.
    Release,
}

payload! { Message: "Maekawa message";
    1 Request { sequence_number } => "Request {sequence_number}",
    2 Locked                      => "Locked",
    3 Failed                      => "Failed",
    4 Inquire                     => "Inquire",
    5 Relinquish                  => "Relinquish",
    6 Release                     => "Release",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// The stay inside is over.
    Leave,
}

payload! { Timer; Leave }

/// A request as arbiters order it: by number, and equal numbers by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp {
    /// The sequence number of the request.
    pub sequence_number: u64,
    /// The node that wants to enter.
    pub node: NodeId,
}

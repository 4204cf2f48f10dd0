//! The messages, records, commands and events of clients, the grantor and the store.

use volvox_core::{Serial, commands, payload};

/// The messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to grantor: give me the lease; I hold none.
    Acquire {
        /// Identifies the request forever, so that a grant is matched with the request whose sending was timed.
        request: Serial,
    },
    /// Client to grantor: I hold the lease of this token; give me more time.
    Extend {
        /// Identifies the request, as in [`Message::Acquire`].
        request: Serial,
        /// The token of the lease.
        token: u64,
    },
    /// Grantor to client: it is yours for a term, counted from your request.
    Granted {
        /// The request that it answers.
        request: Serial,
        /// The token of the extended lease; for a new lease, greater than all before.
        token: u64,
    },
    /// Grantor to client: you cannot have it now.
    Busy {
        /// The request that it answers.
        request: Serial,
    },
    /// Client to grantor: I do not need it any more.
    Release {
        /// The token of the lease.
        token: u64,
    },
    /// Client to store: write, under this lease.
    Write {
        /// The token of the lease.
        token: u64,
    },
    /// Store to client: written.
    Written {
        /// The token of the write.
        token: u64,
    },
    /// Store to client: a later holder has written; you no longer hold the lease.
    Rejected {
        /// The greatest token seen.
        token: u64,
    },
}

payload! { Message: "message of leases";
    1 Acquire { request }        => "Acquire r{request}",
    8 Extend { request, token }  => "Extend r{request} token {token}",
    2 Granted { request, token } => "Granted r{request} token {token}",
    3 Busy { request }           => "Busy r{request}",
    4 Release { token }          => "Release token {token}",
    5 Write { token }            => "Write token {token}",
    6 Written { token }          => "Written token {token}",
    7 Rejected { token }         => "Rejected token {token}",
}

/// A record, persisted before any other node learns of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// By the grantor: this token is issued.
    Given(u64),
    /// By the store: this token has written.
    Seen(u64),
}

payload! { Record: "record of leases"; 1 Given(token) => "given token {token}", 2 Seen(token) => "seen token {token}" }

/// The commands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Get the lease, for one term.
    Acquire,
    /// Get the lease, and renew it until it is released.
    Keep,
    /// Write to the store, under the lease.
    Write,
    /// Release the lease.
    Release,
}

commands! { Command; Acquire = "acquire", Keep = "keep", Write = "write", Release = "release" }

/// The events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The process starts, without a lease.
    Started,
    /// A client wants the lease, and has none.
    Asked,
    /// A client that held none holds the lease from now on.
    Acquired {
        /// The token of the lease.
        token: u64,
    },
    /// A client holds no lease, and wants none, from now on.
    Ended,
    /// The store took a write.
    Stored {
        /// The token of the lease under which it was sent.
        token: u64,
    },
    /// The store refused a write.
    Rejected {
        /// The token of the lease under which it was sent.
        token: u64,
        /// The greatest token that has written to the store.
        seen: u64,
    },
}

payload! { Event;
    Started                  => "started",
    Asked                    => "asked",
    Acquired { token }       => "acquired token {token}",
    Ended                    => "ended",
    Stored { token }         => "stored token {token}",
    Rejected { token, seen } => "rejected token {token} after token {seen}",
}

/// The timers of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// On a client: the lease obtained by this request ends.
    End(Serial),
    /// On a client: time to renew.
    Renew,
    /// On a client: time to ask again.
    Retry,
    /// On the grantor: the term is over.
    Term,
}

payload! { Timer; End(request), Renew, Retry, Term }

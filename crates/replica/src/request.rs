//! The vocabulary between a door and its replica: requests and replies.
//!
//! A door consists of a connection and a codec; it decides nothing. It gives each request a [`Ticket`] of its own
//! choosing, unique on this node while the request is in flight, and gets exactly one [`Event::Reply`] for it, unless
//! it sends [`Command::Forget`] first.

use crate::error::Error;
use crate::members::Member;
use crate::tokens::Token;
use crate::watch::{Refusal, StreamId, WatchCreate, WatchResponse};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Bytes, NodeId};
use volvox_store::{AuthResponse, Command as StoreCommand, Reply as StoreReply, UserIdentity};

/// A door's name for a request in flight. The replica's own requests to consensus have tickets of another type, so that the
/// two cannot be confused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// The commands of a door to its replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// A request; exactly one reply follows.
    Request {
        /// The door's name for it.
        ticket: Ticket,
        /// The request.
        request: Request,
    },
    /// The client went away: no reply is wanted any more. A write that was proposed may still happen.
    Forget {
        /// The request.
        ticket: Ticket,
    },
    /// Concerns watch streams.
    Watch(WatchCommand),
}

impl Command {
    /// A request without its caller.
    pub fn request(&self) -> Option<&Request> {
        match self {
            Command::Request { request: Request::ForUser { request, .. }, .. } => Some(request),
            Command::Request { request, .. } => Some(request),
            _ => None,
        }
    }
}

/// The commands of a door to its watch streams (book/src/etcd.md#5.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum WatchCommand {
    /// A watch stream opens. It starts with no credit.
    Open {
        /// The door's name for the stream; never used twice.
        stream: StreamId,
    },
    /// The stream may be sent this many more responses. Without credit a watcher holds a position, never a queue.
    Credit {
        /// The stream.
        stream: StreamId,
        /// The number of additional responses.
        responses: u32,
    },
    /// Creates a watcher (book/src/etcd.md#5.2). Answered by responses on the stream.
    Create {
        /// The stream.
        stream: StreamId,
        /// The keys to watch.
        create: WatchCreate,
    },
    /// A create request of a caller that may not read the keys: answered on the stream, in order.
    Refuse {
        /// The stream.
        stream: StreamId,
        /// The reason.
        refusal: Refusal,
    },
    /// Cancels a watcher (book/src/etcd.md#5.4).
    Cancel {
        /// The stream.
        stream: StreamId,
        /// The watcher.
        watch_id: i64,
    },
    /// Asks how far the stream has come (book/src/etcd.md#5.5).
    Progress {
        /// The stream.
        stream: StreamId,
    },
    /// The stream is gone, and its watchers with it.
    Close {
        /// The stream.
        stream: StreamId,
    },
}

/// A request. Requests that only read the state of this node are not included: the door reads its view.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// A change of the store, through the log: answered by [`Reply::Written`].
    Write(StoreCommand),
    /// A linearizable read: once answered by [`Reply::ReadReady`], the view that the door loads afterwards is at least
    /// as new as every write acknowledged before this request.
    Read,
    /// Renews a lease (book/src/etcd.md#6.3).
    LeaseKeepAlive {
        /// The lease.
        lease: i64,
    },
    /// How long a lease still lives, as its leader sees it (book/src/etcd.md#6.4).
    LeaseTimeToLive {
        /// The lease.
        lease: i64,
    },
    /// Changes the members.
    Member(MemberRequest),
    /// Hands leadership over.
    MoveLeader {
        /// The member that takes over.
        to: NodeId,
    },
    /// A change of the store or of the members on behalf of a user, who is authorised when it is applied. Any other change
    /// is that of a client that is not known.
    ForUser {
        /// The user.
        user: UserIdentity,
        /// The change.
        request: Box<Request>,
    },
    /// A token was used: its time begins again.
    UseToken {
        /// The token.
        token: Token,
    },
}

/// The requests about members (book/src/etcd.md#7.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum MemberRequest {
    /// Adds a member (book/src/etcd.md#7.2).
    Add {
        /// Its addresses for peers.
        peer_urls: Vec<String>,
        /// Without a vote?
        is_learner: bool,
    },
    /// Removes a member.
    Remove {
        /// The member.
        id: NodeId,
    },
    /// Replaces the peer URLs of a member.
    Update {
        /// The member.
        id: NodeId,
        /// Its new addresses for peers.
        peer_urls: Vec<String>,
    },
    /// Promotes a learner to a voter.
    Promote {
        /// The member.
        id: NodeId,
    },
}

/// A reply.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    /// The store's answer to a write.
    Written(StoreReply),
    /// The view is new enough for the read.
    ReadReady,
    /// A lease was renewed; 0 when there is no such lease, or no longer.
    KeptAlive {
        /// Seconds until it expires.
        ttl: i64,
    },
    /// The remaining time of a lease.
    TimeToLive {
        /// Whole seconds left; -1 when there is no such lease.
        ttl: i64,
        /// Seconds given at the grant; 0 when there is no such lease.
        granted_ttl: i64,
        /// The attached keys, as of the leader's answer.
        keys: Vec<Bytes>,
    },
    /// A membership change is in force.
    Members {
        /// The member that was added, if one was.
        added: Option<Member>,
        /// All members after the change, sorted by id.
        members: Vec<Member>,
    },
    /// Leadership was handed over.
    LeaderMoved,
    /// A user logged in.
    Authenticated {
        /// The store's answer.
        response: AuthResponse,
        /// The token, unless the member signs its own, or the login was overtaken.
        token: Option<Token>,
    },
    /// The use of a token is known.
    TokenUsed,
}

/// The events of a replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The answer to a request.
    Reply {
        /// The door's name for the request.
        ticket: Ticket,
        /// The answer.
        result: Result<Reply, Error>,
    },
    /// A response on a watch stream; it used up one credit.
    Watch {
        /// The stream.
        stream: StreamId,
        /// The messages.
        response: WatchResponse,
    },
    /// The members, or where they are reached, changed: the live world updates its address book.
    MembersChanged {
        /// All members, sorted by id.
        members: Vec<Member>,
        /// Nodes that are no longer members, but that consensus still counts: they must be reachable until it does not.
        leaving: Vec<NodeId>,
    },
    /// This node was removed from the cluster: it must stop.
    Removed,
    /// The leader changed.
    LeaderChanged {
        /// The term.
        term: u64,
        /// The leader, if one is known.
        leader: Option<NodeId>,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Request { ticket, request } => write!(f, "request {} {request}", ticket.0),
            Command::Forget { ticket } => write!(f, "forget {}", ticket.0),
            Command::Watch(command) => write!(f, "watch {command}"),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Write(command) => write!(f, "write {command}"),
            Request::Read => f.write_str("read"),
            Request::LeaseKeepAlive { lease } => write!(f, "keep-alive {lease:x}"),
            Request::LeaseTimeToLive { lease } => write!(f, "time-to-live {lease:x}"),
            Request::Member(request) => write!(f, "member-{request}"),
            Request::MoveLeader { to } => write!(f, "move-leader {to}"),
            Request::ForUser { user, request } => write!(f, "for {} at {} {request}", user.name, user.auth_revision),
            Request::UseToken { token } => write!(f, "use-token {token:?}"),
        }
    }
}

impl fmt::Display for WatchCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WatchCommand::Open { stream } => write!(f, "{} open", stream.0),
            WatchCommand::Credit { stream, responses } => write!(f, "{} credit {responses}", stream.0),
            WatchCommand::Create { stream, create } => write!(f, "{} create {create}", stream.0),
            WatchCommand::Refuse { stream, refusal } => write!(f, "{} refuse: {refusal}", stream.0),
            WatchCommand::Cancel { stream, watch_id } => write!(f, "{} cancel {watch_id}", stream.0),
            WatchCommand::Progress { stream } => write!(f, "{} progress", stream.0),
            WatchCommand::Close { stream } => write!(f, "{} close", stream.0),
        }
    }
}

impl fmt::Display for MemberRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberRequest::Add { peer_urls, is_learner } => write!(f, "add {peer_urls:?} learner={is_learner}"),
            MemberRequest::Remove { id } => write!(f, "remove {id}"),
            MemberRequest::Update { id, peer_urls } => write!(f, "update {id} {peer_urls:?}"),
            MemberRequest::Promote { id } => write!(f, "promote {id}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Reply { ticket, result: Ok(reply) } => write!(f, "reply {} {reply:?}", ticket.0),
            Event::Reply { ticket, result: Err(error) } => write!(f, "reply {} error: {error}", ticket.0),
            Event::Watch { stream, response } => write!(f, "watch {} {response}", stream.0),
            Event::MembersChanged { members, leaving } => {
                write!(f, "members {} leaving {}", members.len(), leaving.len())
            }
            Event::Removed => f.write_str("removed"),
            Event::LeaderChanged { term, leader } => write!(f, "leader {leader:?} in term {term}"),
        }
    }
}

//! The state that all connections share, and the way of a request through the service.

use crate::backend::{Backend, Options};
use crate::dispatcher::Dispatcher;
use crate::grpc::{self, Budget, Code, Content, Status};
use crate::metrics::{MessageCounter, Metrics};
use crate::password::Passwords;
use crate::proto::etcdserverpb as pb;
use ::http::header::{AUTHORIZATION, HeaderMap};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use volvox_replica::{Command, Error as ReplicaError, Reply, Request as ReplicaRequest, Ticket, Token};
use volvox_service::{Answer, Body, Call, Caller, Credentials, Error, Header, Limits, Next, Request, admit};

/// The pause before a busy node is asked again.
pub(crate) const OVERLOAD_PAUSE: Duration = Duration::from_millis(10);

/// A door: the state that all connections share.
pub struct Door<B> {
    pub(crate) backend: B,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    /// True while streams whose callers demand a leader must end.
    pub(crate) leaderless: Receiver<bool>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) passwords: Passwords,
    seeds: Seeds,
    limits: Limits,
}

impl<B: Backend> Door<B> {
    /// A door to `backend`, whose events go to `dispatcher`.
    pub(crate) fn new(
        backend: B,
        dispatcher: Arc<Dispatcher>,
        options: Options,
        leaderless: Receiver<bool>,
    ) -> Arc<Door<B>> {
        let limits = Limits {
            txn_operations_max: options.txn_operations_max,
            lease_ttl_seconds_min: options.lease_ttl_seconds_min,
            ..Limits::default()
        };
        Arc::new(Door {
            backend,
            dispatcher,
            metrics: Arc::new(Metrics::new()),
            leaderless,
            budget: Arc::new(Budget::new(options.unfinished_bytes_max)),
            passwords: Passwords::new(options.bcrypt_cost),
            seeds: Seeds::new(),
            limits,
            options,
        })
    }

    /// Asks the service, and the replica where the service says so. When the caller goes away, the request is abandoned.
    pub(crate) async fn call(&self, caller: &Caller, request: Request) -> Result<Answer, Error> {
        let mut next = self.begin(caller, request)?;
        loop {
            next = match next {
                Next::Answer(answer) => return Ok(answer),
                Next::Ask(call, request) => self.carry(call, request).await?,
                // Only a login has a password.
                Next::CheckPassword(..) => return Err(Error::UnfitReply),
            }
        }
    }

    /// Begins a request.
    pub(crate) fn begin(&self, caller: &Caller, request: Request) -> Result<Next, Error> {
        admit(self.backend.view(), caller, request, &self.limits)
    }

    /// Asks the replica, and returns what comes next.
    pub(crate) async fn carry(&self, call: Call, request: ReplicaRequest) -> Result<Next, Error> {
        let is_read = request == ReplicaRequest::Read;
        let reply = self.ask(request).await;
        self.metrics.failed_reads.add(u64::from(is_read && reply.is_err()));
        call.on_reply(self.backend.view(), reply)
    }

    /// Asks for admission only.
    pub(crate) fn admit(&self, caller: &Caller) -> Result<(), Status> {
        admit(self.backend.view(), caller, Request::Contact, &self.limits)?;
        Ok(())
    }

    /// Sends a request to the replica, and waits for its answer.
    async fn ask(&self, request: ReplicaRequest) -> Result<Reply, ReplicaError> {
        let (ticket, reply) = self.dispatcher.expect_reply()?;
        let _forgotten = Forget { door: self, ticket };
        self.backend.command(Command::Request { ticket, request }).map_err(|_| ReplicaError::TooManyRequests)?;
        reply.await.unwrap_or(Err(ReplicaError::Stopped))
    }

    /// Passes a command to the replica.
    pub(crate) fn command(&self, command: Command) -> Result<(), Status> {
        self.backend.command(command).map_err(|_| ReplicaError::TooManyRequests.into())
    }

    /// Passes a command that must not be lost to the replica, as soon as the node has room for it, until it stops.
    pub(crate) async fn hand_over(&self, command: Command) {
        let stopped = self.dispatcher.stopped();
        while self.backend.command(command.clone()).is_err() && !*stopped.borrow() {
            tokio::time::sleep(OVERLOAD_PAUSE).await;
        }
    }

    /// The chance for one request.
    pub(crate) fn seed(&self) -> u64 {
        self.seeds.next()
    }
}

/// Abandons a request whose caller went away.
struct Forget<'a, B: Backend> {
    door: &'a Door<B>,
    ticket: Ticket,
}

impl<B: Backend> Drop for Forget<'_, B> {
    fn drop(&mut self) {
        if self.door.dispatcher.forget(self.ticket) {
            // A replica that is too busy to accept this answers the ticket later, without a receiver.
            let _ = self.door.backend.command(Command::Forget { ticket: self.ticket });
        }
    }
}

/// Chance: different with each use, and different from that of previous boots.
struct Seeds {
    /// Keys that the operating system chose at random.
    keys: RandomState,
    next: AtomicU64,
}

impl Seeds {
    fn new() -> Seeds {
        Seeds { keys: RandomState::new(), next: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}

/// The beginning of a stream.
pub(crate) struct StreamStart {
    /// The client.
    pub caller: Caller,
    /// Counts its messages.
    pub counter: MessageCounter,
}

/// The caller, as its metadata describe it (book/src/etcd.md#1.2).
pub(crate) fn caller_of(fields: &HeaderMap) -> Caller {
    let version = fields.get("client-api-version");
    Caller {
        credentials: credentials_of(fields),
        requires_leader: fields.get("hasleader").is_some_and(|value| value == "true"),
        is_malformed: version.is_some_and(|version| std::str::from_utf8(version.as_bytes()).is_err()),
    }
}

/// The token of a caller (book/src/etcd.md#9.4): in the field `token`, else in `authorization`.
fn credentials_of(fields: &HeaderMap) -> Credentials {
    match fields.get("token").or_else(|| fields.get(AUTHORIZATION)) {
        None => Credentials::None,
        Some(token) => match std::str::from_utf8(token.as_bytes()) {
            Ok(token) => Credentials::Token(Token::new(token)),
            Err(_) => Credentials::Invalid,
        },
    }
}

/// The header of an answer as a generated message.
pub(crate) fn header_message(header: Header) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader {
        cluster_id: header.cluster,
        member_id: header.member,
        revision: header.revision,
        raft_term: header.term,
    })
}

/// The service's answer does not match the request.
pub(crate) fn unexpected(body: &Body) -> Status {
    tracing::error!(?body, "the answer does not match the request");
    volvox_service::Error::UnfitReply.into()
}

/// A message of the generated kind as an answer.
pub(crate) fn message(message: &impl prost::Message) -> Content {
    Content::Message(grpc::frame(message))
}

/// A message of the protocol.
pub(crate) fn decode<M: prost::Message + Default>(bytes: bytes::Bytes) -> Result<M, Status> {
    M::decode(bytes).map_err(|_| unreadable())
}

/// The message is not what it should be. The library says where, which can take pages: a client gets etcd's words.
pub(crate) fn unreadable() -> Status {
    Status::new(Code::Internal, "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        let (seeds, other_boot) = (Seeds::new(), Seeds::new());
        let mut seen: Vec<u64> = (0..1000).flat_map(|_| [seeds.next(), other_boot.next()]).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2000);
    }
}

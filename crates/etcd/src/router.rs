//! The dispatch of a request: which call it is, whether this member serves it, and which service answers it.

use crate::backend::{Backend, Options};
use crate::dispatcher::Dispatcher;
use crate::grpc::{self, Body, Budget, Code, Content, Messages, Status};
use crate::method::{Method, unserved};
use crate::metrics::{Call, Metrics};
use crate::proto::etcdserverpb as pb;
use crate::wire::Header;
use crate::{cluster, health, http, kv, lease, maintenance, watch};
use ::http::header::{CONTENT_TYPE, HeaderMap};
use ::http::request::Parts;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use volvox_replica::{Command, Error, Reply, Request, Ticket, View};

/// The pause before a busy node is asked again.
pub(crate) const OVERLOAD_PAUSE: Duration = Duration::from_millis(10);

/// A door: the state that all connections share.
pub struct Door<B> {
    pub(crate) backend: B,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) lease_ids: lease::Ids,
    /// True while no leader has been known for three election timeouts.
    pub(crate) leaderless: Receiver<bool>,
    budget: Arc<Budget>,
}

impl<B: Backend> Door<B> {
    /// A door to `backend`, whose events go to `dispatcher`.
    pub(crate) fn new(
        backend: B,
        dispatcher: Arc<Dispatcher>,
        options: Options,
        leaderless: Receiver<bool>,
    ) -> Arc<Door<B>> {
        Arc::new(Door {
            backend,
            dispatcher,
            metrics: Arc::new(Metrics::new()),
            lease_ids: lease::Ids::new(),
            leaderless,
            budget: Arc::new(Budget::new(options.unfinished_bytes_max)),
            options,
        })
    }

    /// Sends a request to the replica, and waits for its answer. When the caller goes away, the request is abandoned.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, Status> {
        let (ticket, reply) = self.dispatcher.expect_reply()?;
        let _forgotten = Forget { door: self, ticket };
        self.command(Command::Request { ticket, request })?;
        match reply.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::Stopped.into()),
        }
    }

    /// Waits until this member's view is at least as new as every write acknowledged so far.
    pub(crate) async fn read(&self) -> Result<Arc<View>, Status> {
        let answer = self.ask(Request::Read).await;
        self.metrics.failed_reads.add(u64::from(answer.is_err()));
        match answer? {
            Reply::ReadReady => Ok(self.backend.view()),
            other => Err(unexpected(&other)),
        }
    }

    /// Passes a command to the replica.
    pub(crate) fn command(&self, command: Command) -> Result<(), Status> {
        self.backend.command(command).map_err(|_| Error::TooManyRequests.into())
    }

    /// Passes a command that must not be lost to the replica, as soon as the node has room for it, until it stops.
    pub(crate) async fn hand_over(&self, command: Command) {
        let stopped = self.dispatcher.stopped();
        while self.backend.command(command.clone()).is_err() && !*stopped.borrow() {
            tokio::time::sleep(OVERLOAD_PAUSE).await;
        }
    }

    /// The header of an answer, at a revision.
    pub(crate) fn header(&self, revision: i64) -> Header {
        header_of(&self.backend.view(), revision)
    }

    /// The checks of every call, in etcd's order (book/src/etcd.md#1.3): learner, version of the client, leader.
    pub(crate) fn admit(&self, fields: &HeaderMap, served_by_learner: bool) -> Result<(), Status> {
        let view = self.backend.view();
        if view.status.is_learner && !served_by_learner {
            return Err(Error::Learner.into());
        }
        if let Some(version) = fields.get("client-api-version")
            && std::str::from_utf8(version.as_bytes()).is_err()
        {
            return Err(Status::new(Code::InvalidArgument, "etcdserver: invalid client api version"));
        }
        if requires_leader(fields) && view.status.leader.is_none() {
            return Err(Error::NoLeader.into());
        }
        Ok(())
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

/// Whether the caller wants to be refused when there is no leader.
pub(crate) fn requires_leader(fields: &HeaderMap) -> bool {
    fields.get("hasleader").is_some_and(|value| value == "true")
}

/// The header of an answer from a view.
pub(crate) fn header_of(view: &View, revision: i64) -> Header {
    let status = &view.status;
    Header { cluster: status.cluster, member: status.id.0, revision, term: status.term }
}

/// The same for the generated messages.
pub(crate) fn header_message(header: Header) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader {
        cluster_id: header.cluster,
        member_id: header.member,
        revision: header.revision,
        raft_term: header.term,
    })
}

/// The replica's answer does not match the request.
pub(crate) fn unexpected(reply: &Reply) -> Status {
    tracing::error!(?reply, "the replica's answer does not match the request");
    Status::new(Code::Internal, "volvox: the replica's answer does not match the request")
}

/// A message of the generated kind as an answer.
pub(crate) fn message(message: &impl prost::Message) -> Content {
    Content::Message(grpc::frame(message))
}

/// Answers one HTTP request.
pub(crate) async fn serve<B: Backend>(
    door: Arc<Door<B>>,
    request: ::http::Request<Incoming>,
) -> Result<::http::Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    if !is_grpc(&parts) {
        return Ok(Box::pin(http::serve(&door, &parts)).await);
    }
    let Some(method) = Method::of_path(parts.uri.path()) else {
        let status = Status::with(Code::Unimplemented, unserved(parts.uri.path()));
        return Ok(grpc::refuse(&status));
    };
    let call = Call::start(&door.metrics, method);
    let messages = Messages::new(body, door.options.message_bytes_max(), Arc::clone(&door.budget));
    let answer = dispatch(&door, method, &parts.headers, messages, &call).await;
    Ok(grpc::respond(answer, call))
}

/// gRPC is recognised by HTTP/2 and its content type (book/src/etcd.md#13.1).
fn is_grpc(parts: &Parts) -> bool {
    parts.version == ::http::Version::HTTP_2
        && parts.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let value = value.as_bytes();
            value == b"application/grpc"
                || value.starts_with(b"application/grpc+")
                || value.starts_with(b"application/grpc;")
        })
}

async fn dispatch<B: Backend>(
    door: &Arc<Door<B>>,
    method: Method,
    fields: &HeaderMap,
    mut messages: Messages<Incoming>,
    call: &Call,
) -> Result<Content, Status> {
    match method.shape() {
        crate::method::Shape::BidiStream => {
            door.admit(fields, false)?;
            let streams = StreamStart { leader_required: requires_leader(fields), counter: call.counter() };
            return match method {
                Method::Watch => watch::serve(door, messages, streams),
                _ => Ok(lease::keep_alive(door, messages, streams)),
            };
        }
        crate::method::Shape::Unary | crate::method::Shape::ServerStream => {}
    }
    let limit = door.options.read_timeout;
    let bytes = match tokio::time::timeout(limit, messages.only()).await {
        Ok(bytes) => bytes?,
        Err(_) => return Err(Status::new(Code::DeadlineExceeded, "volvox: the request was not finished in time")),
    };
    call.received_message(bytes.len());
    // Frequent calls are answered in place; the others must not enlarge their futures.
    match method {
        Method::Range => {
            let request: pb::RangeRequest = decode(bytes)?;
            door.admit(fields, request.serializable)?;
            kv::range(door, &request).await
        }
        Method::Put => {
            let request: pb::PutRequest = decode(bytes)?;
            door.admit(fields, false)?;
            kv::put(door, &request).await
        }
        Method::Txn => {
            let request: pb::TxnRequest = decode(bytes)?;
            door.admit(fields, false)?;
            kv::txn(door, &request).await
        }
        _ => {
            door.admit(fields, matches!(method, Method::Status | Method::Snapshot))?;
            Box::pin(dispatch_rare(door, method, bytes, call)).await
        }
    }
}

/// The beginning of a stream.
pub(crate) struct StreamStart {
    /// The stream ends when there is no leader for a long time.
    pub leader_required: bool,
    /// Counts its messages.
    pub counter: crate::metrics::MessageCounter,
}

async fn dispatch_rare<B: Backend>(
    door: &Arc<Door<B>>,
    method: Method,
    bytes: bytes::Bytes,
    call: &Call,
) -> Result<Content, Status> {
    match method {
        Method::DeleteRange => kv::delete_range(door, &decode(bytes)?).await,
        Method::Compact => kv::compact(door, &decode(bytes)?).await,
        Method::LeaseGrant => lease::grant(door, &decode(bytes)?).await,
        Method::LeaseRevoke => lease::revoke(door, &decode(bytes)?).await,
        Method::LeaseTimeToLive => lease::time_to_live(door, &decode(bytes)?).await,
        Method::LeaseLeases => Ok(lease::leases(door)),
        Method::MemberAdd => cluster::add(door, decode(bytes)?).await,
        Method::MemberRemove => cluster::remove(door, &decode(bytes)?).await,
        Method::MemberUpdate => cluster::update(door, decode(bytes)?).await,
        Method::MemberList => cluster::list(door, &decode(bytes)?).await,
        Method::MemberPromote => cluster::promote(door, &decode(bytes)?).await,
        Method::Alarm => maintenance::alarm(door, &decode(bytes)?).await,
        Method::Status => Ok(maintenance::status(door)),
        Method::Defragment => Ok(maintenance::defragment()),
        Method::Hash => maintenance::hash(door).await,
        Method::HashKv => maintenance::hash_kv(door, &decode(bytes)?).await,
        Method::Snapshot => Ok(maintenance::snapshot(door, call.counter())),
        Method::MoveLeader => maintenance::move_leader(door, &decode(bytes)?).await,
        Method::HealthCheck => health::check(&decode(bytes)?),
        Method::HealthWatch => Ok(health::watch(door, &decode(bytes)?, call.counter())),
        Method::Range | Method::Put | Method::Txn | Method::Watch | Method::LeaseKeepAlive => {
            unreachable!("dispatched before")
        }
    }
}

pub(crate) fn decode<M: prost::Message + Default>(bytes: bytes::Bytes) -> Result<M, Status> {
    M::decode(bytes)
        .map_err(|error| Status::with(Code::Internal, format!("grpc: error unmarshalling request: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Overloaded;

    #[derive(Clone)]
    struct Nobody;

    impl Backend for Nobody {
        fn command(&self, _: Command) -> Result<(), Overloaded> {
            Err(Overloaded)
        }
        fn view(&self) -> Arc<View> {
            unreachable!("the test never asks")
        }
    }

    fn size<A, B, F>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// It is moved several times and allocated once for every call.
    #[test]
    fn the_future_of_a_call_is_small() {
        let bytes = size(serve::<Nobody>);
        assert!(bytes <= 2560, "{bytes} bytes");
    }
}

//! The dispatch of a request: which call it is, and which service of the protocol encodes its answer.

use crate::backend::Backend;
use crate::context::{Door, StreamStart, caller_of, decode};
use crate::grpc::{self, Body, Budget, Code, Content, Messages, Status};
use crate::method::{Method, Shape, unserved};
use crate::metrics::Call;
use crate::port::Serves;
use crate::{auth, cluster, health, http, kv, lease, maintenance, nesting, watch};
use ::http::header::{CONTENT_TYPE, HeaderMap};
use ::http::request::Parts;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use volvox_service::Caller;

/// Header fields up to this size are not counted.
const SHORT_FIELDS_BYTES_MAX: usize = 16 << 10;

/// Answers one HTTP request.
pub(crate) async fn serve<B: Backend>(
    door: Arc<Door<B>>,
    serves: Serves,
    request: ::http::Request<Incoming>,
) -> Result<::http::Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let is_grpc = is_grpc(&parts);
    let is_here = match serves {
        Serves::Everything => true,
        Serves::Grpc => is_grpc,
        Serves::Http => !is_grpc,
        Serves::Metrics => !is_grpc && http::is_for_operators(parts.uri.path()),
    };
    if !is_here {
        return Ok(http::not_found());
    }
    if !is_grpc {
        return Ok(Box::pin(http::serve(&door, &parts)).await);
    }
    let Some(method) = Method::of_path(parts.uri.path()) else {
        let status = Status::with(Code::Unimplemented, unserved(parts.uri.path()));
        return Ok(grpc::refuse(&status));
    };
    let call = Call::start(&door.metrics, method);
    let Some(_held) = Budget::hold(&door.budget, long_fields(&parts.headers)) else {
        return Ok(grpc::respond(Err(volvox_replica::Error::TooManyRequests.into()), call));
    };
    let messages = Messages::new(body, door.options.message_bytes_max(), Arc::clone(&door.budget));
    let answer = dispatch(&door, method, &parts.headers, messages, &call).await;
    Ok(grpc::respond(answer, call))
}

/// How many bytes of header fields a call holds beyond those that every call may have.
fn long_fields(fields: &HeaderMap) -> usize {
    let bytes: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > SHORT_FIELDS_BYTES_MAX { bytes } else { 0 }
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
    let caller = caller_of(fields);
    if method.shape() == Shape::BidiStream {
        door.admit(&caller)?;
        let start = StreamStart { caller, counter: call.counter() };
        return match method {
            Method::Watch => watch::serve(door, messages, start),
            _ => Ok(lease::keep_alive(door, messages, start)),
        };
    }
    let limit = door.options.read_timeout;
    let bytes = match tokio::time::timeout(limit, messages.only()).await {
        Ok(bytes) => bytes?,
        Err(_) => return Err(Status::new(Code::DeadlineExceeded, "volvox: the request was not finished in time")),
    };
    call.received_message(bytes.len());
    // Frequent calls are answered in place; the others must not enlarge their futures.
    match method {
        Method::Range => kv::range(door, &caller, &decode(bytes)?).await,
        Method::Put => kv::put(door, &caller, &decode(bytes)?).await,
        Method::Txn => kv::txn(door, &caller, &nesting::txn(bytes)?).await,
        _ => Box::pin(dispatch_rare(door, method, &caller, bytes, call)).await,
    }
}

async fn dispatch_rare<B: Backend>(
    door: &Arc<Door<B>>,
    method: Method,
    caller: &Caller,
    bytes: bytes::Bytes,
    call: &Call,
) -> Result<Content, Status> {
    match method {
        Method::DeleteRange => kv::delete_range(door, caller, &decode(bytes)?).await,
        Method::Compact => kv::compact(door, caller, &decode(bytes)?).await,
        Method::LeaseGrant => lease::grant(door, caller, &decode(bytes)?).await,
        Method::LeaseRevoke => lease::revoke(door, caller, &decode(bytes)?).await,
        Method::LeaseTimeToLive => lease::time_to_live(door, caller, &decode(bytes)?).await,
        Method::LeaseLeases => lease::leases(door, caller).await,
        Method::MemberAdd => cluster::add(door, caller, decode(bytes)?).await,
        Method::MemberRemove => cluster::remove(door, caller, &decode(bytes)?).await,
        Method::MemberUpdate => cluster::update(door, caller, decode(bytes)?).await,
        Method::MemberList => cluster::list(door, caller, &decode(bytes)?).await,
        Method::MemberPromote => cluster::promote(door, caller, &decode(bytes)?).await,
        Method::Alarm => maintenance::alarm(door, caller, &decode(bytes)?).await,
        Method::Status => maintenance::status(door, caller).await,
        Method::Defragment => maintenance::defragment(door, caller).await,
        Method::Hash => maintenance::hash(door, caller).await,
        Method::HashKv => maintenance::hash_kv(door, caller, &decode(bytes)?).await,
        Method::Snapshot => maintenance::snapshot(door, caller, call.counter()).await,
        Method::MoveLeader => maintenance::move_leader(door, caller, &decode(bytes)?).await,
        Method::AuthEnable => auth::enable(door, caller, decode(bytes)?).await,
        Method::AuthDisable => auth::disable(door, caller, decode(bytes)?).await,
        Method::AuthStatus => auth::status(door, caller).await,
        Method::Authenticate => auth::authenticate(door, caller, decode(bytes)?).await,
        Method::UserAdd => auth::user_add(door, caller, decode(bytes)?).await,
        Method::UserGet => auth::user_get(door, caller, decode(bytes)?).await,
        Method::UserList => auth::user_list(door, caller).await,
        Method::UserDelete => auth::user_delete(door, caller, decode(bytes)?).await,
        Method::UserChangePassword => auth::user_change_password(door, caller, decode(bytes)?).await,
        Method::UserGrantRole => auth::user_grant_role(door, caller, decode(bytes)?).await,
        Method::UserRevokeRole => auth::user_revoke_role(door, caller, decode(bytes)?).await,
        Method::RoleAdd => auth::role_add(door, caller, decode(bytes)?).await,
        Method::RoleGet => auth::role_get(door, caller, decode(bytes)?).await,
        Method::RoleList => auth::role_list(door, caller).await,
        Method::RoleDelete => auth::role_delete(door, caller, decode(bytes)?).await,
        Method::RoleGrantPermission => auth::role_grant_permission(door, caller, decode(bytes)?).await,
        Method::RoleRevokePermission => auth::role_revoke_permission(door, caller, decode(bytes)?).await,
        Method::HealthCheck => {
            door.admit(caller)?;
            health::check(&decode(bytes)?)
        }
        Method::HealthWatch => {
            door.admit(caller)?;
            Ok(health::watch(door, &decode(bytes)?, call.counter()))
        }
        Method::Range | Method::Put | Method::Txn | Method::Watch | Method::LeaseKeepAlive => {
            unreachable!("dispatched before")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Overloaded;
    use volvox_replica::{Command, View};

    #[derive(Clone)]
    struct NoBackend;

    impl Backend for NoBackend {
        fn command(&self, _: Command) -> Result<(), Overloaded> {
            Err(Overloaded)
        }
        fn view(&self) -> Arc<View> {
            unreachable!("the test never asks")
        }
    }

    fn size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    /// It is moved several times and allocated once for every call.
    #[test]
    fn the_future_of_a_call_is_small() {
        let bytes = size(serve::<NoBackend>);
        assert!(bytes <= 2560, "{bytes} bytes");
    }
}

//! The service Lease (book/src/etcd.md#6).

use crate::backend::Backend;
use crate::context::{Door, StreamStart, decode, header_message, message, unexpected};
use crate::cut_off::cut_off;
use crate::grpc::{Content, Messages, Status, frame};
use crate::proto::etcdserverpb as pb;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use hyper::body::Incoming;
use std::sync::Arc;
use volvox_service::{Answer, Body, Caller, Request};
use volvox_store::{LeaseGrantRequest, LeaseRevokeRequest, Reply as Written};

/// How many renewals of one stream are in progress at a time; they are answered in order.
const RENEWALS_MAX: usize = 64;

/// Makes a lease.
pub(crate) async fn grant<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::LeaseGrantRequest,
) -> Result<Content, Status> {
    let wish = LeaseGrantRequest { ttl: request.ttl, id: request.id };
    match door.call(caller, Request::LeaseGrant { wish, seed: door.seed() }).await? {
        Answer { header, body: Body::Written(Written::LeaseGrant(granted)) } => Ok(message(&pb::LeaseGrantResponse {
            header: header_message(header),
            id: granted.id,
            ttl: granted.ttl,
            error: String::new(),
        })),
        other => Err(unexpected(&other.body)),
    }
}

/// Ends a lease.
pub(crate) async fn revoke<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::LeaseRevokeRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::LeaseRevoke(LeaseRevokeRequest { id: request.id })).await? {
        Answer { header, body: Body::Written(Written::LeaseRevoke(_)) } => {
            Ok(message(&pb::LeaseRevokeResponse { header: header_message(header) }))
        }
        other => Err(unexpected(&other.body)),
    }
}

/// The remaining time of a lease, as its leader sees it.
pub(crate) async fn time_to_live<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::LeaseTimeToLiveRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::LeaseTimeToLive { lease: request.id, keys: request.keys }).await? {
        Answer { header, body: Body::TimeToLive { lease, ttl, granted_ttl, keys } } => {
            Ok(message(&pb::LeaseTimeToLiveResponse {
                header: header_message(header),
                id: lease,
                ttl,
                granted_ttl,
                keys: keys.iter().map(|key| Bytes::copy_from_slice(key)).collect(),
            }))
        }
        other => Err(unexpected(&other.body)),
    }
}

/// All leases that this member knows.
pub(crate) async fn leases<B: Backend>(door: &Door<B>, caller: &Caller) -> Result<Content, Status> {
    match door.call(caller, Request::Leases).await? {
        Answer { header, body: Body::Leases(leases) } => Ok(message(&pb::LeaseLeasesResponse {
            header: header_message(header),
            leases: leases.into_iter().map(|id| pb::LeaseStatus { id }).collect(),
        })),
        other => Err(unexpected(&other.body)),
    }
}

/// Renews leases, with one answer per request, in order.
pub(crate) fn keep_alive<B: Backend>(door: &Arc<Door<B>>, messages: Messages<Incoming>, start: StreamStart) -> Content {
    let until = {
        let (door, caller) = (Arc::clone(door), start.caller.clone());
        async move { cut_off(&door, &caller).await }
    };
    Content::Stream(Box::pin(end_with(renewals(Arc::clone(door), messages, start), until)))
}

fn renewals<B: Backend>(
    door: Arc<Door<B>>,
    messages: Messages<Incoming>,
    start: StreamStart,
) -> impl Stream<Item = Result<Bytes, Status>> + Send {
    let counter = start.counter;
    // The stream was admitted when it was opened, and ends by itself when its caller must not be served.
    let caller = Arc::new(Caller { requires_leader: false, ..start.caller });
    let requests = stream::unfold(messages, |mut messages| async {
        let next = messages.next().await.transpose()?;
        Some((next, messages))
    });
    requests
        .map(move |message| {
            let (door, caller, counter) = (Arc::clone(&door), Arc::clone(&caller), counter.clone());
            async move {
                let message = message?;
                counter.received(message.len());
                let answer = renew(&door, &caller, &decode(message)?).await?;
                counter.sent(1);
                Ok(answer)
            }
        })
        .buffered(RENEWALS_MAX)
}

async fn renew<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::LeaseKeepAliveRequest,
) -> Result<Bytes, Status> {
    match door.call(caller, Request::LeaseKeepAlive { lease: request.id }).await? {
        Answer { header, body: Body::KeptAlive { lease, ttl } } => {
            // An unknown lease is answered with 0 (book/src/etcd.md#6.3).
            door.metrics.renewals.add(u64::from(ttl > 0));
            Ok(frame(&pb::LeaseKeepAliveResponse { header: header_message(header), id: lease, ttl }))
        }
        other => Err(unexpected(&other.body)),
    }
}

/// The items of a stream up to and including the first error, or until something else says how it ends.
fn end_with<T: Send>(
    items: impl Stream<Item = Result<T, Status>> + Send,
    until: impl Future<Output = Status> + Send,
) -> impl Stream<Item = Result<T, Status>> + Send {
    let items = items.map(Some).chain(stream::once(async { None }));
    let merged = Box::pin(stream::select(items, stream::once(async move { Some(Err(until.await)) })));
    stream::unfold(Some(merged), |merged| async {
        let mut merged = merged?;
        let item = merged.next().await.flatten()?;
        let more = item.is_ok().then_some(merged);
        Some((item, more))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_replica::Error;

    #[tokio::test]
    async fn a_stream_ends_with_its_first_error_or_its_end() {
        let error = Status::from(Error::NoLeader);
        let items = stream::iter([Ok(1), Err(error.clone()), Ok(2)]);
        let all: Vec<_> = end_with(items, std::future::pending()).collect().await;
        assert_eq!(all, [Ok(1), Err(error.clone())]);
        let all: Vec<Result<i32, Status>> = end_with(stream::iter([Ok(1)]), std::future::pending()).collect().await;
        assert_eq!(all, [Ok(1)]);
        let never = stream::pending::<Result<i32, Status>>();
        let all: Vec<_> = end_with(never, std::future::ready(error.clone())).collect().await;
        assert_eq!(all, [Err(error)]);
    }
}

//! The service Lease (book/src/etcd.md#6).

use crate::backend::Backend;
use crate::door::{Door, StreamStart, decode, header_message, header_of, message, unexpected};
use crate::grpc::{Content, Messages, Status, frame};
use crate::kv::write;
use crate::proto::etcdserverpb as pb;
use crate::watch::cut_off;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use hyper::body::Incoming;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volvox_replica::{Reply, Request};
use volvox_store::{Command, Error as StoreError, LeaseGrantRequest, LeaseRevokeRequest, Reply as Written, checks};

/// How many renewals of one stream are in progress at a time; they are answered in order.
const RENEWALS_MAX: usize = 64;
/// How often the server chooses another id when the chosen one is in use.
const ID_ATTEMPTS: u32 = 8;

/// Chooses ids for leases: positive, 63 bits, and different from those of previous boots.
pub(crate) struct Ids {
    /// Keys that the operating system chose at random.
    keys: RandomState,
    next: AtomicU64,
}

impl Ids {
    pub fn new() -> Ids {
        Ids { keys: RandomState::new(), next: AtomicU64::new(0) }
    }

    pub fn next(&self) -> i64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        let id = (hasher.finish() >> 1) as i64;
        id.max(1)
    }
}

/// Makes a lease.
pub(crate) async fn grant<B: Backend>(door: &Door<B>, request: &pb::LeaseGrantRequest) -> Result<Content, Status> {
    let wished = LeaseGrantRequest { ttl: request.ttl, id: request.id };
    let ttl = checks::check_lease_grant(&wished, door.options.lease_ttl_seconds_min)?;
    let mut attempts = if request.id == 0 { ID_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let id = if request.id == 0 { door.lease_ids.next() } else { request.id };
        let in_use = Status::from(StoreError::LeaseExists);
        match write(door, Command::LeaseGrant(LeaseGrantRequest { ttl, id })).await {
            Ok(Written::LeaseGrant(granted)) => {
                return Ok(message(&pb::LeaseGrantResponse {
                    header: header_message(door.header(granted.revision)),
                    id: granted.id,
                    ttl: granted.ttl,
                    error: String::new(),
                }));
            }
            Ok(other) => return Err(unexpected(&Reply::Written(other))),
            Err(status) if attempts > 0 && status == in_use => {}
            Err(status) => return Err(status),
        }
    }
}

/// Ends a lease.
pub(crate) async fn revoke<B: Backend>(door: &Door<B>, request: &pb::LeaseRevokeRequest) -> Result<Content, Status> {
    match write(door, Command::LeaseRevoke(LeaseRevokeRequest { id: request.id })).await? {
        Written::LeaseRevoke(revoked) => {
            Ok(message(&pb::LeaseRevokeResponse { header: header_message(door.header(revoked.revision)) }))
        }
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// The remaining time of a lease, as its leader sees it.
pub(crate) async fn time_to_live<B: Backend>(
    door: &Door<B>,
    request: &pb::LeaseTimeToLiveRequest,
) -> Result<Content, Status> {
    match door.ask(Request::LeaseTimeToLive { lease: request.id }).await? {
        Reply::TimeToLive { ttl, granted_ttl, keys } => {
            let keys = if request.keys { keys } else { Vec::new() };
            let view = door.backend.view();
            Ok(message(&pb::LeaseTimeToLiveResponse {
                header: header_message(header_of(&view, view.store.revision())),
                id: request.id,
                ttl,
                granted_ttl,
                keys: keys.iter().map(|key| Bytes::copy_from_slice(key)).collect(),
            }))
        }
        other => Err(unexpected(&other)),
    }
}

/// All leases that this member knows.
pub(crate) fn leases<B: Backend>(door: &Door<B>) -> Content {
    let view = door.backend.view();
    message(&pb::LeaseLeasesResponse {
        header: header_message(header_of(&view, view.store.revision())),
        leases: view.store.leases().map(|lease| pb::LeaseStatus { id: lease.id }).collect(),
    })
}

/// Renews leases, with one answer per request, in order.
pub(crate) fn keep_alive<B: Backend>(door: &Arc<Door<B>>, messages: Messages<Incoming>, start: StreamStart) -> Content {
    let until = {
        let (door, leader_required) = (Arc::clone(door), start.leader_required);
        async move { cut_off(&door, leader_required).await }
    };
    Content::Stream(Box::pin(end_with(renewals(Arc::clone(door), messages, start), until)))
}

fn renewals<B: Backend>(
    door: Arc<Door<B>>,
    messages: Messages<Incoming>,
    start: StreamStart,
) -> impl Stream<Item = Result<Bytes, Status>> + Send {
    let counter = start.counter;
    let requests = stream::unfold(messages, |mut messages| async {
        let next = messages.next().await.transpose()?;
        Some((next, messages))
    });
    requests
        .map(move |message| {
            let (door, counter) = (Arc::clone(&door), counter.clone());
            async move {
                let message = message?;
                counter.received(message.len());
                let answer = renew(&door, &decode(message)?).await?;
                counter.sent(1);
                Ok(answer)
            }
        })
        .buffered(RENEWALS_MAX)
}

async fn renew<B: Backend>(door: &Door<B>, request: &pb::LeaseKeepAliveRequest) -> Result<Bytes, Status> {
    // The header is taken before the renewal (book/src/etcd.md#6.3).
    let view = door.backend.view();
    let header = header_of(&view, view.store.revision());
    drop(view);
    match door.ask(Request::LeaseKeepAlive { lease: request.id }).await? {
        Reply::KeptAlive { ttl } => {
            // An unknown lease is answered with 0 (book/src/etcd.md#6.3).
            door.metrics.renewals.add(u64::from(ttl > 0));
            Ok(frame(&pb::LeaseKeepAliveResponse { header: header_message(header), id: request.id, ttl }))
        }
        other => Err(unexpected(&other)),
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

    #[test]
    fn ids_are_positive_and_differ() {
        let (ids, other_life) = (Ids::new(), Ids::new());
        let mut seen: Vec<i64> = (0..1000).flat_map(|_| [ids.next(), other_life.next()]).collect();
        assert!(seen.iter().all(|id| *id > 0));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2000);
    }

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

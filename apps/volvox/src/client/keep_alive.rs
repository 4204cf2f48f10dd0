//! Keeps a lease alive through any member that answers.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use volvox_etcd::proto::etcdserverpb::lease_client::LeaseClient;
use volvox_etcd::proto::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};

use super::cluster::{Cluster, describe, is_unavailable};

const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long one member may take to answer before another is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a lease is no longer kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The caller asked to stop.
    Enough,
    /// A member reported that the lease expired or was revoked.
    Gone,
    /// No member renewed the lease for its whole time to live.
    Unrenewed,
}

/// One stream of renewals to one member.
struct Stream {
    requests: mpsc::Sender<LeaseKeepAliveRequest>,
    responses: Streaming<LeaseKeepAliveResponse>,
}

/// Renews a lease three times per time to live until it is lost; calls `on_renewal` after each renewal, which decides
/// whether to continue.
///
/// # Errors
/// When a member refuses, or `on_renewal` fails.
pub async fn keep_alive(
    cluster: &Cluster,
    id: i64,
    ttl_s: i64,
    mut on_renewal: impl FnMut(&LeaseKeepAliveResponse) -> Result<ControlFlow<()>>,
) -> Result<Ended> {
    let mut ttl = seconds(ttl_s);
    let mut deadline = Instant::now() + ttl;
    let mut stream = None;
    while Instant::now() < deadline {
        let response = match renew(cluster, &mut stream, id, deadline).await {
            Ok(response) => response,
            Err(status) if is_unavailable(&status) => {
                stream = None;
                cluster.leave_current();
                sleep(RETRY_PAUSE).await;
                continue;
            }
            Err(status) => bail!("lease keep-alive: refused: {}", describe(&status)),
        };
        if response.ttl <= 0 {
            return Ok(Ended::Gone);
        }
        if on_renewal(&response)?.is_break() {
            return Ok(Ended::Enough);
        }
        ttl = seconds(response.ttl);
        deadline = Instant::now() + ttl;
        sleep(ttl / 3).await;
    }
    Ok(Ended::Unrenewed)
}

fn seconds(ttl_s: i64) -> Duration {
    Duration::from_secs(ttl_s.max(1).unsigned_abs())
}

/// Renews the lease once, over the open stream or a new one.
async fn renew(
    cluster: &Cluster,
    stream: &mut Option<Stream>,
    id: i64,
    deadline: Instant,
) -> Result<LeaseKeepAliveResponse, Status> {
    let deadline = deadline.min(Instant::now() + ANSWER_TIMEOUT);
    let silent = |_| Status::deadline_exceeded("no answer in time");
    let request = LeaseKeepAliveRequest { id };
    if let Some(stream) = stream {
        let sent = stream.requests.send(request).await;
        sent.map_err(|_| Status::unavailable("the stream ended"))?;
    } else {
        // Opened with its first request in it: a member may answer the call with its first answer.
        *stream = Some(timeout_at(deadline, open(cluster, request)).await.map_err(silent)??);
    }
    let responses = &mut stream.as_mut().expect("opened above").responses;
    let answer = timeout_at(deadline, responses.message()).await.map_err(silent)??;
    answer.ok_or_else(|| Status::unavailable("the stream ended"))
}

async fn open(cluster: &Cluster, first: LeaseKeepAliveRequest) -> Result<Stream, Status> {
    let connected = cluster.connect_any("lease keep-alive").await;
    let (_, channel) = connected.map_err(|error| Status::unavailable(error.to_string()))?;
    let (requests, receiver) = mpsc::channel(4);
    requests.try_send(first).expect("the channel is new and has room");
    let request = Request::new(ReceiverStream::new(receiver));
    let responses = LeaseClient::new(channel).lease_keep_alive(request).await?.into_inner();
    Ok(Stream { requests, responses })
}

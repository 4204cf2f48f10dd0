//! A watch that outlives the member that serves it.
//!
//! Events carry their revision, so after a lost connection the watch continues at another member with the first
//! revision not seen yet: no event is missed, and none is delivered twice.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use volvox_etcd::proto::etcdserverpb::watch_client::WatchClient;
use volvox_etcd::proto::etcdserverpb::watch_request::RequestUnion;
use volvox_etcd::proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};

use super::cluster::{Cluster, MESSAGE_BYTES_MAX, describe, is_unavailable};

/// How long a watch may go unserved by all members before it fails.
const OUTAGE_MAX: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The keys to watch, and the first revision.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The first key.
    pub key: Bytes,
    /// The end of the range, in the protocol's form.
    pub range_end: Bytes,
    /// The first revision to see; 0 for the next one.
    pub start_revision: i64,
    /// Whether to include the previous pairs.
    pub prev_kv: bool,
}

/// A running watch.
pub struct Subscription<'a> {
    cluster: &'a Cluster,
    interest: Interest,
    stream: Option<Stream>,
}

struct Stream {
    /// Kept open, because the member ends the watch when the request stream closes.
    _requests: mpsc::Sender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl<'a> Subscription<'a> {
    /// A watch that starts with the first call of [`Subscription::next`].
    pub fn new(cluster: &'a Cluster, interest: Interest) -> Subscription<'a> {
        Subscription { cluster, interest, stream: None }
    }

    /// The next response that carries events. Continues at other members while that is possible.
    pub async fn next(&mut self) -> Result<WatchResponse> {
        loop {
            if self.stream.is_none() {
                self.stream = Some(self.open().await?);
            }
            let stream = self.stream.as_mut().expect("opened above");
            match stream.responses.message().await {
                Ok(Some(response)) => {
                    if let Some(response) = self.on_response(response)? {
                        return Ok(response);
                    }
                }
                Ok(None) => self.leave(),
                Err(status) if may_go_on(&status) => self.leave(),
                Err(status) => bail!("watch: refused: {}", describe(&status)),
            }
        }
    }

    fn on_response(&mut self, response: WatchResponse) -> Result<Option<WatchResponse>> {
        if response.compact_revision > 0 {
            bail!(
                "watch: the history from revision {} on is gone, compacted; \
                 watch from revision {} on, after reading what is there now",
                self.interest.start_revision,
                response.compact_revision
            );
        }
        if response.canceled {
            // A member without a leader ends its watches; another may have one.
            if response.cancel_reason.contains("no leader") {
                self.leave();
                return Ok(None);
            }
            bail!("watch: refused: {}", response.cancel_reason);
        }
        let revision = response.header.as_ref().map_or(0, |header| header.revision);
        if response.created && self.interest.start_revision == 0 {
            // From here on no event may be missed, whichever member serves the watch next.
            self.interest.start_revision = revision + 1;
        }
        let Some(last) = response.events.last() else { return Ok(None) };
        let last = last.kv.as_ref().map_or(0, |pair| pair.mod_revision);
        self.interest.start_revision = self.interest.start_revision.max(last + 1);
        Ok(Some(response))
    }

    fn leave(&mut self) {
        self.stream = None;
        self.cluster.leave_current();
    }

    async fn open(&self) -> Result<Stream> {
        let given_up = Instant::now() + OUTAGE_MAX;
        loop {
            let error = match self.try_open().await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            self.cluster.leave_current();
            if Instant::now() >= given_up {
                return Err(error);
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn try_open(&self) -> Result<Stream> {
        let (endpoint, channel) = self.cluster.connect_any("watch").await?;
        let (sender, receiver) = mpsc::channel(4);
        let create = WatchCreateRequest {
            key: self.interest.key.clone(),
            range_end: self.interest.range_end.clone(),
            start_revision: self.interest.start_revision,
            prev_kv: self.interest.prev_kv,
            ..WatchCreateRequest::default()
        };
        let first = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        sender.try_send(first).expect("the channel is new and has room");
        let mut request = Request::new(ReceiverStream::new(receiver));
        // A member that loses its leader must end the stream, so that the watch can move to another member.
        let required = "true".parse().expect("plain ASCII");
        request.metadata_mut().insert("hasleader", required);
        let mut client = WatchClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        match timeout(self.cluster.timeout(), client.watch(request)).await {
            Ok(Ok(response)) => Ok(Stream { _requests: sender, responses: response.into_inner() }),
            Ok(Err(status)) => bail!("watch: {endpoint} failed: {}", describe(&status)),
            Err(_) => bail!("watch: {endpoint} did not answer within {:?}", self.cluster.timeout()),
        }
    }
}

fn may_go_on(status: &Status) -> bool {
    is_unavailable(status) || matches!(status.code(), Code::Unknown | Code::Internal)
}

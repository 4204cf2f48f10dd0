//! Watches, over the replica's own hub.

use crate::live::Live;
use crate::server::{Server, within};
use pb::watch_request::RequestUnion;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::proto::mvccpb::Event;

/// A watch stream and a client to change things with.
struct Watching {
    requests: Option<mpsc::Sender<pb::WatchRequest>>,
    responses: Streaming<pb::WatchResponse>,
    kv: pb::kv_client::KvClient<Channel>,
    server: Server,
}

impl Watching {
    async fn new() -> Watching {
        Watching::of(&Live::start().await).await
    }

    async fn of(live: &Live) -> Watching {
        let server = Server::live(live).await;
        let channel = server.channel().await;
        let (requests, responses) = open(channel.clone(), |request| request).await;
        Watching { requests: Some(requests), responses, kv: pb::kv_client::KvClient::new(channel), server }
    }

    async fn ask(&self, request: RequestUnion) {
        let request = pb::WatchRequest { request_union: Some(request) };
        within(self.requests.as_ref().unwrap().send(request)).await.unwrap();
    }

    /// Creates a watcher; the answer.
    async fn create(&mut self, request: pb::WatchCreateRequest) -> pb::WatchResponse {
        self.ask(RequestUnion::CreateRequest(request)).await;
        let response = self.next().await;
        assert!(response.created);
        response
    }

    async fn next(&mut self) -> pb::WatchResponse {
        within(self.responses.message()).await.unwrap().expect("the stream continues")
    }

    /// The next response belongs to this marker: nothing came before it.
    async fn nothing_before(&mut self, marker: i64) {
        let created = self.create(pb::WatchCreateRequest { watch_id: marker, ..watch("marker") }).await;
        assert_eq!(created.watch_id, marker);
    }

    async fn put(&mut self, key: &str, value: &str) -> i64 {
        let request = pb::PutRequest { key: bytes(key), value: bytes(value), ..Default::default() };
        within(self.kv.put(request)).await.unwrap().into_inner().header.unwrap().revision
    }

    async fn delete(&mut self, key: &str, range_end: &str) -> i64 {
        let request = pb::DeleteRangeRequest { key: bytes(key), range_end: bytes(range_end), prev_kv: false };
        within(self.kv.delete_range(request)).await.unwrap().into_inner().header.unwrap().revision
    }

    async fn compact(&mut self, revision: i64) {
        within(self.kv.compact(pb::CompactionRequest { revision, physical: true })).await.unwrap();
    }
}

/// Opens a stream; `prepare` may add metadata.
pub async fn open(
    channel: Channel,
    prepare: impl FnOnce(Request<tokio_requests::Requests>) -> Request<tokio_requests::Requests>,
) -> (mpsc::Sender<pb::WatchRequest>, Streaming<pb::WatchResponse>) {
    let (sender, receiver) = mpsc::channel(1024);
    let request = prepare(Request::new(tokio_requests::Requests(receiver)));
    let mut client = pb::watch_client::WatchClient::new(channel).max_decoding_message_size(usize::MAX);
    let responses = within(client.watch(request)).await.unwrap().into_inner();
    (sender, responses)
}

/// The receiving end of a channel as a stream.
pub mod tokio_requests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub struct Requests<T = super::pb::WatchRequest>(pub tokio::sync::mpsc::Receiver<T>);

    impl<T> futures_util::Stream for Requests<T> {
        type Item = T;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            self.0.poll_recv(cx)
        }
    }
}

fn bytes(text: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(text.as_bytes())
}

fn watch(key: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: bytes(key), ..Default::default() }
}

fn watch_range(key: &str, range_end: &str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { range_end: bytes(range_end), ..watch(key) }
}

fn revision(response: &pb::WatchResponse) -> i64 {
    response.header.as_ref().unwrap().revision
}

fn changes(events: &[Event]) -> Vec<(bool, &str, i64)> {
    let change = |event: &Event| {
        let kv = event.kv.as_ref().unwrap();
        (event.r#type == 1, std::str::from_utf8(&kv.key).unwrap().to_owned(), kv.mod_revision)
    };
    let owned: Vec<_> = events.iter().map(change).collect();
    owned.into_iter().map(|(deleted, key, at)| (deleted, &*key.leak(), at)).collect()
}

#[tokio::test]
async fn golden_03_a_transaction_is_one_response() {
    let mut client = Watching::new().await;
    client.create(watch_range("x", "z")).await;
    let put = |key: &str| pb::RequestOp {
        request: Some(pb::request_op::Request::RequestPut(pb::PutRequest { key: bytes(key), ..Default::default() })),
    };
    let txn = pb::TxnRequest { success: vec![put("x"), put("y")], ..Default::default() };
    within(client.kv.txn(txn)).await.unwrap();
    assert_eq!(changes(&client.next().await.events), [(false, "x", 2), (false, "y", 2)]);
}

#[tokio::test]
async fn golden_19_a_key_changed_twice_in_one_revision() {
    let mut client = Watching::new().await;
    client.put("b", "0").await;
    client.create(watch("b")).await;
    let delete = pb::DeleteRangeRequest { key: bytes("a"), range_end: bytes("\0"), prev_kv: false };
    let put = pb::PutRequest { key: bytes("b"), ..Default::default() };
    let ops = [pb::request_op::Request::RequestDeleteRange(delete), pb::request_op::Request::RequestPut(put)];
    let success = ops.map(|request| pb::RequestOp { request: Some(request) }).to_vec();
    within(client.kv.txn(pb::TxnRequest { success, ..Default::default() })).await.unwrap();
    assert_eq!(changes(&client.next().await.events), [(true, "b", 3), (false, "b", 3)]);
}

#[tokio::test]
async fn golden_26_the_delete_at_the_compaction_point_is_still_seen() {
    let mut client = Watching::new().await;
    client.put("a", "1").await;
    client.delete("a", "").await;
    client.put("b", "1").await;
    client.compact(3).await;
    client.create(pb::WatchCreateRequest { start_revision: 3, ..watch("a") }).await;
    assert_eq!(changes(&client.next().await.events), [(true, "a", 3)]);
}

#[tokio::test]
async fn golden_27_from_the_next_revision_on() {
    let mut client = Watching::new().await;
    for _ in 0..6 {
        client.put("a", "1").await;
    }
    assert_eq!(revision(&client.create(watch("a")).await), 7);
    client.put("a", "1").await;
    let response = client.next().await;
    assert_eq!((changes(&response.events), revision(&response)), (vec![(false, "a", 8)], 8));
}

#[tokio::test]
async fn golden_28_history_then_live_and_the_future() {
    let mut client = Watching::new().await;
    for _ in 0..6 {
        client.put("a", "1").await;
    }
    client.create(pb::WatchCreateRequest { start_revision: 3, ..watch("a") }).await;
    let mut seen = Vec::new();
    client.put("a", "1").await;
    while seen.len() < 6 {
        seen.extend(client.next().await.events.iter().map(|event| event.kv.as_ref().unwrap().mod_revision));
    }
    assert_eq!(seen, [3, 4, 5, 6, 7, 8]);
    let future = pb::WatchCreateRequest { start_revision: 100, ..watch("a") };
    let created = client.create(future).await;
    assert_eq!((created.canceled, revision(&created)), (false, 8));
    client.ask(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    client.nothing_before(9).await;
}

#[tokio::test]
async fn golden_29_below_the_compaction_point() {
    let mut client = Watching::new().await;
    for _ in 0..6 {
        client.put("a", "1").await;
    }
    client.compact(5).await;
    let created = client.create(pb::WatchCreateRequest { start_revision: 3, ..watch("a") }).await;
    assert!(!created.canceled);
    let canceled = client.next().await;
    assert_eq!((canceled.canceled, canceled.compact_revision, canceled.watch_id), (true, 5, created.watch_id));
    assert_eq!((canceled.cancel_reason.as_str(), revision(&canceled)), ("", 0));
    let refused = client.create(pb::WatchCreateRequest { start_revision: -1, ..watch("a") }).await;
    assert_eq!((refused.canceled, refused.watch_id), (true, -1));
    assert_eq!(refused.cancel_reason, "etcdserver: mvcc: required revision has been compacted");
}

#[tokio::test]
async fn golden_30_ids() {
    let mut client = Watching::new().await;
    assert_eq!(client.create(watch("a")).await.watch_id, 0);
    assert_eq!(client.create(watch("a")).await.watch_id, 1);
    let mut client = Watching::new().await;
    assert_eq!(client.create(pb::WatchCreateRequest { watch_id: 1, ..watch("a") }).await.watch_id, 1);
    assert_eq!(client.create(watch("a")).await.watch_id, 0);
    assert_eq!(client.create(watch("a")).await.watch_id, 2);
    assert_eq!(client.create(pb::WatchCreateRequest { watch_id: 5, ..watch("a") }).await.watch_id, 5);
    let refused = client.create(pb::WatchCreateRequest { watch_id: 5, ..watch("a") }).await;
    assert_eq!((refused.canceled, refused.watch_id), (true, -1));
    assert_eq!(refused.cancel_reason, "mvcc: duplicate watch ID provided on the WatchStream");
}

#[tokio::test]
async fn golden_31_canceling() {
    let mut client = Watching::new().await;
    client.create(watch("a")).await;
    client.ask(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 0 })).await;
    let canceled = client.next().await;
    assert_eq!((canceled.canceled, canceled.watch_id, canceled.compact_revision), (true, 0, 0));
    client.ask(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 42 })).await;
    client.put("a", "1").await;
    client.nothing_before(9).await;
}

#[tokio::test]
async fn golden_32_filters() {
    let mut client = Watching::new().await;
    client.create(pb::WatchCreateRequest { filters: vec![0, 77], ..watch("a") }).await;
    client.create(pb::WatchCreateRequest { filters: vec![1], ..watch("a") }).await;
    client.put("a", "1").await;
    client.delete("a", "").await;
    let (first, second) = (client.next().await, client.next().await);
    assert_eq!((first.watch_id, changes(&first.events)), (1, vec![(false, "a", 2)]));
    assert_eq!((second.watch_id, changes(&second.events)), (0, vec![(true, "a", 3)]));
}

#[tokio::test]
async fn golden_33_previous_pairs() {
    let mut client = Watching::new().await;
    client.create(pb::WatchCreateRequest { prev_kv: true, ..watch("a") }).await;
    client.put("a", "1").await;
    client.put("a", "2").await;
    client.delete("a", "").await;
    let mut previous = Vec::new();
    while previous.len() < 3 {
        previous.extend(client.next().await.events.into_iter().map(|event| event.prev_kv.map(|kv| kv.value)));
    }
    assert_eq!(previous, [None, Some(bytes("1")), Some(bytes("2"))]);
}

#[tokio::test]
async fn golden_34_an_empty_range() {
    let mut client = Watching::new().await;
    let refused = client.create(watch_range("b", "a")).await;
    assert_eq!((refused.canceled, refused.cancel_reason.as_str()), (true, "mvcc: watcher range is empty"));
}

#[tokio::test]
async fn golden_35_progress() {
    let mut client = Watching::new().await;
    client.ask(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    client.create(watch("a")).await;
    client.put("b", "1").await;
    client.ask(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    let progress = client.next().await;
    assert_eq!((progress.watch_id, revision(&progress), progress.events.len()), (-1, 2, 0));
}

#[tokio::test]
async fn golden_36_fragments() {
    let live = Live::start_with(|config| config.hub.response_bytes_max = 2000).await;
    let mut client = Watching::of(&live).await;
    for batch in 0..100 {
        let put = |index: u32| {
            let put = pb::PutRequest { key: bytes(&format!("k{index:05}")), ..Default::default() };
            pb::RequestOp { request: Some(pb::request_op::Request::RequestPut(put)) }
        };
        let success = (batch * 100..batch * 100 + 100).map(put).collect();
        within(client.kv.txn(pb::TxnRequest { success, ..Default::default() })).await.unwrap();
    }
    client.create(pb::WatchCreateRequest { fragment: true, ..watch_range("k", "l") }).await;
    let deleted = client.delete("k", "l").await;
    let mut pieces = vec![client.next().await];
    while pieces.last().unwrap().fragment {
        pieces.push(client.next().await);
    }
    assert!(pieces.len() > 100, "more pieces than credit");
    assert_eq!(pieces.iter().map(|piece| piece.events.len()).sum::<usize>(), 10_000);
    assert!(pieces.iter().all(|piece| revision(piece) == deleted));

    let mut client = Watching::of(&live).await;
    client.create(pb::WatchCreateRequest { start_revision: deleted, ..watch_range("k", "l") }).await;
    let whole = client.next().await;
    assert_eq!((whole.events.len(), whole.fragment), (10_000, false));
}

/// dotnet-etcd sends its create requests and completes its half of the stream; so does grpcurl.
#[tokio::test]
async fn a_client_that_half_closes_receives_until_it_goes_away() {
    let live = Live::start().await;
    let mut client = Watching::of(&live).await;
    client.create(watch("a")).await;
    client.requests = None;
    for value in ["1", "2"] {
        let revision = client.put("a", value).await;
        assert_eq!(changes(&client.next().await.events), [(false, "a", revision)]);
    }
    drop(client.responses);
    live.until(|view| view.status.watchers == 0 && view.status.watch_streams == 0).await;
    assert_eq!(live.dispatcher.open_streams(), 0);
}

#[tokio::test]
async fn a_half_closed_stream_ends_with_the_server() {
    let mut client = Watching::new().await;
    client.create(watch("a")).await;
    client.requests = None;
    let Watching { server, mut responses, .. } = client;
    let stopped = tokio::spawn(server.stop());
    let status: Status = within(responses.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "etcdserver: server stopped"));
    drop(responses);
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn when_the_client_goes_away_its_watchers_do() {
    let live = Live::start().await;
    let mut client = Watching::of(&live).await;
    client.create(watch("a")).await;
    live.until(|view| view.status.watchers == 1 && view.status.watch_streams == 1).await;
    drop(client.responses);
    drop(client.requests);
    live.until(|view| view.status.watchers == 0 && view.status.watch_streams == 0).await;
    assert_eq!(live.dispatcher.open_streams(), 0);
}

#[tokio::test]
async fn when_the_server_stops_the_stream_says_so() {
    let mut client = Watching::new().await;
    client.create(watch("a")).await;
    let Watching { server, mut responses, requests, .. } = client;
    let stopped = tokio::spawn(server.stop());
    let status: Status = within(responses.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "etcdserver: server stopped"));
    drop((responses, requests));
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn a_client_that_creates_and_never_reads_is_answered_in_order_later() {
    let mut client = Watching::new().await;
    for _ in 0..900 {
        client.ask(RequestUnion::CreateRequest(watch("a"))).await;
    }
    for id in 0..900 {
        let created = client.next().await;
        assert_eq!((created.created, created.watch_id), (true, id));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_every_event_later() {
    let mut client = Watching::new().await;
    client.create(pb::WatchCreateRequest { prev_kv: true, ..watch("a") }).await;
    let value = "v".repeat(20_000);
    for _ in 0..500 {
        client.put("a", &value).await;
    }
    let mut last = 1;
    while last < 501 {
        for event in client.next().await.events {
            let kv = event.kv.unwrap();
            assert_eq!(kv.mod_revision, last + 1);
            last = kv.mod_revision;
        }
    }
}

#[tokio::test]
async fn idle_watchers_hear_how_far_they_have_come() {
    let live = Live::start_with(|config| config.watch_progress_interval = Duration::from_millis(100)).await;
    let mut client = Watching::of(&live).await;
    client.create(pb::WatchCreateRequest { progress_notify: true, ..watch("a") }).await;
    client.put("b", "1").await;
    let mut progress = client.next().await;
    while revision(&progress) < 2 {
        progress = client.next().await;
    }
    assert_eq!((progress.watch_id, progress.events.len(), progress.created), (0, 0, false));
}

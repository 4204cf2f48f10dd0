//! The calls that are served: learners, callers that demand a leader, missing services; and how calls end.

use crate::fake::{Fake, MEMBER};
use crate::golden_watch::open;
use crate::server::{Server, within};
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use volvox_core::NodeId;
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::proto::v3lockpb;
use volvox_etcd::{HealthCheckRequest, HealthCheckResponse, Options};
use volvox_replica::{Command, Event, WatchCommand, watch::WatchResponse};

fn range(serializable: bool) -> pb::RangeRequest {
    pb::RangeRequest { key: "a".into(), serializable, ..Default::default() }
}

fn put() -> pb::PutRequest {
    pb::PutRequest { key: "a".into(), ..Default::default() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

/// Metadata that demands a leader.
fn demanding<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    request
}

#[tokio::test]
async fn a_learner_serves_little() {
    let fake = Fake::new();
    fake.with(|state| state.is_learner = true);
    let server = Server::start(&fake).await;
    let channel = server.channel().await;
    let (code, text) = (Code::FailedPrecondition, "etcdserver: rpc not supported for learner");
    let mut kv = server.kv().await;
    refused(within(kv.range(range(false))).await, code, text);
    refused(within(kv.put(put())).await, code, text);
    assert!(within(kv.range(range(true))).await.is_ok());
    let mut maintenance = pb::maintenance_client::MaintenanceClient::new(channel.clone());
    assert!(within(maintenance.status(pb::StatusRequest {})).await.unwrap().into_inner().is_learner);
    assert!(within(maintenance.snapshot(pb::SnapshotRequest {})).await.is_ok());
    refused(within(maintenance.defragment(pb::DefragmentRequest {})).await, code, text);
    let mut cluster = pb::cluster_client::ClusterClient::new(channel.clone());
    refused(within(cluster.member_list(pb::MemberListRequest { linearizable: false })).await, code, text);
    let mut watch = pb::watch_client::WatchClient::new(channel);
    refused(within(watch.watch(futures_util::stream::pending())).await, code, text);
}

#[tokio::test]
async fn who_demands_a_leader_is_refused_without_one() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    let mut kv = server.kv().await;
    assert!(within(kv.range(demanding(range(true)))).await.is_ok());
    fake.with(|state| state.leader = None);
    refused(within(kv.range(demanding(range(true)))).await, Code::Unavailable, "etcdserver: no leader");
    assert!(within(kv.range(range(true))).await.is_ok());
    refused(within(kv.range(range(false))).await, Code::Unavailable, "etcdserver: no leader");
    let mut maintenance = pb::maintenance_client::MaintenanceClient::new(server.channel().await);
    let status = within(maintenance.status(pb::StatusRequest {})).await.unwrap().into_inner();
    assert_eq!((status.leader, status.errors), (0, vec!["etcdserver: no leader".to_owned()]));
    let request = pb::MoveLeaderRequest { target_id: MEMBER };
    refused(within(maintenance.move_leader(request)).await, Code::FailedPrecondition, "etcdserver: not leader");
}

#[tokio::test]
async fn streams_that_demand_a_leader_end_without_one() {
    let fake = Fake::new();
    let options = Options { election_timeout: Duration::from_millis(30), ..Options::default() };
    let server = Server::start_with(&fake, options).await;
    let channel = server.channel().await;
    let (_keep, mut demanding_stream) = open(channel.clone(), |request| demanding(request.into_inner())).await;
    let (_keep_too, mut patient_stream) = open(channel, |request| request).await;
    fake.with(|state| state.leader = None);
    fake.dispatcher.on_event(Event::LeaderChanged { term: 8, leader: None });
    let status = within(demanding_stream.message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "etcdserver: no leader"));
    fake.with(|state| state.leader = Some(NodeId(MEMBER)));
    fake.dispatcher.on_event(Event::LeaderChanged { term: 9, leader: Some(NodeId(MEMBER)) });
    let stream = fake.with(|state| {
        let mut opened = state.others.iter().filter_map(|command| match command {
            Command::Watch(WatchCommand::Open { stream }) => Some(*stream),
            _ => None,
        });
        opened.next_back().unwrap()
    });
    let response = WatchResponse { watch_id: 5, ..WatchResponse::default() };
    fake.dispatcher.on_event(Event::Watch { stream, response });
    assert_eq!(within(patient_stream.message()).await.unwrap().unwrap().watch_id, 5);
}

#[tokio::test]
async fn credit_is_returned_as_responses_are_taken() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    let (_keep, mut responses) = open(server.channel().await, |request| request).await;
    let credits = || {
        fake.with(|state| {
            let granted = state.others.iter().filter_map(|command| match command {
                Command::Watch(WatchCommand::Credit { stream, responses }) => Some((*stream, *responses)),
                _ => None,
            });
            granted.collect::<Vec<_>>()
        })
    };
    let [(stream, 32)] = credits()[..] else {
        panic!("the stream begins with credit for 32 responses: {:?}", credits());
    };
    for watch_id in 0..100 {
        let response = WatchResponse { watch_id, ..WatchResponse::default() };
        fake.dispatcher.on_event(Event::Watch { stream, response });
        assert_eq!(within(responses.message()).await.unwrap().unwrap().watch_id, watch_id);
    }
    let returned: u32 = credits()[1..].iter().map(|(_, responses)| responses).sum();
    assert!((84..=100).contains(&returned), "{returned} of 100");
}

#[tokio::test]
async fn the_version_of_the_client_must_be_text() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    let head = |version: &[u8]| {
        let mut request = http::Request::post(format!("http://{}/etcdserverpb.KV/Range", server.address))
            .header("content-type", "application/grpc");
        request = request.header("client-api-version", http::HeaderValue::from_bytes(version).unwrap());
        request.body(http_body_util::Full::new(bytes::Bytes::from_static(b"\0\0\0\0\x03\x0a\x01a"))).unwrap()
    };
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).http2_only(true).build_http();
    let bad = within(client.request(head(b"3.6.\xff"))).await.unwrap();
    assert_eq!((&bad.headers()["grpc-status"], bad.status().as_u16()), (&"3".parse().unwrap(), 200));
    assert_eq!(bad.headers()["grpc-message"], "etcdserver: invalid client api version");
    let good = within(client.request(head("3.6.\u{e9}".as_bytes()))).await.unwrap();
    assert!(!good.headers().contains_key("grpc-status"));
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let fake = Fake::new();
    let server = Server::start(&fake).await;
    let channel = server.channel().await;
    let mut lock = v3lockpb::lock_client::LockClient::new(channel.clone());
    let answer = within(lock.lock(v3lockpb::LockRequest::default())).await;
    refused(answer, Code::Unimplemented, "volvox does not serve v3lockpb.Lock/Lock yet");
    let mut maintenance = pb::maintenance_client::MaintenanceClient::new(channel.clone());
    let answer = within(maintenance.downgrade(pb::DowngradeRequest::default())).await;
    refused(answer, Code::Unimplemented, "volvox does not serve etcdserverpb.Maintenance/Downgrade yet");
    let mut kv = pb::kv_client::KvClient::new(channel);
    let answer = within(kv.range_stream(range(true))).await.map(|_| ());
    refused(answer, Code::Unimplemented, "volvox does not serve etcdserverpb.KV/RangeStream yet");
}

async fn health(server: &Server, service: &str) -> Result<HealthCheckResponse, Status> {
    let mut client = tonic::client::Grpc::new(server.channel().await);
    within(client.ready()).await.unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    within(client.unary(request, path, codec)).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn the_health_service() {
    let server = Server::start(&Fake::new()).await;
    assert_eq!(health(&server, "").await.unwrap().status, 1);
    assert_eq!(health(&server, "etcdserverpb.KV").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_node_that_does_not_keep_up_refuses() {
    let fake = Fake::new();
    fake.with(|state| state.overloaded = true);
    let server = Server::start(&fake).await;
    let answer = within(server.kv().await.put(put())).await;
    refused(answer, Code::ResourceExhausted, "etcdserver: too many requests");
}

#[tokio::test]
async fn a_client_that_gives_up_is_forgotten() {
    let fake = Fake::new();
    fake.with(|state| state.silent = true);
    let server = Server::start(&fake).await;
    let mut kv = server.kv().await;
    let call = tokio::spawn(async move { kv.put(put()).await });
    wait_for(|| fake.with(|state| state.unanswered.len() == 1)).await;
    let ticket = fake.with(|state| state.unanswered[0]);
    call.abort();
    wait_for(|| fake.with(|state| state.others.contains(&Command::Forget { ticket }))).await;
}

#[tokio::test]
async fn calls_that_wait_hear_that_the_server_stops() {
    let fake = Fake::new();
    fake.with(|state| state.silent = true);
    let server = Server::start(&fake).await;
    let mut kv = server.kv().await;
    let mut idle = server.kv().await;
    let call = tokio::spawn(async move { kv.put(put()).await });
    wait_for(|| fake.with(|state| state.unanswered.len() == 1)).await;
    server.stop().await;
    refused(within(call).await.unwrap(), Code::Unavailable, "etcdserver: server stopped");
    assert_eq!(within(idle.put(put())).await.unwrap_err().code(), Code::Unavailable);
}

async fn wait_for(condition: impl Fn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    within(async {
        while !condition() {
            looks.tick().await;
        }
    })
    .await;
}

//! Leases, members and maintenance.

use crate::golden_watch::tokio_requests::Requests;
use crate::live::{CLUSTER, Live, MEMBER};
use crate::server::{Server, within};
use pb::cluster_client::ClusterClient;
use pb::kv_client::KvClient;
use pb::lease_client::LeaseClient;
use pb::maintenance_client::MaintenanceClient;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use volvox_etcd::database::{self, Integrity};
use volvox_etcd::proto::etcdserverpb as pb;

struct Client {
    kv: KvClient<Channel>,
    lease: LeaseClient<Channel>,
    cluster: ClusterClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
    _server: Server,
}

impl Client {
    async fn new() -> Client {
        Client::of(&Live::start().await).await
    }

    async fn of(live: &Live) -> Client {
        let server = Server::live(live).await;
        let channel = server.channel().await;
        Client {
            kv: KvClient::new(channel.clone()),
            lease: LeaseClient::new(channel.clone()),
            cluster: ClusterClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel),
            _server: server,
        }
    }

    async fn put(&mut self, key: &str, value: Vec<u8>, lease: i64) -> Result<i64, Status> {
        let key = bytes::Bytes::copy_from_slice(key.as_bytes());
        let request = pb::PutRequest { key, value: value.into(), lease, ..Default::default() };
        Ok(within(self.kv.put(request)).await?.into_inner().header.unwrap().revision)
    }

    async fn grant(&mut self, ttl: i64, id: i64) -> Result<pb::LeaseGrantResponse, Status> {
        within(self.lease.lease_grant(pb::LeaseGrantRequest { ttl, id })).await.map(Response::into_inner)
    }

    async fn time_to_live(&mut self, id: i64) -> pb::LeaseTimeToLiveResponse {
        let request = pb::LeaseTimeToLiveRequest { id, keys: true };
        within(self.lease.lease_time_to_live(request)).await.unwrap().into_inner()
    }

    async fn hash_kv(&mut self, revision: i64) -> Result<pb::HashKvResponse, Status> {
        within(self.maintenance.hash_kv(pb::HashKvRequest { revision })).await.map(Response::into_inner)
    }

    async fn alarm(&mut self, action: i32, alarm: i32) -> Vec<pb::AlarmMember> {
        let request = pb::AlarmRequest { action, member_id: MEMBER, alarm };
        within(self.maintenance.alarm(request)).await.unwrap().into_inner().alarms
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, text: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

#[tokio::test]
async fn golden_37_grants() {
    let mut client = Client::new().await;
    assert_eq!(client.grant(1, 0).await.unwrap().ttl, 2);
    assert_eq!(client.grant(0, 0).await.unwrap().ttl, 2);
    assert_eq!(client.grant(-5, 0).await.unwrap().ttl, 2);
    let chosen = client.grant(60, 0).await.unwrap();
    assert!(chosen.id > 0 && chosen.ttl == 60 && chosen.error.is_empty());
    refused(client.grant(9_000_000_001, 0).await, Code::OutOfRange, "etcdserver: too large lease TTL");
    assert_eq!(client.grant(60, -7).await.unwrap().id, -7);
    refused(client.grant(60, -7).await, Code::FailedPrecondition, "etcdserver: lease already exists");
    let leases = within(client.lease.lease_leases(pb::LeaseLeasesRequest {})).await.unwrap().into_inner();
    assert_eq!((leases.leases.len(), leases.header.unwrap().revision), (5, 1));
}

#[tokio::test]
async fn golden_38_unknown_leases() {
    let mut client = Client::new().await;
    client.grant(60, 7).await.unwrap();
    let (requests, receiver) = mpsc::channel(64);
    let mut answers = within(client.lease.lease_keep_alive(Requests(receiver))).await.unwrap().into_inner();
    for id in [7, 8, 7] {
        requests.send(pb::LeaseKeepAliveRequest { id }).await.unwrap();
    }
    for (id, ttl) in [(7, 60), (8, 0), (7, 60)] {
        let answer = within(answers.message()).await.unwrap().unwrap();
        assert_eq!((answer.id, answer.ttl), (id, ttl));
    }
    drop(requests);
    assert!(within(answers.message()).await.unwrap().is_none());

    let unknown = client.time_to_live(8).await;
    assert_eq!((unknown.ttl, unknown.granted_ttl), (-1, 0));
    let revoke = within(client.lease.lease_revoke(pb::LeaseRevokeRequest { id: 8 })).await;
    refused(revoke, Code::NotFound, "etcdserver: requested lease not found");
}

#[tokio::test]
async fn golden_39_a_lease_expires() {
    let live = Live::start().await;
    let mut client = Client::of(&live).await;
    client.grant(2, 7).await.unwrap();
    client.put("k", b"1".to_vec(), 7).await.unwrap();
    let alive = client.time_to_live(7).await;
    assert_eq!((alive.granted_ttl, alive.keys), (2, vec![bytes::Bytes::from_static(b"k")]));
    assert!(alive.ttl <= 2 && alive.ttl >= 0);
    live.until(|view| view.store.is_empty() && view.store.revision() == 3).await;
    assert_eq!(client.time_to_live(7).await.ttl, -1);
}

#[tokio::test]
async fn golden_46_members() {
    let mut client = Client::new().await;
    let add = |url: &str, is_learner| pb::MemberAddRequest { peer_ur_ls: vec![url.to_owned()], is_learner };
    let bad = within(client.cluster.member_add(add("127.0.0.1:2380", false))).await;
    refused(bad, Code::InvalidArgument, "etcdserver: given member URLs are invalid");
    let taken = within(client.cluster.member_add(add("http://127.0.0.1:2380", true))).await;
    refused(taken, Code::FailedPrecondition, "etcdserver: Peer URLs already exists");
    let added = within(client.cluster.member_add(add("http://127.0.0.1:2390", true))).await.unwrap().into_inner();
    let member = added.member.unwrap();
    assert!(member.is_learner && member.name.is_empty() && member.client_ur_ls.is_empty());
    assert_eq!((added.members.len(), added.header.unwrap().revision), (2, 0));
    let second = within(client.cluster.member_add(add("http://127.0.0.1:2400", true))).await;
    refused(second, Code::FailedPrecondition, "etcdserver: too many learner members in cluster");
    let promote = within(client.cluster.member_promote(pb::MemberPromoteRequest { id: MEMBER })).await;
    refused(promote, Code::FailedPrecondition, "etcdserver: can only promote a learner member");
    let unknown = within(client.cluster.member_remove(pb::MemberRemoveRequest { id: 99 })).await;
    refused(unknown, Code::NotFound, "etcdserver: member not found");
    let urls = vec!["http://127.0.0.1:2410".to_owned()];
    let update = pb::MemberUpdateRequest { id: member.id, peer_ur_ls: urls.clone() };
    within(client.cluster.member_update(update)).await.unwrap();
    for linearizable in [true, false] {
        let request = pb::MemberListRequest { linearizable };
        let list = within(client.cluster.member_list(request)).await.unwrap().into_inner();
        let header = list.header.unwrap();
        assert_eq!((header.revision, header.cluster_id, header.member_id), (0, CLUSTER, MEMBER));
        assert!(list.members.iter().any(|listed| listed.id == member.id && listed.peer_ur_ls == urls));
    }
    within(client.cluster.member_remove(pb::MemberRemoveRequest { id: member.id })).await.unwrap();
}

#[tokio::test]
async fn golden_47_status() {
    let mut client = Client::new().await;
    client.put("a", b"1".to_vec(), 0).await.unwrap();
    let status = within(client.maintenance.status(pb::StatusRequest {})).await.unwrap().into_inner();
    let header = status.header.unwrap();
    assert_eq!((status.leader, header.member_id, header.revision), (MEMBER, MEMBER, 2));
    assert_eq!(status.raft_term, header.raft_term);
    assert!(status.raft_applied_index > 0 && status.raft_index >= status.raft_applied_index);
    assert!(status.db_size > 0 && status.db_size_in_use > 0);
    assert_eq!((status.db_size_quota, status.errors.len()), (2_147_483_648, 0));
    let numbers: Vec<u32> = status.version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers >= vec![3, 5, 13]);
}

#[tokio::test]
async fn golden_48_a_snapshot() {
    let live = Live::start().await;
    let mut client = Client::of(&live).await;
    for index in 0..200 {
        client.put(&format!("k{index}"), vec![index as u8; 5000], 0).await.unwrap();
    }
    let mut chunks = within(client.maintenance.snapshot(pb::SnapshotRequest {})).await.unwrap().into_inner();
    let (mut file, mut remaining) = (Vec::new(), Vec::new());
    while let Some(chunk) = within(chunks.message()).await.unwrap() {
        assert!(chunk.header.is_none() && chunk.version == "3.6.0");
        file.extend_from_slice(&chunk.blob);
        remaining.push(chunk.remaining_bytes + file.len() as u64);
    }
    assert_eq!(file.len() % 512, 32);
    let (image, hash) = file.split_at(file.len() - 32);
    assert_eq!(Sha256::digest(image).as_slice(), hash);
    assert_eq!(remaining.pop().unwrap(), file.len() as u64);
    assert!(remaining.iter().all(|total| *total == image.len() as u64));

    let import = database::import(std::io::Cursor::new(&file), Integrity::Hash, |_, _| {}).unwrap();
    assert_eq!(import.store.revision(), 201);
    let of_server = client.hash_kv(0).await.unwrap();
    assert_eq!(import.store.state().hash_kv(0).unwrap().hash, of_server.hash);
    assert_eq!((of_server.compact_revision, of_server.hash_revision), (-1, 201));
}

#[tokio::test]
async fn golden_49_the_quota() {
    let live = Live::start_with(|config| config.quota_bytes = 2_000_000).await;
    let mut client = Client::of(&live).await;
    let mut written = 0;
    let full = loop {
        match client.put(&format!("k{written}"), vec![7; 100_000], 0).await {
            Ok(_) => written += 1,
            Err(status) => break status,
        }
    };
    assert!(written > 10);
    let (code, text) = (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
    refused(Err::<(), _>(full), code, text);
    live.until(|view| view.store.alarms().count() == 1).await;
    assert_eq!(client.alarm(0, 0).await, [pb::AlarmMember { member_id: MEMBER, alarm: 1 }]);
    assert_eq!(client.alarm(0, 2).await, []);
    refused(client.put("small", Vec::new(), 0).await, code, text);
    let status = within(client.maintenance.status(pb::StatusRequest {})).await.unwrap().into_inner();
    assert_eq!(status.errors, [format!("memberID:{MEMBER} alarm:NOSPACE ")]);
    let request = pb::DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
    let deleted = within(client.kv.delete_range(request)).await.unwrap().into_inner();
    assert_eq!(deleted.deleted, written);
    let revision = deleted.header.unwrap().revision;
    within(client.kv.compact(pb::CompactionRequest { revision, physical: true })).await.unwrap();
    live.until(|view| view.store.size_in_use() < 1_000_000).await;
    assert_eq!(client.alarm(2, 1).await.len(), 1);
    assert!(client.put("small", Vec::new(), 0).await.is_ok());
}

#[tokio::test]
async fn golden_50_moving_the_leader() {
    let mut client = Client::new().await;
    let unknown = within(client.maintenance.move_leader(pb::MoveLeaderRequest { target_id: 99 })).await;
    refused(unknown, Code::FailedPrecondition, "etcdserver: bad leader transferee");
    let itself = within(client.maintenance.move_leader(pb::MoveLeaderRequest { target_id: MEMBER })).await.unwrap();
    assert!(itself.into_inner().header.is_none());
}

#[tokio::test]
async fn hashes_of_revisions_that_are_not_there() {
    let mut client = Client::new().await;
    for _ in 0..3 {
        client.put("a", b"1".to_vec(), 0).await.unwrap();
    }
    within(client.kv.compact(pb::CompactionRequest { revision: 3, physical: true })).await.unwrap();
    refused(client.hash_kv(5).await, Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
    refused(client.hash_kv(2).await, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
    assert_eq!(client.hash_kv(3).await.unwrap().compact_revision, 3);
    let whole = within(client.maintenance.hash(pb::HashRequest {})).await.unwrap().into_inner();
    assert_eq!(whole.header.unwrap().revision, 4);
    let nothing = within(client.maintenance.defragment(pb::DefragmentRequest {})).await.unwrap().into_inner();
    assert!(nothing.header.is_none());
}

//! The golden cases of the etcd v3 specification that a replica decides, each under its number.

use crate::harness::{Cluster, id};
use volvox_core::{Bytes, Duration};
use volvox_replica::watch::Refusal;
use volvox_replica::{
    Command, Error, Event, HubLimits, MemberRequest, Reply, Request, StreamId, Ticket, WatchCommand, WatchCreate,
    WatchResponse,
};
use volvox_store::{
    AlarmAction, AlarmRequest, AlarmType, Command as StoreCommand, CompactionRequest, DeleteRangeRequest,
    Error as StoreError, EventKind, LeaseGrantRequest, LeaseRevokeRequest, PutRequest, Reply as StoreReply,
};

const STREAM: StreamId = StreamId(1);

struct Golden {
    cluster: Cluster,
    seen: usize,
}

impl Golden {
    fn new(nodes: u64, change: impl Fn(&mut volvox_replica::Config)) -> Golden {
        let mut golden = Golden { cluster: Cluster::led_by_n1(nodes, change), seen: 0 };
        golden.cluster.command(1, Command::Watch(WatchCommand::Open { stream: STREAM }));
        golden.cluster.command(1, Command::Watch(WatchCommand::Credit { stream: STREAM, responses: 1000 }));
        golden
    }

    fn one() -> Golden {
        Golden::new(1, |_| {})
    }

    fn write(&mut self, command: StoreCommand) -> Result<Reply, Error> {
        let ticket = self.cluster.request(1, Request::Write(command));
        self.answer(ticket)
    }

    fn answer(&mut self, ticket: Ticket) -> Result<Reply, Error> {
        self.cluster.settle();
        self.cluster.reply(ticket).cloned().expect("an answer")
    }

    fn put(&mut self, key: &str, value: &str) -> i64 {
        let put = PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() };
        match self.write(StoreCommand::Put(put)) {
            Ok(Reply::Written(reply)) => reply.revision(),
            other => panic!("{other:?}"),
        }
    }

    fn puts(&mut self, count: usize) {
        for _ in 0..count {
            self.put("k", "v");
        }
    }

    fn delete(&mut self, key: &str, range_end: &str) {
        let delete = DeleteRangeRequest { key: key.into(), range_end: range_end.into(), prev_kv: false };
        self.write(StoreCommand::DeleteRange(delete)).expect("a delete");
    }

    fn grant(&mut self, lease: i64, ttl: i64) -> Result<Reply, Error> {
        self.write(StoreCommand::LeaseGrant(LeaseGrantRequest { ttl, id: lease }))
    }

    fn watch(&mut self, create: WatchCreate) -> Vec<WatchResponse> {
        self.cluster.command(1, Command::Watch(WatchCommand::Create { stream: STREAM, create }));
        self.responses()
    }

    fn progress(&mut self) -> Vec<WatchResponse> {
        self.cluster.command(1, Command::Watch(WatchCommand::Progress { stream: STREAM }));
        self.responses()
    }

    /// The responses on the stream since the last call.
    fn responses(&mut self) -> Vec<WatchResponse> {
        self.cluster.settle();
        let new = self.cluster.events[self.seen..].iter();
        let responses = new.filter_map(|(_, event)| match event {
            Event::Watch { response, .. } => Some(response.clone()),
            _ => None,
        });
        let responses = responses.collect();
        self.seen = self.cluster.events.len();
        responses
    }
}

fn of(key: &str) -> WatchCreate {
    WatchCreate { key: key.into(), ..WatchCreate::default() }
}

fn from(key: &str, start_revision: i64) -> WatchCreate {
    WatchCreate { start_revision, ..of(key) }
}

fn revisions(responses: &[WatchResponse]) -> Vec<i64> {
    let events = responses.iter().flat_map(|response| response.events.iter());
    events.map(|event| event.key_value.mod_revision).collect()
}

fn refused(responses: &[WatchResponse]) -> Option<Refusal> {
    let [response] = responses else { panic!("one answer: {responses:?}") };
    assert!(response.created && response.canceled && response.watch_id == -1, "{response:?}");
    response.refusal
}

#[test]
fn golden_27_a_watch_without_start_begins_behind_its_created_header() {
    let mut golden = Golden::one();
    (2..=7).for_each(|revision| assert_eq!(golden.put("k", "v"), revision));
    let created = golden.watch(of("k"));
    assert!(matches!(created[..], [WatchResponse { created: true, canceled: false, revision: 7, watch_id: 0, .. }]));
    golden.put("k", "v");
    let events = golden.responses();
    assert_eq!((revisions(&events), events[0].revision), (vec![8], 8));
}

#[test]
fn golden_28_history_then_live_and_the_future() {
    let mut golden = Golden::one();
    golden.puts(6);
    assert_eq!(revisions(&golden.watch(from("k", 3))), [3, 4, 5, 6, 7]);
    golden.put("k", "v");
    assert_eq!(revisions(&golden.responses()), [8]);

    let mut golden = Golden::one();
    let created = golden.watch(from("k", 100));
    assert!(matches!(created[..], [WatchResponse { created: true, canceled: false, .. }]));
    assert!(golden.progress().is_empty(), "progress below the start");
    golden.puts(98);
    assert!(golden.responses().is_empty());
    assert_eq!(golden.put("k", "v"), 100);
    assert_eq!(revisions(&golden.responses()), [100]);
    assert!(matches!(golden.progress()[..], [WatchResponse { watch_id: -1, revision: 100, .. }]));
}

#[test]
fn golden_29_a_start_that_is_gone_or_senseless() {
    let mut golden = Golden::one();
    golden.puts(6);
    golden.write(StoreCommand::Compact(CompactionRequest { revision: 5, physical: false })).expect("compacts");
    let answers = golden.watch(from("k", 4));
    let [created, gone] = &answers[..] else { panic!("{answers:?}") };
    assert!(created.created && !created.canceled && created.watch_id == gone.watch_id);
    assert!(gone.canceled && !gone.created && gone.compact_revision == 5 && gone.revision == 0);
    assert_eq!(gone.refusal, None);
    assert_eq!(revisions(&golden.watch(from("k", 5))), [5, 6, 7], "the compaction point itself is fine");
    let reason = refused(&golden.watch(from("k", -1)));
    assert_eq!(reason, Some(Refusal::Compacted));
}

#[test]
fn golden_30_watch_ids() {
    let mut golden = Golden::one();
    let ids: Vec<i64> = (0..2).map(|_| golden.watch(of("k"))[0].watch_id).collect();
    assert_eq!(ids, [0, 1]);
    let mut golden = Golden::one();
    let chosen = |watch_id| WatchCreate { watch_id, ..of("k") };
    let ids = [1, 0, 0].map(|watch_id| golden.watch(chosen(watch_id))[0].watch_id);
    assert_eq!(ids, [1, 0, 2]);
    golden.watch(chosen(5));
    let reason = refused(&golden.watch(chosen(5)));
    assert_eq!(reason, Some(Refusal::DuplicateId));
}

#[test]
fn golden_31_cancel() {
    let mut golden = Golden::one();
    golden.watch(of("k"));
    let cancel = |golden: &mut Golden, watch_id| {
        golden.cluster.command(1, Command::Watch(WatchCommand::Cancel { stream: STREAM, watch_id }));
        golden.responses()
    };
    let answers = cancel(&mut golden, 0);
    assert!(matches!(
        answers[..],
        [WatchResponse { canceled: true, created: false, watch_id: 0, compact_revision: 0, .. }]
    ));
    golden.put("k", "v");
    assert!(golden.responses().is_empty());
    assert!(cancel(&mut golden, 42).is_empty());
}

#[test]
fn golden_32_filters() {
    let mut golden = Golden::one();
    golden.watch(WatchCreate { no_put: true, ..of("k") });
    golden.put("k", "v");
    assert!(golden.responses().is_empty());
    golden.delete("k", "");
    assert_eq!(golden.responses()[0].events[0].kind, EventKind::Delete);
    golden.watch(WatchCreate { no_delete: true, ..of("other") });
    golden.put("other", "v");
    assert_eq!(revisions(&golden.responses()).len(), 1);
    golden.delete("other", "");
    assert!(golden.responses().is_empty());
}

#[test]
fn golden_33_previous_pairs() {
    let mut golden = Golden::one();
    golden.watch(WatchCreate { prev_kv: true, ..of("k") });
    golden.put("k", "1");
    golden.put("k", "2");
    golden.delete("k", "");
    let live = golden.responses();
    let previous = |responses: &[WatchResponse]| -> Vec<Option<Bytes>> {
        let events = responses.iter().flat_map(|response| response.events.iter());
        events.map(|event| event.previous.as_ref().map(|pair| pair.value.clone())).collect()
    };
    let expected = [None, Some(Bytes::from("1")), Some(Bytes::from("2"))];
    assert_eq!(previous(&live), expected);
    let history = golden.watch(WatchCreate { prev_kv: true, ..from("k", 2) });
    assert_eq!(previous(&history), expected, "from the history as well");
}

#[test]
fn golden_34_an_empty_range() {
    let mut golden = Golden::one();
    let reason = refused(&golden.watch(WatchCreate { range_end: "a".into(), ..of("b") }));
    assert_eq!(reason, Some(Refusal::EmptyRange));
}

#[test]
fn golden_35_progress() {
    let mut golden = Golden::one();
    assert!(golden.progress().is_empty(), "a stream without watchers");
    golden.watch(of("k"));
    golden.put("other", "v");
    let answers = golden.progress();
    assert!(matches!(answers[..], [WatchResponse { watch_id: -1, revision: 2, created: false, .. }]), "{answers:?}");
    assert!(answers[0].events.is_empty());
}

#[test]
fn golden_36_fragments() {
    let hub = HubLimits { response_bytes_max: 20_000, ..HubLimits::default() };
    let mut golden = Golden::new(1, |config| config.hub = hub);
    for number in 0..1000 {
        golden.cluster.put(1, &format!("k{number:04}"), "v");
    }
    golden.cluster.settle();
    golden.watch(WatchCreate { range_end: "l".into(), fragment: true, ..of("k") });
    golden.watch(WatchCreate { range_end: "l".into(), ..of("k") });
    golden.delete("k", "l");
    let responses = golden.responses();
    let (pieces, whole): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.watch_id == 0);
    assert!(pieces.len() > 2, "{}", pieces.len());
    let (last, others) = pieces.split_last().expect("pieces");
    assert!(others.iter().all(|piece| piece.fragment) && !last.fragment);
    assert_eq!(pieces.iter().map(|piece| piece.events.len()).sum::<usize>(), 1000);
    let [whole] = &whole[..] else { panic!("one response") };
    assert!(whole.events.len() == 1000 && !whole.fragment);
}

#[test]
fn golden_37_grants_that_are_refused() {
    let mut golden = Golden::one();
    assert_eq!(golden.grant(7, 9_000_000_001), Err(Error::Store(StoreError::LeaseTtlTooLarge)));
    golden.grant(7, 9_000_000_000).expect("the longest");
    assert_eq!(golden.grant(7, 5), Err(Error::Store(StoreError::LeaseExists)));
    golden.cluster.elapse(Duration::from_secs(60));
    assert!(golden.cluster.replica(1).store().view().lease(7).is_some(), "285 years are not over yet");
}

#[test]
fn golden_38_an_unknown_lease() {
    for node in [1, 2] {
        let mut golden = Golden::new(3, |_| {});
        let ticket = golden.cluster.request(node, Request::LeaseKeepAlive { lease: 9 });
        assert_eq!(golden.answer(ticket), Ok(Reply::KeptAlive { ttl: 0 }));
        let ticket = golden.cluster.request(node, Request::LeaseTimeToLive { lease: 9 });
        assert_eq!(golden.answer(ticket), Ok(Reply::TimeToLive { ttl: -1, granted_ttl: 0, keys: Vec::new() }));
        let revoked = golden.write(StoreCommand::LeaseRevoke(LeaseRevokeRequest { id: 9 }));
        assert_eq!(revoked, Err(Error::Store(StoreError::LeaseNotFound)));
    }
}

#[test]
fn golden_39_expiry() {
    let mut golden = Golden::new(3, |_| {});
    golden.grant(7, 2).expect("a lease");
    let put = PutRequest { key: "k".into(), lease: 7, ..PutRequest::default() };
    golden.write(StoreCommand::Put(put)).expect("a put");
    golden.watch(of("k"));
    golden.cluster.elapse(Duration::from_millis(1900));
    assert!(golden.responses().is_empty(), "never early");
    golden.cluster.elapse(Duration::from_millis(2100));
    let events = golden.responses();
    assert!(matches!(&events[..], [response] if response.events[0].kind == EventKind::Delete));
    assert_eq!(golden.cluster.value(3, "k"), None);
    let ticket = golden.cluster.request(2, Request::LeaseTimeToLive { lease: 7 });
    assert!(matches!(golden.answer(ticket), Ok(Reply::TimeToLive { ttl: -1, .. })));
}

#[test]
fn golden_40_a_leader_change_shortens_no_lease() {
    let mut golden = Golden::new(3, |_| {});
    golden.grant(7, 10).expect("a lease");
    golden.cluster.elapse(Duration::from_secs(8));
    let moved = golden.cluster.request(1, Request::MoveLeader { to: id(2) });
    golden.cluster.elapse(Duration::from_secs(1));
    assert_eq!(golden.cluster.reply(moved), Some(&Ok(Reply::LeaderMoved)));
    let ticket = golden.cluster.request(1, Request::LeaseTimeToLive { lease: 7 });
    let Ok(Reply::TimeToLive { ttl, .. }) = golden.answer(ticket) else { panic!("an answer") };
    assert!((8..=10).contains(&ttl), "{ttl} s left: the whole time again");
}

#[test]
fn golden_46_members_that_are_refused() {
    let mut golden = Golden::new(3, |_| {});
    let mut ask = |request| {
        let ticket = golden.cluster.request(2, request);
        golden.cluster.elapse(Duration::from_millis(200));
        golden.cluster.reply(ticket).cloned().expect("an answer")
    };
    let add =
        |url: &str, is_learner| Request::Member(MemberRequest::Add { peer_urls: vec![url.to_string()], is_learner });
    for url in ["n4:2380", "ftp://n4:2380", "http://n4", "http://n4:2380/path", "http://:2380", ""] {
        assert_eq!(ask(add(url, true)), Err(Error::BadPeerUrls), "{url}");
    }
    assert_eq!(ask(add("http://n3:2380", true)), Err(Error::PeerUrlExists));
    assert!(matches!(ask(add("http://n4:2380", true)), Ok(Reply::Members { added: Some(_), .. })));
    assert_eq!(ask(add("http://n5:2380", true)), Err(Error::TooManyLearners));
    assert_eq!(ask(Request::Member(MemberRequest::Promote { id: id(3) })), Err(Error::NotLearner));
    assert_eq!(ask(Request::Member(MemberRequest::Promote { id: id(4) })), Err(Error::LearnerNotReady));
    for request in [
        Request::Member(MemberRequest::Promote { id: id(9) }),
        Request::Member(MemberRequest::Remove { id: id(9) }),
        Request::Member(MemberRequest::Update { id: id(9), peer_urls: vec!["http://n9:2380".to_string()] }),
    ] {
        assert_eq!(ask(request), Err(Error::MemberNotFound));
    }
    let update = Request::Member(MemberRequest::Update { id: id(4), peer_urls: vec!["http://n3:2380".to_string()] });
    assert_eq!(ask(update), Err(Error::PeerUrlExists));
}

#[test]
fn golden_49_quota() {
    let mut golden = Golden::new(3, |config| config.quota_bytes = 20_000);
    let value = "v".repeat(1000);
    let no_space = Err(Error::Store(StoreError::NoSpace));
    let put = |key: &str| {
        StoreCommand::Put(PutRequest { key: key.into(), value: value.as_str().into(), ..PutRequest::default() })
    };
    let mut keys = 0;
    while golden.write(put(&format!("k{keys:02}"))) != no_space {
        keys += 1;
        assert!(keys < 20, "never full");
    }
    let alarm = |action| StoreCommand::Alarm(AlarmRequest { action, member_id: 1, alarm: AlarmType::NoSpace });
    let listed = golden.write(alarm(AlarmAction::Get));
    assert!(matches!(listed, Ok(Reply::Written(StoreReply::Alarm(reply))) if reply.alarms.len() == 1));
    let elsewhere = golden.cluster.request(2, Request::Write(put("x")));
    assert_eq!(golden.answer(elsewhere), no_space, "all members heed it");
    assert_eq!(golden.grant(7, 5), no_space);
    golden.delete("k", "l");
    let revision = golden.cluster.replica(1).store().revision();
    golden.write(StoreCommand::Compact(CompactionRequest { revision, physical: false })).expect("compacts");
    golden.cluster.elapse(Duration::from_millis(200));
    assert_eq!(golden.write(put("x")), no_space, "until an operator clears it");
    golden.write(alarm(AlarmAction::Deactivate)).expect("clears it");
    assert!(golden.write(put("x")).is_ok());
}

#[test]
fn golden_50_moving_leadership() {
    let mut golden = Golden::new(3, |_| {});
    let mut ask = |node, to| {
        let ticket = golden.cluster.request(node, Request::MoveLeader { to: id(to) });
        golden.answer(ticket)
    };
    assert_eq!(ask(2, 3), Err(Error::NotLeader));
    assert_eq!(ask(1, 9), Err(Error::BadTransferee));
    assert_eq!(ask(1, 1), Ok(Reply::LeaderMoved));
    assert_eq!(ask(1, 3), Ok(Reply::LeaderMoved));
    assert_eq!(ask(1, 2), Err(Error::NotLeader));
}

//! Requests on their way to an answer, without a replica: the replies are written down here.

use std::sync::Arc;
use volvox_core::{Duration, Instant, NodeId, Process, Rng};
use volvox_replica::{Config, Error as ReplicaError, Replica, Reply, Request as ReplicaRequest, View};
use volvox_service::{Answer, Body, Call, Caller, Error, Leaderless, Limits, Next, Request, admit};
use volvox_store::{
    Command, CompactionRequest, Error as StoreError, LeaseGrantRequest, LeaseGrantResponse, PutRequest, RangeRequest,
    Reply as StoreReply, RequestOp, Store, StoreConfig, TxnRequest,
};

const LIMITS: Limits = Limits { txn_operations_max: 128, lease_ttl_seconds_min: 2, pairs_a_turn: 3, records_a_turn: 3 };

/// A voter of a cluster with a leader, over this store.
fn view(store: &Store) -> View {
    let id = NodeId(3);
    let config = Config::new(volvox_raft::Config::default(), 0xc1, Vec::new(), id);
    let mut view = Replica::new(id, &[id], &config).view();
    view.store = store.view();
    view.status.leader = Some(id);
    view
}

fn put(store: &mut Store, key: &str) {
    let put = PutRequest { key: key.into(), ..PutRequest::default() };
    store.apply(&Command::Put(put)).expect("a put");
    store.take_events();
}

fn begin(view: View, request: Request) -> Result<Next, Error> {
    admit(Arc::new(view), &Caller::default(), request, &LIMITS)
}

fn asked(next: Result<Next, Error>) -> (Call, ReplicaRequest) {
    match next {
        Ok(Next::Ask(call, request)) => (call, request),
        other => panic!("the replica must be asked: {other:?}"),
    }
}

fn answered(next: Result<Next, Error>) -> Answer {
    match next {
        Ok(Next::Answer(answer)) => answer,
        other => panic!("an answer is due: {other:?}"),
    }
}

fn range(key: &str, range_end: &str, serializable: bool) -> RangeRequest {
    RangeRequest { key: key.into(), range_end: range_end.into(), serializable, ..RangeRequest::default() }
}

#[test]
fn checks_come_in_order() {
    let store = Store::new(StoreConfig::default());
    let mut lost = view(&store);
    lost.status.is_learner = true;
    lost.status.leader = None;
    let caller = Caller { requires_leader: true, is_malformed: true, ..Caller::default() };
    let empty = || Request::Put(PutRequest::default());
    let refused = |view: &View, caller: &Caller| admit(Arc::new(view.clone()), caller, empty(), &LIMITS).unwrap_err();
    assert_eq!(refused(&lost, &caller), Error::Learner);
    lost.status.is_learner = false;
    assert_eq!(refused(&lost, &caller), Error::MalformedCaller);
    let caller = Caller { is_malformed: false, ..caller };
    assert_eq!(refused(&lost, &caller), Error::NoLeader);
    assert_eq!(refused(&lost, &Caller::default()), Error::Store(StoreError::EmptyKey));
}

#[test]
fn a_learner_serves_its_own_state_only() {
    let store = Store::new(StoreConfig::default());
    let mut learner = view(&store);
    learner.status.is_learner = true;
    let ask = |request| begin(learner.clone(), request).err();
    assert_eq!(ask(Request::Range(range("a", "", true))), None);
    assert_eq!(ask(Request::Status), None);
    assert_eq!(ask(Request::Snapshot), None);
    for request in [
        Request::Range(range("a", "", false)),
        Request::Contact,
        Request::Confirm,
        Request::Leases,
        Request::Defragment,
        Request::Members { linearizable: false },
    ] {
        assert_eq!(ask(request), Some(Error::Learner));
    }
}

#[test]
fn a_read_is_answered_from_the_view_that_was_loaded_after_its_confirmation() {
    let mut store = Store::new(StoreConfig::default());
    let old = view(&store);
    put(&mut store, "a");
    let (call, request) = asked(begin(old.clone(), Request::Range(range("a", "", false))));
    assert_eq!(request, ReplicaRequest::Read);
    let answer = answered(call.on_reply(Arc::new(view(&store)), Ok(Reply::ReadReady)));
    assert_eq!((answer.header.revision, answer.header.member, answer.header.cluster), (2, 3, 0xc1));
    let Body::Range(reading) = answer.body else { panic!("{:?}", answer.body) };
    assert_eq!(reading.read().expect("a range").count, 1);
    let answer = answered(begin(old, Request::Range(range("a", "", true))));
    let Body::Range(reading) = answer.body else { panic!("{:?}", answer.body) };
    assert_eq!(reading.read().expect("a range").count, 0, "one that accepts an old state needs no confirmation");
}

#[test]
fn a_transaction_that_only_reads_needs_no_entry() {
    let store = Store::new(StoreConfig::default());
    let txn = |serializable: &[bool]| {
        let reads = serializable.iter().map(|serializable| RequestOp::Range(range("a", "", *serializable)));
        Request::Txn(TxnRequest { success: reads.collect(), ..TxnRequest::default() })
    };
    let (call, request) = asked(begin(view(&store), txn(&[true, false])));
    assert_eq!(request, ReplicaRequest::Read, "one of the reads demands the newest state");
    let answer = answered(call.on_reply(Arc::new(view(&store)), Ok(Reply::ReadReady)));
    assert!(matches!(answer.body, Body::Txn(response) if response.responses.len() == 2));
    assert!(matches!(answered(begin(view(&store), txn(&[true, true]))).body, Body::Txn(_)));
    let write = TxnRequest {
        success: vec![RequestOp::Put(PutRequest { key: "a".into(), ..PutRequest::default() })],
        ..TxnRequest::default()
    };
    let (_, request) = asked(begin(view(&store), Request::Txn(write.clone())));
    assert_eq!(request, ReplicaRequest::Write(Command::Txn(write)));
}

#[test]
fn another_id_is_chosen_for_a_lease_when_one_is_in_use() {
    let store = Store::new(StoreConfig::default());
    let wish = LeaseGrantRequest { ttl: 1, id: 0 };
    let id_of = |request: &ReplicaRequest| match request {
        ReplicaRequest::Write(Command::LeaseGrant(grant)) if grant.ttl == 2 && grant.id > 0 => grant.id,
        other => panic!("{other:?}"),
    };
    let in_use = || Err(ReplicaError::Store(StoreError::LeaseExists));
    let (mut call, request) = asked(begin(view(&store), Request::LeaseGrant { wish, seed: 7 }));
    let mut tried = vec![id_of(&request)];
    let refused = loop {
        match call.on_reply(Arc::new(view(&store)), in_use()) {
            Ok(Next::Ask(next, request)) => {
                tried.push(id_of(&request));
                call = next;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!((refused, tried.len()), (Error::Store(StoreError::LeaseExists), 8));
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), 8, "each is another one");
    let (call, request) = asked(begin(view(&store), Request::LeaseGrant { wish, seed: 8 }));
    let id = id_of(&request);
    assert!(!tried.contains(&id));
    let granted = StoreReply::LeaseGrant(LeaseGrantResponse { revision: 1, id, ttl: 2 });
    let answer = answered(call.on_reply(Arc::new(view(&store)), Ok(Reply::Written(granted.clone()))));
    assert!(matches!(answer.body, Body::Written(reply) if reply == granted));
    let (call, _) =
        asked(begin(view(&store), Request::LeaseGrant { wish: LeaseGrantRequest { ttl: 9, id: 5 }, seed: 9 }));
    let refused = call.on_reply(Arc::new(view(&store)), in_use()).unwrap_err();
    assert_eq!(refused, Error::Store(StoreError::LeaseExists), "an id that the client chose is not replaced");
}

#[test]
fn a_reply_that_does_not_fit_is_a_bug_that_is_seen() {
    let store = Store::new(StoreConfig::default());
    let (call, _) = asked(begin(view(&store), Request::Confirm));
    assert_eq!(call.on_reply(Arc::new(view(&store)), Ok(Reply::LeaderMoved)).unwrap_err(), Error::UnfitReply);
}

#[test]
fn the_pages_of_a_read_are_one_read() {
    let rng = &mut Rng::new(5);
    for seed in 0..300 {
        let mut store = Store::new(StoreConfig::default());
        for _ in 0..rng.below(30) {
            let key = format!("k{:02}", rng.below(40));
            put(&mut store, &key);
        }
        if rng.below(3) == 0 && store.revision() > 3 {
            let compaction = CompactionRequest { revision: 3, physical: false };
            store.apply(&Command::Compact(compaction)).expect("a compaction");
        }
        let request = RangeRequest {
            limit: rng.below(12) as i64 - 1,
            revision: rng.below(store.revision() as u64 + 2) as i64,
            keys_only: rng.below(3) == 0,
            ..range("k", ["\0", "k2", "z"][rng.below(3) as usize], true)
        };
        let expected = store.view().range(&request).map_err(Error::from);
        let answer = answered(begin(view(&store), Request::Range(request.clone())));
        let Body::Range(reading) = answer.body else { panic!("{:?}", answer.body) };
        assert_eq!(reading.is_long(), request.limit <= 0 || request.limit > 3, "seed {seed}");
        assert_eq!(reading.read(), expected, "seed {seed}: {request:?}");
    }
}

#[test]
fn a_hash_in_turns_is_the_hash() {
    let mut store = Store::new(StoreConfig::default());
    (0..20).for_each(|number| put(&mut store, &number.to_string()));
    let answer = answered(begin(view(&store), Request::HashKv { revision: 9 }));
    let Body::Hash(hashing) = answer.body else { panic!("{:?}", answer.body) };
    let mut turns = hashing.begin().expect("a revision that exists");
    let mut count = 0;
    while turns.turn() {
        count += 1;
    }
    assert!(count >= 2, "{count}");
    assert_eq!(turns.finish(), store.view().hash_kv(9).expect("a revision that exists"));
}

#[test]
fn streams_end_after_three_election_timeouts_without_a_leader() {
    let store = Store::new(StoreConfig::default());
    let (led, mut lost) = (view(&store), view(&store));
    lost.status.leader = None;
    let at = |ms: u64| Instant(ms * 1_000_000);
    let (demanding, patient) = (Caller { requires_leader: true, ..Caller::default() }, Caller::default());
    let mut leaderless = Leaderless::new(Duration::from_millis(100));
    leaderless.observe(&led, at(0));
    assert_eq!(leaderless.deadline(), None);
    leaderless.observe(&lost, at(50));
    leaderless.observe(&lost, at(200));
    assert_eq!(leaderless.deadline(), Some(at(350)), "an election that fails does not restart the wait");
    assert!(!leaderless.ends_streams_of(&demanding, at(349)));
    assert!(leaderless.ends_streams_of(&demanding, at(350)) && !leaderless.ends_streams_of(&patient, at(350)));
    leaderless.observe(&led, at(360));
    assert!(!leaderless.ends_streams_of(&demanding, at(900)));
}

#[test]
fn the_header_of_a_renewal_is_of_the_time_before_it() {
    let mut store = Store::new(StoreConfig::default());
    let (call, _) = asked(begin(view(&store), Request::LeaseKeepAlive { lease: 4 }));
    put(&mut store, "a");
    let answer = answered(call.on_reply(Arc::new(view(&store)), Ok(Reply::KeptAlive { ttl: 0 })));
    assert_eq!(answer.header.revision, 1);
    assert!(matches!(answer.body, Body::KeptAlive { lease: 4, ttl: 0 }));
}

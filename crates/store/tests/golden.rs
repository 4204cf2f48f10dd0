//! The golden cases of the protocol that concern the store: `golden_NN` is case NN of the list.

use volvox_core::{Bytes, Encode};
use volvox_store::checks::{check_lease_grant, check_put, check_range, check_txn};
use volvox_store::quota::cost;
use volvox_store::*;

fn b(text: &str) -> Bytes {
    Bytes::from(text)
}

fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: b(key), value: b(value), ..PutRequest::default() }
}

fn delete(key: &str, range_end: &str) -> DeleteRangeRequest {
    DeleteRangeRequest { key: b(key), range_end: b(range_end), prev_kv: false }
}

fn range(key: &str, range_end: &str) -> RangeRequest {
    RangeRequest { key: b(key), range_end: b(range_end), ..RangeRequest::default() }
}

fn compare(key: &str, target: CompareTarget, result: CompareResult, target_union: TargetUnion) -> Compare {
    Compare { result, target, key: b(key), range_end: Bytes::new(), target_union }
}

fn txn(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

fn if_all(compare: Vec<Compare>) -> TxnRequest {
    TxnRequest { compare, ..TxnRequest::default() }
}

struct Fixture {
    store: Store,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { store: Store::new(StoreConfig::default()) }
    }

    fn apply(&mut self, command: Command) -> Result<Reply, Error> {
        let before = self.store.revision();
        let reply = self.store.apply(&command);
        if reply.is_err() {
            assert_eq!(self.store.revision(), before, "a refused command changes nothing");
        }
        reply
    }

    fn put(&mut self, key: &str, value: &str) -> i64 {
        self.apply(Command::Put(put(key, value))).expect("a put").revision()
    }

    fn delete(&mut self, key: &str, range_end: &str) -> DeleteRangeResponse {
        match self.apply(Command::DeleteRange(delete(key, range_end))) {
            Ok(Reply::DeleteRange(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn txn(&mut self, request: TxnRequest) -> Result<TxnResponse, Error> {
        check_txn(&request, 128)?;
        match self.apply(Command::Txn(request)) {
            Ok(Reply::Txn(response)) => Ok(response),
            Err(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        self.store.view().range(request)
    }

    fn all(&self) -> RangeResponse {
        self.range(&range("\0", "\0")).expect("a range")
    }

    fn kv(&self, key: &str) -> Option<KeyValue> {
        self.store.view().get(key.as_bytes())
    }

    fn compact(&mut self, revision: i64) -> Result<Reply, Error> {
        let reply = self.apply(Command::Compact(CompactionRequest { revision, physical: false }));
        while self.store.compact_step(1) {}
        reply
    }

    fn grant(&mut self, id: i64) {
        self.apply(Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id })).expect("a grant");
    }

    fn holds(&mut self, compares: Vec<Compare>) -> bool {
        self.txn(if_all(compares)).expect("a txn").succeeded
    }

    fn with_five_keys() -> Fixture {
        let mut fixture = Fixture::new();
        for key in ["a", "b", "c", "d", "e"] {
            fixture.put(key, key);
        }
        fixture
    }
}

fn keys(response: &RangeResponse) -> Vec<&str> {
    response.kvs.iter().map(|pair| std::str::from_utf8(&pair.key).expect("text")).collect()
}

fn numbers(pair: &KeyValue) -> (i64, i64, i64) {
    (pair.create_revision, pair.mod_revision, pair.version)
}

fn names(change: &Change) -> Vec<(EventKind, String)> {
    change.events.iter().map(|event| (event.kind, event.key_value.key.to_string())).collect()
}

#[test]
fn golden_01() {
    let response = Fixture::new().range(&range("a", "")).expect("a range");
    assert_eq!((response.revision, response.count), (1, 0));
}

#[test]
fn golden_02() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.put("a", "1"), 2);
    assert_eq!(numbers(&fixture.kv("a").expect("a")), (2, 2, 1));
    assert_eq!(fixture.put("a", "1"), 3);
    assert_eq!(numbers(&fixture.kv("a").expect("a")), (2, 3, 2));
    let deleted = fixture.delete("a", "");
    assert_eq!((deleted.deleted, deleted.revision), (1, 4));
    let deleted = fixture.delete("a", "");
    assert_eq!((deleted.deleted, deleted.revision), (0, 4));
    assert_eq!(fixture.put("a", "1"), 5);
    assert_eq!(numbers(&fixture.kv("a").expect("a")), (5, 5, 1));
}

#[test]
fn golden_03() {
    let mut fixture = Fixture::new();
    let response = fixture.txn(txn(vec![RequestOp::Put(put("x", "")), RequestOp::Put(put("y", ""))])).expect("a txn");
    assert_eq!(response.revision, 2);
    let changes = fixture.store.take_events();
    assert_eq!(changes.len(), 1);
    assert_eq!(names(&changes[0]), [(EventKind::Put, "x".into()), (EventKind::Put, "y".into())]);
    assert!(changes[0].events.iter().all(|event| event.key_value.mod_revision == 2));
    assert_eq!(fixture.store.view().changes(2, 10).collect::<Vec<_>>(), changes);
}

#[test]
fn golden_04() {
    let mut fixture = Fixture::new();
    let response = fixture.txn(txn(vec![RequestOp::DeleteRange(delete("missing", ""))])).expect("a txn");
    assert!(response.succeeded && response.revision == 1);
    let response = fixture.txn(txn(vec![])).expect("a txn");
    assert!(response.succeeded && response.responses.is_empty() && response.revision == 1);
    assert!(fixture.store.take_events().is_empty());
}

#[test]
fn golden_05() {
    let mut fixture = Fixture::new();
    fixture.grant(7);
    fixture.grant(8);
    assert_eq!(fixture.store.revision(), 1);
    for key in ["c", "a", "b"] {
        fixture.apply(Command::Put(PutRequest { lease: 7, ..put(key, "") })).expect("a put");
    }
    fixture.store.take_events();
    let reply = fixture.apply(Command::LeaseRevoke(LeaseRevokeRequest { id: 7 })).expect("a revoke");
    assert_eq!(reply.revision(), 5);
    let changes = fixture.store.take_events();
    let deletes = ["a", "b", "c"].map(|key| (EventKind::Delete, String::from(key)));
    assert_eq!((changes.len(), names(&changes[0])), (1, deletes.to_vec()));
    let reply = fixture.apply(Command::LeaseRevoke(LeaseRevokeRequest { id: 8 })).expect("a revoke");
    assert_eq!(reply.revision(), 5);
    let reply = fixture.apply(Command::LeaseExpire(vec![7, 8])).expect("both are gone already");
    assert_eq!(reply.revision(), 5);
}

#[test]
fn golden_06() {
    let fixture = Fixture::with_five_keys();
    let error = fixture.range(&range("", "")).expect_err("no key");
    assert_eq!(error, Error::EmptyKey);
    assert_eq!(keys(&fixture.all()), ["a", "b", "c", "d", "e"]);
    let empty = fixture.range(&range("b", "a")).expect("an empty range");
    assert_eq!((empty.count, empty.kvs.len()), (0, 0));
    assert_eq!(keys(&fixture.range(&range("c", "\0")).expect("a range")), ["c", "d", "e"]);
}

#[test]
fn golden_07() {
    let fixture = Fixture::with_five_keys();
    let with_limit = |limit| fixture.range(&RangeRequest { limit, ..range("\0", "\0") }).expect("a range");
    let response = with_limit(2);
    assert_eq!((response.kvs.len(), response.more, response.count), (2, true, 5));
    assert!(!with_limit(5).more);
    assert_eq!(with_limit(-1).kvs.len(), 5);
    let request = RangeRequest { limit: 2, count_only: true, ..range("\0", "\0") };
    let response = fixture.range(&request).expect("a range");
    assert_eq!((response.kvs.len(), response.more, response.count), (0, false, 5));
}

#[test]
fn golden_08() {
    let fixture = Fixture::with_five_keys();
    let request = RangeRequest { min_mod_revision: 5, limit: 1, ..range("\0", "\0") };
    let response = fixture.range(&request).expect("a range");
    assert_eq!((keys(&response), response.more, response.count), (vec!["d"], true, 5));
    let request = RangeRequest { limit: 2, ..request };
    assert!(!fixture.range(&request).expect("a range").more);
}

#[test]
fn golden_09() {
    let mut fixture = Fixture::with_five_keys();
    let request = RangeRequest { sort_order: SortOrder::Descend, limit: 1, ..range("\0", "\0") };
    let response = fixture.range(&request).expect("a range");
    assert_eq!((keys(&response), response.more), (vec!["e"], true));
    fixture.put("a", "again");
    let request = RangeRequest { sort_target: SortTarget::Mod, ..range("\0", "\0") };
    assert_eq!(keys(&fixture.range(&request).expect("a range")), ["b", "c", "d", "e", "a"]);
    let request = RangeRequest { sort_target: SortTarget::Value, keys_only: true, ..range("\0", "\0") };
    let response = fixture.range(&request).expect("a range");
    assert_eq!(keys(&response), ["a", "b", "c", "d", "e"]);
    assert!(response.kvs.iter().all(|pair| pair.value.is_empty()));
}

#[test]
fn golden_10() {
    let mut fixture = Fixture::with_five_keys();
    let at = |fixture: &Fixture, revision| fixture.range(&RangeRequest { revision, ..range("\0", "\0") });
    assert_eq!(at(&fixture, 7), Err(Error::FutureRevision));
    fixture.compact(5).expect("a compaction");
    let error = at(&fixture, 4).expect_err("compacted");
    assert_eq!(error, Error::Compacted);
    assert_eq!(keys(&at(&fixture, 5).expect("the compaction point")), ["a", "b", "c", "d"]);
    assert_eq!(at(&fixture, 0).expect("newest").count, 5);
    assert_eq!(at(&fixture, -1).expect("newest").count, 5);
}

#[test]
fn golden_11() {
    let fixture = Fixture::with_five_keys();
    let response = fixture.range(&RangeRequest { revision: 2, ..range("\0", "\0") }).expect("a range");
    assert_eq!((response.revision, keys(&response)), (6, vec!["a"]));
}

#[test]
fn golden_12() {
    let request = RangeRequest { sort_order: SortOrder::from(99), ..range("a", "") };
    assert_eq!(check_range(&request), Err(Error::InvalidSortOption));
    let request = RangeRequest { sort_target: SortTarget::from(5), ..range("a", "") };
    assert_eq!(Fixture::new().range(&request), Err(Error::InvalidSortOption));
    let request = RangeRequest { key: Bytes::new(), ..request };
    assert_eq!(check_range(&request), Err(Error::EmptyKey), "the key is looked at first");
}

#[test]
fn golden_13() {
    let mut fixture = Fixture::new();
    let keep_value = PutRequest { ignore_value: true, ..put("a", "") };
    let error = fixture.apply(Command::Put(keep_value.clone())).expect_err("refused");
    assert_eq!(error, Error::KeyNotFound);
    let both = PutRequest { value: b("v"), ..keep_value.clone() };
    assert_eq!(check_put(&both), Err(Error::ValueProvided));
    let both = PutRequest { ignore_lease: true, lease: 3, ..put("a", "") };
    assert_eq!(check_put(&both), Err(Error::LeaseProvided));
    fixture.put("a", "kept");
    fixture.apply(Command::Put(keep_value)).expect("a put");
    let pair = fixture.kv("a").expect("a");
    assert_eq!((pair.value.clone(), pair.version), (b("kept"), 2));
}

#[test]
fn golden_14() {
    let mut fixture = Fixture::new();
    fixture.grant(7);
    fixture.apply(Command::Put(PutRequest { lease: 7, ..put("k", "") })).expect("a put");
    assert_eq!(fixture.store.view().lease_keys(7), [b("k")]);
    fixture.put("k", "");
    assert!(fixture.store.view().lease_keys(7).is_empty());
    fixture.apply(Command::LeaseRevoke(LeaseRevokeRequest { id: 7 })).expect("a revoke");
    assert!(fixture.kv("k").is_some());
}

#[test]
fn golden_15() {
    let mut fixture = Fixture::new();
    fixture.grant(7);
    fixture.apply(Command::Put(PutRequest { lease: 7, ..put("k", "1") })).expect("a put");
    fixture.apply(Command::Put(PutRequest { ignore_lease: true, ..put("k", "2") })).expect("a put");
    assert_eq!(fixture.kv("k").map(|pair| (pair.value, pair.lease)), Some((b("2"), 7)));
    fixture.apply(Command::LeaseExpire(vec![7])).expect("an expiry");
    assert!(fixture.kv("k").is_none() && fixture.store.view().lease(7).is_none());
}

#[test]
fn golden_16() {
    let mut fixture = Fixture::new();
    let error = fixture.apply(Command::Put(PutRequest { lease: 9, ..put("k", "") })).expect_err("refused");
    assert_eq!(error, Error::LeaseNotFound);
    assert_eq!(fixture.store.revision(), 1);
}

#[test]
fn golden_17() {
    // The door refuses by encoded size; the store only has to encode no smaller than the value.
    let command = Command::Put(PutRequest { value: Bytes::from(vec![0; 1_572_864]), ..put("k", "") });
    assert!(command.to_bytes().len() > 1_572_864);
}

#[test]
fn golden_18() {
    let ops = |count: usize| txn((0..count).map(|n| RequestOp::Put(put(&n.to_string(), ""))).collect());
    assert_eq!(check_txn(&ops(128), 128), Ok(()));
    assert_eq!(check_txn(&ops(129), 128), Err(Error::TooManyOperations));
    let compares =
        |count| if_all(vec![compare("k", CompareTarget::Mod, CompareResult::Equal, TargetUnion::None); count]);
    assert_eq!(check_txn(&compares(128), 128), Ok(()));
    assert_eq!(check_txn(&compares(129), 128), Err(Error::TooManyOperations));
    // A nested transaction gets what its parent leaves over, each sibling the same.
    let nested = |inner: usize| txn(vec![RequestOp::Txn(txn(vec![RequestOp::Range(range("a", "")); inner])); 2]);
    assert_eq!(check_txn(&nested(126), 128), Ok(()));
    assert_eq!(check_txn(&nested(127), 128), Err(Error::TooManyOperations));
}

#[test]
fn golden_19() {
    let duplicate = |ops: Vec<RequestOp>| check_txn(&txn(ops), 128);
    let put_op = |key: &str| RequestOp::Put(put(key, "new"));
    let delete_op = |key: &str, end: &str| RequestOp::DeleteRange(delete(key, end));
    let nested = |ops: Vec<RequestOp>| RequestOp::Txn(txn(ops));
    let error = duplicate(vec![put_op("k"), put_op("k")]).expect_err("refused");
    assert_eq!(error, Error::DuplicateKey);
    let both = TxnRequest { success: vec![put_op("k")], failure: vec![put_op("k")], ..TxnRequest::default() };
    assert_eq!(check_txn(&both, 128), Ok(()));
    assert_eq!(duplicate(vec![put_op("k"), delete_op("a", "z")]), Err(Error::DuplicateKey));
    assert_eq!(duplicate(vec![delete_op("k", ""), put_op("k")]), Err(Error::DuplicateKey));
    assert_eq!(duplicate(vec![delete_op("a", "m"), delete_op("b", "z")]), Ok(()));
    assert_eq!(duplicate(vec![put_op("k"), nested(vec![put_op("k")])]), Err(Error::DuplicateKey));
    assert_eq!(duplicate(vec![nested(vec![put_op("k")]), nested(vec![put_op("k")])]), Err(Error::DuplicateKey));
    assert_eq!(duplicate(vec![nested(vec![put_op("k")]), delete_op("a", "z")]), Err(Error::DuplicateKey));
    assert_eq!(duplicate(vec![nested(vec![delete_op("a", "z")]), nested(vec![put_op("k")])]), Err(Error::DuplicateKey));
    // The two gaps of the original.
    assert_eq!(duplicate(vec![nested(vec![put_op("k")]), nested(vec![delete_op("a", "z")])]), Ok(()));
    let unbounded = txn(vec![delete_op("a", "\0"), put_op("b"), RequestOp::Range(range("b", ""))]);
    let mut fixture = Fixture::new();
    fixture.put("b", "old");
    fixture.store.take_events();
    let response = fixture.txn(unbounded).expect("a txn");
    let pair = fixture.kv("b").expect("b");
    assert_eq!((pair.version, pair.mod_revision, pair.value.clone()), (1, 3, b("new")));
    let ResponseOp::Range(read) = &response.responses[2] else { panic!("{response:?}") };
    assert_eq!((read.count, &read.kvs[0]), (1, &pair));
    let changes = fixture.store.take_events();
    assert_eq!(names(&changes[0]), [(EventKind::Delete, "b".into()), (EventKind::Put, "b".into())]);
    let old = |event: &Event| event.previous.as_ref().map(|pair| pair.value.clone());
    let before: Vec<_> = changes[0].events.iter().map(old).collect();
    assert_eq!(before, [Some(b("old")), None], "one revision before, and none before a creation");
    assert_eq!(fixture.store.view().previous(b"b", 2).map(|pair| pair.value), Some(b("old")));
}

#[test]
fn golden_20() {
    let mut fixture = Fixture::new();
    for result in [CompareResult::Equal, CompareResult::Greater, CompareResult::Less, CompareResult::NotEqual] {
        let of_value = compare("k", CompareTarget::Value, result, TargetUnion::Value(b("")));
        assert!(!fixture.holds(vec![of_value]), "{result:?}");
    }
    let version = compare("k", CompareTarget::Version, CompareResult::Equal, TargetUnion::Version(0));
    let create = compare("k", CompareTarget::Create, CompareResult::Less, TargetUnion::CreateRevision(1));
    assert!(fixture.holds(vec![version, create]));
    let unset = compare("k", CompareTarget::Mod, CompareResult::Equal, TargetUnion::None);
    assert!(fixture.holds(vec![unset.clone()]), "a constant that is not set counts as 0");
    fixture.put("k", "v");
    assert!(!fixture.holds(vec![unset]));
    let value = |result, given| compare("k", CompareTarget::Value, result, TargetUnion::Value(b(given)));
    assert!(fixture.holds(vec![value(CompareResult::Greater, "a"), value(CompareResult::NotEqual, "w")]));
    assert!(!fixture.holds(vec![value(CompareResult::Greater, "a"), value(CompareResult::Less, "v")]));
    let lease = compare("k", CompareTarget::Lease, CompareResult::Equal, TargetUnion::Lease(0));
    assert!(fixture.holds(vec![lease]));
}

#[test]
fn golden_21() {
    let mut fixture = Fixture::new();
    fixture.put("z", "");
    fixture.put("a", "");
    for _ in 0..8 {
        fixture.put("z", "");
    }
    fixture.put("b", "");
    let less = compare("a", CompareTarget::Mod, CompareResult::Less, TargetUnion::ModRevision(10));
    let over = |compare: &Compare, end: &str| Compare { range_end: b(end), ..compare.clone() };
    assert_eq!((fixture.kv("a").map(|p| p.mod_revision), fixture.kv("b").map(|p| p.mod_revision)), (Some(3), Some(12)));
    assert!(!fixture.holds(vec![over(&less, "c")]));
    assert!(fixture.holds(vec![over(&less, "b")]));
    let none = compare("m", CompareTarget::Create, CompareResult::Equal, TargetUnion::CreateRevision(0));
    assert!(fixture.holds(vec![over(&none, "n")]));
}

#[test]
fn golden_22() {
    let mut fixture = Fixture::new();
    fixture.put("a", "0");
    let is_one = compare("a", CompareTarget::Value, CompareResult::Equal, TargetUnion::Value(b("1")));
    let inner = TxnRequest {
        compare: vec![is_one],
        success: vec![RequestOp::Put(put("then", ""))],
        failure: vec![RequestOp::Put(put("else", "")), RequestOp::Range(range("a", ""))],
    };
    let response = fixture.txn(txn(vec![RequestOp::Put(put("a", "1")), RequestOp::Txn(inner)])).expect("a txn");
    let ResponseOp::Txn(inner) = &response.responses[1] else { panic!("{response:?}") };
    assert!(!inner.succeeded && inner.revision == 0, "{inner:?}");
    let ResponseOp::Range(read) = &inner.responses[1] else { panic!("{inner:?}") };
    assert_eq!(read.kvs[0].value, b("1"), "its operations do see the write");
    assert_eq!(keys(&fixture.all()), ["a", "else"]);
}

#[test]
fn golden_23() {
    let mut fixture = Fixture::with_five_keys();
    fixture.compact(5).expect("a compaction");
    let old = RangeRequest { revision: 4, ..range("a", "") };
    let error = fixture.txn(txn(vec![RequestOp::Put(put("a", "lost")), RequestOp::Range(old)])).expect_err("refused");
    assert_eq!(error, Error::Compacted);
    assert_eq!(fixture.kv("a").map(|pair| pair.value), Some(b("a")));
    assert_eq!(fixture.store.revision(), 6);
}

#[test]
fn golden_24() {
    let mut fixture = Fixture::new();
    let ops = vec![
        RequestOp::Range(range("k", "")),
        RequestOp::Put(put("k", "")),
        RequestOp::Range(range("k", "")),
        RequestOp::Range(RangeRequest { revision: 1, ..range("\0", "\0") }),
    ];
    let response = fixture.txn(txn(ops)).expect("a txn");
    let reads: Vec<&RangeResponse> = response
        .responses
        .iter()
        .filter_map(|op| if let ResponseOp::Range(read) = op { Some(read) } else { None })
        .collect();
    assert_eq!((reads[0].count, reads[0].revision), (0, 1));
    assert_eq!((reads[1].kvs[0].mod_revision, reads[1].revision, response.revision), (2, 2, 2));
    assert_eq!(reads[2].count, 0, "revision 1 is still what it was");
}

#[test]
fn golden_25() {
    let mut fixture = Fixture::with_five_keys();
    fixture.compact(6).expect("the newest");
    assert_eq!(fixture.compact(6), Err(Error::Compacted));
    assert_eq!(fixture.compact(7), Err(Error::FutureRevision));
    let mut fixture = Fixture::new();
    assert_eq!(fixture.store.compacted(), -1);
    fixture.compact(0).expect("once");
    assert_eq!(fixture.compact(0), Err(Error::Compacted));
}

#[test]
fn golden_26() {
    let mut fixture = Fixture::with_five_keys();
    fixture.delete("c", "");
    fixture.put("f", "");
    fixture.compact(7).expect("a compaction");
    let response = fixture.range(&RangeRequest { revision: 7, ..range("\0", "\0") }).expect("a range");
    assert_eq!((keys(&response), response.count), (vec!["a", "b", "d", "e"], 4));
    let view = fixture.store.view();
    let changes: Vec<Change> = view.changes(7, 10).collect();
    assert_eq!(changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(names(&changes[0]), [(EventKind::Delete, "c".into())]);
    assert_eq!(view.previous_of(&changes[0].events[0]), None, "what it replaced is compacted");
}

#[test]
fn golden_26_for_a_key_that_changed_twice_in_a_revision() {
    let mut fixture = Fixture::with_five_keys();
    let ops = vec![RequestOp::DeleteRange(delete("e", "\0")), RequestOp::Put(put("e", "again"))];
    fixture.txn(txn(ops)).expect("a txn");
    fixture.apply(Command::Compact(CompactionRequest { revision: 7, physical: false })).expect("a compaction");
    let events = |fixture: &Fixture| fixture.store.view().changes(7, 10).collect::<Vec<Change>>();
    let before = events(&fixture);
    assert_eq!(names(&before[0]), [(EventKind::Put, "e".into())], "only the last change is left, removed or not");
    while fixture.store.compact_step(1) {}
    assert_eq!(events(&fixture), before);
}

#[test]
fn golden_37() {
    let grant = |ttl| check_lease_grant(&LeaseGrantRequest { ttl, id: 1 }, 2);
    assert_eq!((grant(1), grant(0), grant(-5), grant(60)), (Ok(2), Ok(2), Ok(2), Ok(60)));
    let error = grant(9_000_000_001).expect_err("refused");
    assert_eq!(error, Error::LeaseTtlTooLarge);
    let mut fixture = Fixture::new();
    fixture.grant(-3);
    let error = fixture.apply(Command::LeaseGrant(LeaseGrantRequest { ttl: 2, id: -3 })).expect_err("refused");
    assert_eq!(error, Error::LeaseExists);
}

#[test]
fn golden_38() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.store.view().lease(4), None, "what KeepAlive and TimeToLive answer from");
    let error = fixture.apply(Command::LeaseRevoke(LeaseRevokeRequest { id: 4 })).expect_err("refused");
    assert_eq!(error, Error::LeaseNotFound);
}

#[test]
fn golden_49() {
    let quota = 20_000_000;
    let mut fixture = Fixture::new();
    let value = "v".repeat(100_000);
    let mut last = 0;
    while !fixture.store.view().exceeds_quota(cost(&Command::Put(put("k", &value))), quota) {
        last = fixture.put("k", &value);
        assert!(last < 1000, "the quota is reached");
    }
    assert!(last > 190, "not much earlier than it should: {last}");
    let alarm = |action| Command::Alarm(AlarmRequest { action, member_id: 3, alarm: AlarmType::NoSpace });
    fixture.apply(alarm(AlarmAction::Activate)).expect("an alarm");
    let error = fixture.apply(Command::Put(put("k", ""))).expect_err("refused");
    assert_eq!(error, Error::NoSpace);
    let both = TxnRequest { failure: vec![RequestOp::Put(put("k", ""))], ..TxnRequest::default() };
    assert_eq!(fixture.txn(both), Err(Error::NoSpace));
    assert_eq!(fixture.apply(Command::LeaseGrant(LeaseGrantRequest { ttl: 9, id: 9 })), Err(Error::NoSpace));
    let get = Command::Alarm(AlarmRequest { action: AlarmAction::Get, ..AlarmRequest::default() });
    let listed = AlarmMember { member_id: 3, alarm: AlarmType::NoSpace };
    assert_eq!(fixture.apply(get), Ok(Reply::Alarm(AlarmResponse { revision: last, alarms: vec![listed] })));
    let deleted = fixture.delete("k", "");
    fixture.compact(deleted.revision).expect("a compaction");
    fixture.apply(alarm(AlarmAction::Deactivate)).expect("an alarm");
    assert!(!fixture.store.view().exceeds_quota(cost(&Command::Put(put("k", &value))), quota));
    fixture.put("k", &value);
    let again = fixture.apply(alarm(AlarmAction::Deactivate)).expect("an alarm");
    assert!(matches!(again, Reply::Alarm(AlarmResponse { alarms, .. }) if alarms.is_empty()));
}

#[test]
fn a_corrupt_cluster_changes_nothing() {
    let mut fixture = Fixture::with_five_keys();
    fixture.grant(1);
    let alarm = Command::Alarm(AlarmRequest { action: AlarmAction::Activate, member_id: 1, alarm: AlarmType::Corrupt });
    fixture.apply(alarm).expect("an alarm");
    let refused = [
        Command::Put(put("a", "")),
        Command::DeleteRange(delete("a", "")),
        Command::Txn(txn(vec![])),
        Command::Compact(CompactionRequest { revision: 3, physical: false }),
        Command::LeaseGrant(LeaseGrantRequest { ttl: 5, id: 2 }),
        Command::LeaseRevoke(LeaseRevokeRequest { id: 1 }),
        Command::LeaseExpire(vec![1]),
    ];
    for command in refused {
        assert_eq!(fixture.apply(command), Err(Error::Corrupt));
    }
    assert_eq!(fixture.all().count, 5);
}

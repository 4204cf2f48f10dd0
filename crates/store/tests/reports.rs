//! Answers that differed from etcd's, as public reports and random requests to both found them.

use volvox_core::Bytes;
use volvox_store::*;

fn put(key: &str, value: &str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
}

fn store_of(pairs: &[(&str, &str)]) -> Store {
    let mut store = Store::new(StoreConfig::default());
    for (key, value) in pairs {
        store.apply(&Command::Put(put(key, value))).expect("a put");
    }
    store.take_events();
    store
}

fn success(ops: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success: ops, ..TxnRequest::default() }
}

/// etcd-io/etcd#13871: outside of a transaction a negative revision is the newest.
#[test]
fn a_negative_revision_in_a_transaction_is_a_compacted_one() {
    let mut store = store_of(&[("k", "1")]);
    let read = |revision| RequestOp::Range(RangeRequest { key: "k".into(), revision, ..RangeRequest::default() });
    let reads_then_writes = |revision| Command::Txn(success(vec![read(revision), RequestOp::Put(put("k", "2"))]));
    // Before any compaction the compaction point is -1.
    assert!(store.apply(&reads_then_writes(-1)).is_ok());
    assert_eq!(store.apply(&reads_then_writes(-2)), Err(Error::Compacted));
    store.apply(&Command::Compact(CompactionRequest { revision: 2, physical: false })).expect("a compaction");
    for revision in [-1, -2, i64::MIN] {
        assert_eq!(store.apply(&reads_then_writes(revision)), Err(Error::Compacted), "{revision}");
        assert_eq!(store.view().txn(&success(vec![read(revision)])), Err(Error::Compacted), "{revision}");
        let alone = RangeRequest { key: "k".into(), revision, ..RangeRequest::default() };
        assert_eq!(store.view().range(&alone).expect("the newest").count, 1);
    }
    assert_eq!(store.revision(), 3, "nothing was written");
}

/// Clients set a target without an order: jetcd does.
#[test]
fn a_target_without_an_order_is_cut_in_key_order_before_it_is_sorted() {
    let store = store_of(&[("b", "2"), ("a", "3"), ("c", "1"), ("d", "0")]);
    let keys = |sort_order, sort_target, limit, max_mod_revision| {
        let (key, range_end): (Bytes, Bytes) = ("\0".into(), "\0".into());
        let request = RangeRequest {
            key,
            range_end,
            limit,
            sort_order,
            sort_target,
            max_mod_revision,
            ..RangeRequest::default()
        };
        let response = store.view().range(&request).expect("a range");
        assert_eq!((response.count, response.more), (4, limit == 1 || limit == 2), "{request:?}");
        response.kvs.iter().map(|pair| pair.key.to_string()).collect::<String>()
    };
    assert_eq!(keys(SortOrder::None, SortTarget::Mod, 1, 0), "b", "the smaller of a and b");
    assert_eq!(keys(SortOrder::None, SortTarget::Value, 2, 0), "cb", "two of a, b and c");
    assert_eq!(keys(SortOrder::Ascend, SortTarget::Value, 2, 0), "dc", "two of all");
    assert_eq!(keys(SortOrder::None, SortTarget::Value, 2, 9), "dc", "a filter sees all");
    assert_eq!(keys(SortOrder::None, SortTarget::Value, 0, 0), "dcba");
    assert_eq!(keys(SortOrder::None, SortTarget::Value, i64::MAX, 0), "dcba");
}

/// etcd-io/etcd#22445: live, from history, and in the answer of a transaction.
#[test]
fn the_event_of_a_creation_has_no_pair_before_it() {
    let mut store = store_of(&[("b", "old")]);
    let all = DeleteRangeRequest { key: "a".into(), range_end: "\0".into(), prev_kv: true };
    let again = PutRequest { prev_kv: true, ..put("b", "new") };
    let txn = success(vec![RequestOp::DeleteRange(all), RequestOp::Put(again)]);
    let Ok(Reply::Txn(response)) = store.apply(&Command::Txn(txn)) else { panic!("a transaction") };
    let ResponseOp::Put(put) = &response.responses[1] else { panic!("{response:?}") };
    assert_eq!(put.prev_kv, None);
    let old = |event: &Event| event.previous.as_ref().map(|pair| pair.value.clone());
    let changes = store.take_events();
    let live: Vec<_> = changes[0].events.iter().map(|event| (event.kind, old(event))).collect();
    assert_eq!(live, [(EventKind::Delete, Some("old".into())), (EventKind::Put, None)]);
    let view = store.view();
    let history: Vec<Event> = view.changes(3, 1).flat_map(|change| change.events).collect();
    let history: Vec<_> =
        history.iter().map(|event| (event.kind, view.previous_of(event).map(|pair| pair.value))).collect();
    assert_eq!(history, live);
}

#[test]
fn a_missing_key_comes_before_a_missing_lease_in_a_transaction_and_after_it_alone() {
    let mut store = store_of(&[]);
    let neither = PutRequest { key: "k".into(), lease: 7, ignore_value: true, ..PutRequest::default() };
    assert_eq!(store.apply(&Command::Put(neither.clone())), Err(Error::LeaseNotFound));
    let nested = success(vec![RequestOp::Txn(success(vec![RequestOp::Put(neither.clone())]))]);
    for txn in [success(vec![RequestOp::Put(neither)]), nested] {
        assert_eq!(store.apply(&Command::Txn(txn)), Err(Error::KeyNotFound));
    }
}

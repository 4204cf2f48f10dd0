//! Checkpoints: which parts are rewritten, how large contents are split, the cost of steps.

use std::collections::BTreeSet;
use volvox_core::{Bytes, PART_BYTES_MAX, Part};
use volvox_store::*;

fn put(store: &mut Store, key: &str, value: usize) {
    let put = PutRequest { key: Bytes::from(key), value: Bytes::from(vec![7; value]), ..PutRequest::default() };
    store.apply(&Command::Put(put)).expect("a put");
}

fn numbers(store: &Store) -> Vec<u64> {
    store.view().checkpoint().map(|part| part.number()).collect()
}

fn restore(parts: impl Iterator<Item = Part>) -> Store {
    let mut restore = Store::restore(StoreConfig::default());
    parts.for_each(|part| restore.part(&part).expect("a good part"));
    restore.finish().expect("a whole checkpoint")
}

#[test]
fn unchanged_segments_are_not_written_again() {
    let mut store = Store::new(StoreConfig::default());
    (0..8000).for_each(|number| put(&mut store, &format!("key{number}"), 256));
    let first = numbers(&store);
    assert!(first.len() > 4, "{} parts", first.len());
    assert_eq!(first, numbers(&store), "nothing happened");
    put(&mut store, "key1", 10);
    let second = numbers(&store);
    let fresh: Vec<u64> = second.iter().copied().filter(|number| !first.contains(number)).collect();
    assert_eq!(fresh.len(), 3, "meta, tail and end");
    store.apply(&Command::Compact(CompactionRequest { revision: store.revision(), physical: true })).expect("applies");
    while store.compact_step(1) {}
    let third: BTreeSet<u64> = numbers(&store).into_iter().collect();
    let kept = second.iter().filter(|number| third.contains(number)).count();
    assert_eq!(kept, second.len() - 3, "meta, the end, and the segment that lost a record");
}

#[test]
fn a_value_larger_than_a_part_is_cut() {
    let mut store = Store::new(StoreConfig::default());
    put(&mut store, "small", 3);
    put(&mut store, "large", 3 * PART_BYTES_MAX);
    put(&mut store, "small", 4);
    let parts: Vec<Part> = store.view().checkpoint().map(|part| part.to_part()).collect();
    assert!(parts.len() >= 5 && parts.iter().all(|part| part.data.len() <= PART_BYTES_MAX));
    let restored = restore(parts.into_iter());
    assert_eq!(restored.view().hash_kv(0), store.view().hash_kv(0));
    assert_eq!(restored.view().get(b"large").map(|pair| pair.value.len()), Some(3 * PART_BYTES_MAX));
    assert_eq!(numbers(&restored), numbers(&store));
}

#[test]
fn the_empty_store_comes_back() {
    let store = Store::new(StoreConfig::default());
    let restored = restore(store.view().checkpoint().map(|part| part.to_part()));
    assert_eq!((restored.revision(), restored.compacted()), (1, -1));
    assert!(Store::restore(StoreConfig::default()).finish().is_err(), "a store needs parts");
}

#[test]
fn many_leases_take_several_pages() {
    let mut store = Store::new(StoreConfig::default());
    for id in 1..40_000 {
        let id = if id % 2 == 0 { id } else { -id };
        store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id })).expect("a grant");
    }
    store.apply(&Command::LeaseCheckpoint(vec![LeaseCheckpoint { id: 2, remaining_ttl: 7 }])).expect("applies");
    let put = PutRequest { key: Bytes::from("k"), lease: -3, ..PutRequest::default() };
    store.apply(&Command::Put(put)).expect("a put");
    let alarm = AlarmRequest { action: AlarmAction::Activate, member_id: 5, alarm: AlarmType::NoSpace };
    store.apply(&Command::Alarm(alarm)).expect("an alarm");
    let parts: Vec<Part> = store.view().checkpoint().map(|part| part.to_part()).collect();
    assert_eq!(parts.len(), 6, "meta, three pages, the tail, the end");
    let restored = restore(parts.into_iter()).view();
    let view = store.view();
    assert!(restored.leases().eq(view.leases()) && restored.alarms().eq(view.alarms()));
    assert_eq!(restored.lease(2).map(|lease| lease.remaining_ttl), Some(7));
    assert_eq!(restored.lease_keys(-3), [Bytes::from("k")]);
    assert_eq!(restored.applied(), view.applied());
}

#[test]
fn a_pinned_view_survives_compaction() {
    let mut store = Store::new(StoreConfig::default());
    (0..500).for_each(|_| put(&mut store, "hot", 5000));
    let pinned = store.view();
    let mut checkpoint = pinned.checkpoint();
    let mut parts = vec![checkpoint.next().expect("meta").to_part()];
    store.apply(&Command::Compact(CompactionRequest { revision: 500, physical: true })).expect("applies");
    while store.compact_step(1) {}
    assert!(store.view().size_in_use() < 20_000, "memory is freed");
    parts.extend(checkpoint.map(|part| part.to_part()));
    let restored = restore(parts.into_iter());
    assert_eq!(restored.view().hash_kv(0), pinned.hash_kv(0));
    let old = RangeRequest { key: Bytes::from("hot"), revision: 250, ..RangeRequest::default() };
    assert_eq!(pinned.range(&old).expect("still there").kvs[0].version, 249);
    assert_eq!(restored.view().range(&old), pinned.range(&old));
    assert_eq!(store.view().range(&old), Err(Error::Compacted));
}

fn compact(store: &mut Store, revision: i64) {
    store.apply(&Command::Compact(CompactionRequest { revision, physical: true })).expect("a compaction");
}

fn delete_all(store: &mut Store) {
    let all = Bytes::from(&[0]);
    let delete = DeleteRangeRequest { key: all.clone(), range_end: all, prev_kv: false };
    store.apply(&Command::DeleteRange(delete)).expect("a delete");
}

#[test]
fn nothing_is_left_of_the_dead() {
    let mut store = Store::new(StoreConfig::default());
    (0..1000).for_each(|number| put(&mut store, &format!("key{number}"), 100));
    delete_all(&mut store);
    put(&mut store, "alive", 1);
    // Two compactions before the first step: the second pass follows the first.
    compact(&mut store, 900);
    let newest = store.revision();
    compact(&mut store, newest);
    assert!(store.is_compacting());
    while store.compact_step(1) {}
    assert!(!store.is_compacting() && store.view().size_in_use() < 200, "{}", store.view().size_in_use());
    assert_eq!(numbers(&store).len(), 3, "meta, one segment, the end");
}

#[test]
fn a_restart_goes_on_compacting() {
    let mut store = Store::new(StoreConfig::default());
    (0..1000).for_each(|_| put(&mut store, "hot", 100));
    let newest = store.revision();
    compact(&mut store, newest);
    let mut restored = restore(store.view().checkpoint().map(|part| part.to_part()));
    assert!(restored.view().size_in_use() > 100_000);
    while restored.compact_step(1) {}
    assert!(restored.view().size_in_use() < 1000);
}

#[test]
fn a_tombstone_at_the_compaction_point_is_not_hashed() {
    let hash = |dead: &str| {
        let mut store = Store::new(StoreConfig::default());
        put(&mut store, "b", 1);
        put(&mut store, dead, 1);
        let delete = DeleteRangeRequest { key: Bytes::from(dead), ..DeleteRangeRequest::default() };
        store.apply(&Command::DeleteRange(delete)).expect("a delete");
        let before = store.view().hash_kv(0).expect("a hash");
        compact(&mut store, 4);
        (before.hash, store.view().hash_kv(0).expect("a hash"))
    };
    let (a, c) = (hash("a"), hash("c"));
    assert_ne!(a.0, c.0);
    assert_eq!(a.1, c.1);
    assert_eq!((a.1.compact_revision, a.1.hash_revision), (4, 4));
}

#[test]
fn views_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<View>();
    shared::<Store>();
    fn sent<T: Send>() {}
    sent::<Checkpoint>();
    sent::<Changes<'static>>();
}

#[test]
fn every_version_of_a_long_history_is_found() {
    let mut store = Store::new(StoreConfig::default());
    (0..1000).for_each(|length| put(&mut store, "hot", length));
    compact(&mut store, 300);
    while store.compact_step(1) {}
    let view = store.view();
    for revision in 300..=1001 {
        let found = view.previous(b"hot", revision).map(|pair| (pair.version, pair.value.len()));
        assert_eq!(found, Some((revision - 1, revision as usize - 2)));
    }
    assert_eq!(view.previous(b"hot", 299), None);
}

#[test]
fn a_step_of_compaction_looks_at_little() {
    let mut store = Store::new(StoreConfig::default());
    (0..30_000).for_each(|number| put(&mut store, &format!("key{}", number % 100), 100));
    store.apply(&Command::Compact(CompactionRequest { revision: store.revision(), physical: true })).expect("applies");
    let mut steps = 0;
    while store.compact_step(1) {
        steps += 1;
        // Writes and further compactions continue between the steps.
        put(&mut store, "other", 1);
    }
    assert!(steps >= 7, "{steps} steps for 30,000 records");
    assert_eq!(store.view().len(), 101);
}

/// Files of an older program are read by a newer one. A change of the format changes its version, and both are read.
#[test]
fn the_format_of_parts_is_pinned() {
    let mut store = Store::new(StoreConfig::default());
    store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 7 })).expect("a grant");
    put(&mut store, "key", 3);
    put(&mut store, "key", 4);
    delete_all(&mut store);
    let pinned = [0x3f5e_5a36_8c37_3715, 0x331b_4762_19e5_f053, 0x351a_f993_444b_2ab3, 0x25d9_b68d_83b6_86e7];
    assert_eq!(numbers(&store), pinned);
}

//! A store becomes a history, and a history a store that no client can tell from the first.

use crate::maker::Maker;
use volvox_core::Rng;
use volvox_store::*;

fn copy_of(store: &Store) -> Store {
    let view = store.view();
    let mut builder = HistoryBuilder::new(StoreConfig::default(), view.compacted()).expect("a compaction point");
    view.leases().for_each(|lease| builder.lease(lease).expect("a lease"));
    view.alarms().for_each(|alarm| builder.alarm(alarm));
    view.history().for_each(|change| builder.change(&change).expect("a change"));
    builder.finish(view.revision()).expect("a store")
}

#[test]
fn a_copy_cannot_be_told_from_its_original() {
    for seed in 0..60 {
        let mut maker = Maker { rng: Rng::new(seed), keys: 1 + seed % 12, value_bytes: 40 };
        let mut store = Store::new(StoreConfig::default());
        for _ in 0..seed * 10 {
            let _ = store.apply(&maker.command(store.revision(), store.compacted()));
            if maker.rng.below(10) == 0 {
                store.compact_step(1);
            }
        }
        store.take_events();
        let mut copy = copy_of(&store);
        // Changes that were applied to both since are the same as well: links between versions are as the store makes them.
        for round in 0..3 {
            assert_eq!(copy.revision(), store.revision(), "seed {seed}, round {round}");
            assert_eq!(copy.state().hash_kv(0), store.state().hash_kv(0), "seed {seed}, round {round}");
            let (ours, theirs) = (copy.view(), store.view());
            assert_eq!(ours.len(), theirs.len());
            assert!(ours.leases().eq(theirs.leases()) && ours.alarms().eq(theirs.alarms()), "seed {seed}");
            theirs.leases().for_each(|lease| assert_eq!(ours.lease_keys(lease.id), theirs.lease_keys(lease.id)));
            assert!(ours.changes(1, usize::MAX).eq(theirs.changes(1, usize::MAX)), "seed {seed}");
            for _ in 0..200 {
                let request = maker.range(store.revision(), store.compacted());
                assert_eq!(ours.range(&request), theirs.range(&request), "seed {seed}: {request:?}");
            }
            for _ in 0..40 {
                let command = maker.command(store.revision(), store.compacted());
                assert_eq!(copy.apply(&command), store.apply(&command), "seed {seed}: {command}");
                assert_eq!(copy.take_events(), store.take_events());
            }
        }
    }
}

#[test]
fn a_copy_survives_its_checkpoint() {
    let mut builder = HistoryBuilder::new(StoreConfig::default(), 9_000_000_000).unwrap();
    builder.change(&put(b"a", 5, 0, (5, 1))).unwrap();
    // Further apart than a segment spans, twice.
    builder.change(&put(b"b", 5_000_000_000, 0, (3, 7))).unwrap();
    builder.change(&tombstone(b"c", 8_000_000_000)).unwrap();
    let store = builder.finish(9_000_000_000).unwrap();
    let mut restore = Store::restore(StoreConfig::default());
    store.view().checkpoint().for_each(|part| restore.part(&part.to_part()).expect("a part"));
    let mut again = restore.finish().expect("a store");
    assert_eq!((again.revision(), again.compacted(), again.state().len()), (9_000_000_000, 9_000_000_000, 2));
    assert_eq!(again.state().hash_kv(0), store.state().hash_kv(0));
    let b = again.state().get(b"b").expect("it is alive");
    assert_eq!((b.create_revision, b.mod_revision, b.version), (3, 5_000_000_000, 7));
    again.apply(&Command::Put(PutRequest { key: "b".into(), ..PutRequest::default() })).unwrap();
    assert_eq!(again.state().get(b"b").map(|pair| (pair.create_revision, pair.version)), Some((3, 8)));
}

fn put(key: &'static [u8], mod_revision: i64, lease: i64, life: (i64, i64)) -> HistoryChange<'static> {
    let (create_revision, version) = life;
    let pair = PairRef { key, create_revision, mod_revision, version, value: b"v", lease };
    HistoryChange { sub_revision: 0, tombstone: false, pair }
}

fn tombstone(key: &'static [u8], mod_revision: i64) -> HistoryChange<'static> {
    HistoryChange { tombstone: true, ..put(key, mod_revision, 0, (0, 0)) }
}

/// The error of the last of the changes, after a compaction at 10.
fn refusal(changes: &[HistoryChange<'static>]) -> HistoryError {
    let mut builder = HistoryBuilder::new(StoreConfig::default(), 10).unwrap();
    let (last, rest) = changes.split_last().expect("a change");
    rest.iter().for_each(|change| builder.change(change).expect("a sound change"));
    builder.change(last).expect_err("it cannot follow")
}

#[test]
fn a_change_continues_the_life_of_its_key() {
    use HistoryError::{Life, Order};
    let born = put(b"k", 11, 0, (11, 1));
    assert_eq!(refusal(&[put(b"k", 0, 0, (0, 1))]), Order(0));
    assert_eq!(refusal(&[born, put(b"l", 11, 0, (11, 1))]), Order(11));
    assert_eq!(refusal(&[born, put(b"l", 9, 0, (9, 1))]), Order(9));
    assert_eq!(refusal(&[put(b"", 11, 0, (11, 1))]), Life(11));
    assert_eq!(refusal(&[put(b"k", 11, 0, (4, 1))]), Life(11));
    assert_eq!(refusal(&[put(b"k", 12, 0, (11, 2))]), Life(12), "its birth would be behind the compaction point");
    assert_eq!(refusal(&[put(b"k", 12, 0, (0, 2))]), Life(12));
    assert_eq!(refusal(&[born, put(b"k", 12, 0, (11, 3))]), Life(12));
    assert_eq!(refusal(&[born, put(b"k", 12, 0, (12, 1))]), Life(12), "it was not deleted");
    assert_eq!(refusal(&[tombstone(b"k", 12)]), Life(12), "it was not born");
    assert_eq!(refusal(&[born, tombstone(b"k", 12), put(b"k", 13, 0, (11, 2))]), Life(13));
    assert_eq!(refusal(&[born, tombstone(b"k", 12), tombstone(b"k", 13)]), Life(13));
}

#[test]
fn leases_and_bounds_are_checked() {
    let builder = |compacted| HistoryBuilder::new(StoreConfig::default(), compacted);
    assert_eq!(builder(-2).unwrap_err(), HistoryError::Bounds(-2));
    assert_eq!(builder(i64::MAX).unwrap_err(), HistoryError::Bounds(i64::MAX));
    let lease = Lease { id: 7, granted_ttl: 60, remaining_ttl: 0 };
    let mut leased = builder(-1).unwrap();
    leased.lease(lease).unwrap();
    assert_eq!(leased.lease(lease).unwrap_err(), HistoryError::Lease(7));
    assert_eq!(leased.lease(Lease { id: 0, ..lease }).unwrap_err(), HistoryError::Lease(0));
    let mut orphan = builder(-1).unwrap();
    orphan.change(&put(b"k", 2, -9, (2, 1))).unwrap();
    let missing = HistoryError::NoLease { key: "k".into(), lease: -9 };
    assert_eq!(orphan.clone().finish(2).unwrap_err(), missing);
    // Only the newest version of a key counts.
    orphan.change(&put(b"k", 3, 0, (2, 2))).unwrap();
    for revision in [2, 4, -1, i64::MAX] {
        assert_eq!(orphan.clone().finish(revision).unwrap_err(), HistoryError::Bounds(revision));
    }
    assert_eq!(orphan.finish(3).unwrap().revision(), 3);
    assert_eq!(builder(-1).unwrap().finish(1).unwrap().revision(), 1);
    assert_eq!(builder(20).unwrap().finish(20).unwrap().revision(), 20);
    assert_eq!(builder(20).unwrap().finish(21).unwrap_err(), HistoryError::Bounds(21));
}

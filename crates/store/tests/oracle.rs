//! The store against a naive one: the same random commands, then the same queries, about the present and the past.

use crate::dumb::Oracle;
use crate::maker::Maker;
use std::collections::BTreeMap;
use volvox_core::{Bytes, Decode, Encode, Part, Rng, decode_all};
use volvox_store::*;

/// Every part that any store ever made, by number: a number always identifies the same bytes.
type Parts = BTreeMap<u64, Bytes>;

fn checkpoint(view: &View, known: &mut Parts) -> Vec<Part> {
    let parts: Vec<Part> = view.checkpoint().map(|part| part.to_part()).collect();
    for part in &parts {
        assert!(part.data.len() <= volvox_core::PART_BYTES_MAX && part.number <= PART_NUMBER_MAX);
        let before = known.entry(part.number).or_insert_with(|| part.data.clone());
        assert_eq!(*before, part.data, "part {} was restored with other content", part.number);
    }
    parts
}

/// The number of the last part before the end: what was appended last.
fn newest_part(store: &Store) -> Option<u64> {
    let numbers: Vec<u64> = store.view().checkpoint().map(|part| part.number()).collect();
    numbers.iter().rev().nth(1).copied()
}

fn restore(parts: &[Part]) -> Store {
    let mut restore = Store::restore(StoreConfig::default());
    for part in parts {
        restore.part(part).expect("a good part");
    }
    restore.finish().expect("a whole checkpoint")
}

fn check_answers(view: &View, oracle: &Oracle, maker: &mut Maker, context: &str) {
    assert_eq!((view.revision(), view.compacted()), (oracle.revision, oracle.compacted), "{context}");
    for _ in 0..12 {
        let request = maker.range(oracle.revision, oracle.compacted);
        assert_eq!(view.range(&request), oracle.range(&request, oracle.revision), "{context} {request:?}");
    }
    assert_eq!(
        view.leases().map(|lease| lease.id).collect::<Vec<_>>(),
        oracle.leases.keys().copied().collect::<Vec<_>>()
    );
    for id in 1..7 {
        assert_eq!(view.lease_keys(id), oracle.lease_keys(id), "{context} lease {id}");
    }
    check_history(view, oracle, maker, context);
    let txn = TxnRequest {
        success: vec![RequestOp::Range(maker.range(oracle.revision, oracle.compacted))],
        ..maker.txn(0, oracle.revision, oracle.compacted)
    };
    if checks::is_read_only(&txn) {
        let expected = oracle.clone().apply(&Command::Txn(txn.clone())).map(|reply| match reply {
            Reply::Txn(response) => response,
            other => panic!("{other:?}"),
        });
        assert_eq!(view.txn(&txn), expected, "{context} {txn:?}");
    }
}

fn check_history(view: &View, oracle: &Oracle, maker: &mut Maker, context: &str) {
    let oldest = oracle.compacted.max(1);
    let from = oldest + maker.rng.below((oracle.revision - oldest) as u64 + 2) as i64;
    let limit = 1 + maker.rng.below(50) as usize;
    let above = oracle.events.range(from.max(oracle.compacted + 1)..);
    let expected: Vec<Change> =
        above.map(|(revision, events)| Change { revision: *revision, events: events.clone() }).collect();
    let found: Vec<Change> =
        view.changes(from, usize::MAX).filter(|change| change.revision > oracle.compacted).collect();
    assert_eq!(found.len(), expected.len(), "{context} from {from}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.revision, found.events.len()), (expected.revision, expected.events.len()), "{context}");
        for (event, expected) in found.events.iter().zip(&expected.events) {
            assert_eq!((event.kind, &event.key_value), (expected.kind, &expected.key_value), "{context}");
            let previous = expected.previous.clone().filter(|_| expected.key_value.mod_revision > oracle.compacted);
            assert_eq!(view.previous_of(event), previous, "{context}");
        }
    }
    assert!(view.changes(from, limit).count() <= limit);
    check_compaction_point(view, oracle, context);
}

/// At the compaction point there is the last event of each key, a deletion included, and nothing before.
fn check_compaction_point(view: &View, oracle: &Oracle, context: &str) {
    let found: Vec<Event> = view.changes(oracle.compacted, 1).flat_map(|change| change.events).collect();
    let Some(events) = oracle.events.get(&oracle.compacted) else { return };
    let is_last = |at: usize| events[at + 1..].iter().all(|later| later.key_value.key != events[at].key_value.key);
    let expected = (0..events.len()).filter(|at| is_last(*at)).map(|at| &events[at].key_value);
    assert!(found.iter().map(|event| &event.key_value).eq(expected), "{context} {found:?} {events:?}");
    assert!(found.iter().all(|event| view.previous_of(event).is_none()), "{context}");
}

fn run(seed: u64, steps: usize, keys: u64, value_bytes: u64) {
    let mut maker = Maker { rng: Rng::new(seed), keys, value_bytes };
    let mut oracle = Oracle::new();
    // One member frees memory at once, the other at arbitrary times, and restarts occasionally.
    let (mut eager, mut lazy) = (Store::new(StoreConfig::default()), Store::new(StoreConfig::default()));
    let mut parts = Parts::new();
    let mut kept: Vec<(View, Oracle)> = Vec::new();
    for step in 0..steps {
        let context = format!("seed {seed} step {step}");
        let command = maker.command(oracle.revision, oracle.compacted);
        assert_eq!(decode_all::<Command>(&command.to_bytes()).as_ref(), Ok(&command), "{context}");
        let expected = oracle.apply(&command);
        assert_eq!(eager.apply(&command), expected, "{context} {command:?}");
        assert_eq!(lazy.apply(&command), expected, "{context} {command:?}");
        let events: Vec<Change> = eager.take_events();
        assert_eq!(lazy.take_events(), events, "{context}");
        for change in &events {
            assert_eq!(Some(&change.events), oracle.events.get(&change.revision), "{context}");
        }
        if !events.is_empty() {
            assert_eq!(newest_part(&eager), newest_part(&lazy), "{context}: records are the same bytes everywhere");
        }
        while eager.compact_step(usize::MAX) {}
        if maker.rng.below(10) == 0 {
            lazy.compact_step(1);
        }
        if step % 13 == 0 {
            check_answers(&eager.view(), &oracle, &mut maker, &context);
            check_answers(&lazy.view(), &oracle, &mut maker, &context);
            let at = oracle.compacted.max(1)
                + maker.rng.below((oracle.revision - oracle.compacted.max(1)) as u64 + 1) as i64;
            assert_eq!(eager.view().hash_kv(at), lazy.view().hash_kv(at), "{context}");
        }
        if step % 50 == 0 {
            kept.push((lazy.view(), oracle.clone()));
            checkpoint(&eager.view(), &mut parts);
            lazy = restore(&checkpoint(&lazy.view(), &mut parts));
            check_answers(&lazy.view(), &oracle, &mut maker, &context);
            assert_eq!(eager.view().hash_kv(0), lazy.view().hash_kv(0), "{context}");
        }
    }
    for (view, oracle) in &kept {
        check_answers(view, oracle, &mut maker, &format!("seed {seed} kept at {}", oracle.revision));
    }
    while lazy.compact_step(1) {}
    assert_eq!(eager.view().hash_kv(0), lazy.view().hash_kv(0), "seed {seed}");
}

#[test]
fn few_keys_with_long_histories() {
    for seed in 0..12 {
        run(seed, 600, 6, 50);
    }
}

#[test]
fn many_keys() {
    for seed in 100..108 {
        run(seed, 700, 400, 200);
    }
}

#[test]
fn large_values_fill_segments() {
    for seed in 200..204 {
        run(seed, 400, 30, 400_000);
    }
}

#[test]
fn an_unknown_version_is_refused() {
    let mut bytes = Command::LeaseExpire(vec![1]).to_bytes();
    bytes[0] = COMMAND_VERSION + 1;
    assert!(decode_all::<Command>(&bytes).is_err());
    assert!(Command::decode(&mut volvox_core::Reader::new(&[])).is_err());
}

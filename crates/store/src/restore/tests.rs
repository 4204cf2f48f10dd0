//! Parts with correct digests and numbers but false contents.

use super::*;
use crate::command::Command;
use crate::request::*;
use alloc::vec;
use volvox_core::{Encode, Rng};

fn command(rng: &mut Rng, revision: i64) -> Command {
    let key = Bytes::from(&[b'a' + rng.below(6) as u8]);
    match rng.below(10) {
        0 => Command::DeleteRange(DeleteRangeRequest { key, ..DeleteRangeRequest::default() }),
        1 => Command::LeaseGrant(LeaseGrantRequest { ttl: 9, id: 1 + rng.below(3) as i64 }),
        2 if rng.below(4) == 0 => {
            Command::Compact(CompactionRequest { revision: revision - rng.below(9) as i64, physical: false })
        }
        _ => Command::Put(PutRequest { key, lease: rng.below(3) as i64, ..PutRequest::default() }),
    }
}

fn parts_of(seed: u64) -> Vec<Part> {
    let mut rng = Rng::new(seed);
    let mut store = Store::new(StoreConfig::default());
    for _ in 0..150 {
        let command = command(&mut rng, store.revision());
        // Refusals belong to a life, too.
        let _ = store.apply(&command);
    }
    store.compact_step(1);
    store.view().checkpoint().map(|part| part.to_part()).collect()
}

/// The part with a changed content, sealed as if it were meant so.
fn resealed(part: &Part, change: impl FnOnce(&mut Vec<u8>)) -> Part {
    let mut input = Reader::new(&part.data);
    let header = Header::decode(&mut input).expect("a good part");
    let mut content = input.take(input.remaining()).expect("the rest").to_vec();
    change(&mut content);
    let header = Header { length: content.len() as u64, digest: digest(&content), ..header };
    let mut data = header.to_bytes();
    data.extend_from_slice(&content);
    Part { number: header.number(), data: Bytes::from(data) }
}

/// The parts with the end that they would have had.
fn ended(parts: &[Part]) -> Vec<Part> {
    let (end, rest) = parts.split_last().expect("an end");
    let hash = rest.iter().fold(0, |hash, part| chain(hash, part.number));
    let end = resealed(end, |content| *content = hash.to_bytes());
    rest.iter().cloned().chain([end]).collect()
}

fn restored(parts: &[Part]) -> Result<Store, RestoreError> {
    let mut restore = Store::restore(StoreConfig::default());
    for part in parts {
        restore.part(part)?;
    }
    restore.finish()
}

/// Accepted contents must not crash the store later.
fn live_with(mut store: Store, rng: &mut Rng) {
    for round in 0..40 {
        let command = command(rng, store.revision());
        let _ = store.apply(&command);
        let view = store.view();
        let request = RangeRequest {
            key: Bytes::from(&[0]),
            range_end: Bytes::from(&[0]),
            revision: view.compacted().max(0) + round % 9,
            ..RangeRequest::default()
        };
        let _ = view.range(&request);
        assert!(view.hash_kv(0).is_ok());
        for change in view.changes(1, 100) {
            for event in &change.events {
                let _ = view.previous_of(event);
            }
        }
        let _ = store.apply(&Command::LeaseExpire(vec![round % 4]));
        store.compact_step(1);
    }
}

#[test]
fn lies_are_refused_or_lived_with() {
    let (mut refused, mut believed) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut parts = parts_of(seed % 20);
        let at = rng.below(parts.len() as u64 - 1) as usize;
        parts[at] = resealed(&parts[at], |content| {
            for _ in 0..1 + rng.below(2) {
                let place = rng.below(content.len() as u64) as usize;
                match rng.below(4) {
                    0 => content[place] = rng.next_u64() as u8,
                    1 => content[place] = content[place].wrapping_add(1),
                    2 => content.insert(place, rng.next_u64() as u8),
                    _ => content.truncate(place + 1),
                }
            }
        });
        match restored(&ended(&parts)) {
            Ok(store) => {
                believed += 1;
                live_with(store, &mut rng);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100 && believed > 10, "{refused} refused, {believed} believed");
}

#[test]
fn damage_is_seen() {
    let parts = parts_of(3);
    let mut rng = Rng::new(7);
    for _ in 0..300 {
        let mut damaged = parts.clone();
        let at = rng.below(parts.len() as u64) as usize;
        let mut data = damaged[at].data.to_vec();
        let place = rng.below(data.len() as u64) as usize;
        data[place] ^= 1 << rng.below(8);
        damaged[at].data = Bytes::from(data);
        assert!(restored(&damaged).is_err(), "part {at}, byte {place}");
    }
}

#[test]
fn missing_and_swapped_parts_are_seen() {
    let parts = parts_of(5);
    assert!(restored(&parts).is_ok() && parts.len() >= 3);
    for at in 0..parts.len() {
        let mut fewer = parts.clone();
        fewer.remove(at);
        assert!(restored(&fewer).is_err(), "without part {at}");
        let mut doubled = parts.clone();
        doubled.insert(at, parts[at].clone());
        assert!(restored(&doubled).is_err(), "part {at} twice");
        if at > 0 {
            let mut swapped = parts.clone();
            swapped.swap(at - 1, at);
            assert!(restored(&swapped).is_err(), "parts {} and {at} swapped", at - 1);
        }
    }
}

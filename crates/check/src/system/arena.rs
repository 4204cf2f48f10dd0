//! Values kept once each, and named by a number (hash-consing).
//!
//! A global state is then a short list of numbers, and the result of a handler for a node state and an input is
//! computed once. The numbers depend on the order of threads; code that must not depend on that uses the fingerprints.

use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use volvox_core::StableHasher;

#[allow(clippy::disallowed_types, reason = "looked up and never iterated: its order has no effect")]
type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<StableHasher>>;

const SHARDS: usize = 64;
const FIRST_CHUNK_BITS: u32 = 5;
const CHUNKS: usize = 27;

/// An append-only store: references stay good, and reading takes no lock.
pub struct Arena<T> {
    index: Vec<Mutex<Map<u128, u32>>>,
    /// Chunk k holds 32 * 2^k items.
    chunks: Vec<OnceLock<Chunk<T>>>,
    count: AtomicU32,
    /// The size of the chunks, and the reported memory of the items elsewhere.
    bytes: AtomicU64,
}

/// The estimated size of the index per item: an entry and the empty slots beside it.
const INDEX_BYTES: u64 = 56;

type Chunk<T> = Box<[OnceLock<Item<T>>]>;

struct Item<T> {
    fingerprint: u128,
    value: T,
}

impl<T> Arena<T> {
    pub fn new() -> Arena<T> {
        Arena {
            index: (0..SHARDS).map(|_| Mutex::default()).collect(),
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            count: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// All values so far, with their numbers. While other threads add to it, incomplete values are missing.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let count = self.count.load(Ordering::Acquire);
        (0..count).filter_map(|id| {
            let (chunk, place) = place_of(id);
            Some((id, &self.chunks[chunk].get()?[place].get()?.value))
        })
    }

    /// Adds to the estimated memory of the values elsewhere.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The estimated memory of the arena.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed) + u64::from(self.count.load(Ordering::Relaxed)) * INDEX_BYTES
    }

    /// The number of the value with this fingerprint, which `make` creates if it is new.
    pub fn intern(&self, fingerprint: u128, make: impl FnOnce() -> T) -> u32 {
        let mut index = lock(&self.index[(fingerprint >> 64) as usize % SHARDS]);
        if let Some(id) = index.get(&fingerprint) {
            return *id;
        }
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        let (chunk, place) = place_of(id);
        let items = self.chunks[chunk].get_or_init(|| {
            let count = 1usize << (chunk as u32 + FIRST_CHUNK_BITS);
            self.add_bytes((count * size_of::<OnceLock<Item<T>>>()) as u64);
            (0..count).map(|_| OnceLock::new()).collect()
        });
        let is_first = items[place].set(Item { fingerprint, value: make() }).is_ok();
        assert!(is_first, "a number is given once");
        index.insert(fingerprint, id);
        id
    }

    pub fn get(&self, id: u32) -> &T {
        &self.item(id).value
    }

    pub fn fingerprint(&self, id: u32) -> u128 {
        self.item(id).fingerprint
    }

    fn item(&self, id: u32) -> &Item<T> {
        let (chunk, place) = place_of(id);
        self.chunks[chunk].get().and_then(|items| items[place].get()).expect("a number that was given")
    }
}

fn place_of(id: u32) -> (usize, usize) {
    let shifted = u64::from(id) + (1 << FIRST_CHUNK_BITS);
    let top = shifted.ilog2();
    ((top - FIRST_CHUNK_BITS) as usize, (shifted - (1 << top)) as usize)
}

/// Numbers that are computed once for each pair of numbers.
pub struct Memo {
    shards: Vec<Mutex<Map<u64, u32>>>,
}

impl Memo {
    pub fn new() -> Memo {
        Memo { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The result for `key`. It is computed outside the lock: two threads may both do so, with the same result.
    pub fn get_or(&self, key: (u32, u32), compute: impl FnOnce() -> u32) -> u32 {
        let shard = &self.shards[(key.0 ^ key.1.wrapping_mul(31)) as usize % SHARDS];
        let key = u64::from(key.0) << 32 | u64::from(key.1);
        if let Some(value) = lock(shard).get(&key) {
            return *value;
        }
        let value = compute();
        *lock(shard).entry(key).or_insert(value)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_core::fingerprint_of;

    #[test]
    fn equal_values_have_one_number_and_stay_where_they_are() {
        let arena = Arena::new();
        let first = arena.intern(fingerprint_of(&0), || 0u32);
        let kept = arena.get(first);
        for value in 0..1_000u32 {
            let id = arena.intern(fingerprint_of(&value), || value);
            assert_eq!(id, arena.intern(fingerprint_of(&value), || unreachable!("it is known")));
            assert_eq!((*arena.get(id), arena.fingerprint(id)), (value, fingerprint_of(&value)));
        }
        assert_eq!((*kept, arena.count.load(Ordering::Relaxed)), (0, 1_000));
    }
}

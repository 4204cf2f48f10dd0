//! The states that were seen: a sharded hash table of fingerprints.
//!
//! A slot is 16 bytes: 64 bits of the fingerprint, and a link of 64 bits with the depth of the state and its
//! predecessor. The shard is chosen by eight further bits of the fingerprint, so two states are confused only when 72
//! bits agree. A shard is locked for one insertion, and grows alone.
//!
//! The link begins with the depth, so the least link is the shallowest, and among those of one depth the one whose parent
//! has the least fingerprint. [`Seen::insert`] keeps the least: so the order of threads has no effect, and a
//! counterexample is the same in every run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// The bits of a fingerprint that are compared.
pub const COMPARED_BITS: u32 = 64 + SHARD_BITS;

/// The greatest depth that a link can hold.
pub const DEPTH_MAX: u32 = (1 << (64 - HINT_BITS)) - 1;

const SHARD_BITS: u32 = 8;
const KEY_HINT_BITS: u32 = 36;
const HINT_BITS: u32 = SHARD_BITS + KEY_HINT_BITS;
const SLOTS_MIN: usize = 64;

/// The part of a fingerprint that suffices to find its slot again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hint(u64);

impl Hint {
    /// The parent of an initial state.
    pub const NONE: Hint = Hint(0);

    /// The hint of a fingerprint.
    pub fn of(fingerprint: u128) -> Hint {
        let (shard, key) = split(fingerprint);
        Hint(((shard as u64) << KEY_HINT_BITS) | (key & low_mask(KEY_HINT_BITS)))
    }
}

/// The table.
pub struct Seen {
    shards: Vec<Mutex<Shard>>,
    slots: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    len: usize,
}

/// Key 0 is an empty slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    link: u64,
}

impl Seen {
    /// An empty table.
    pub fn new() -> Seen {
        Seen { shards: (0..1 << SHARD_BITS).map(|_| Mutex::default()).collect(), slots: AtomicUsize::new(0) }
    }

    /// Inserts a state; returns whether it is new. Its link becomes the least of those given.
    pub fn insert(&self, fingerprint: u128, depth: u32, parent: Hint) -> bool {
        let (shard, key) = split(fingerprint);
        let link = (u64::from(depth.min(DEPTH_MAX)) << HINT_BITS) | parent.0;
        self.shard(shard).insert(key, link, &self.slots)
    }

    /// The depth of a state, and its predecessor.
    pub fn link_of(&self, hint: Hint) -> Option<(u32, Hint)> {
        let shard = self.shard((hint.0 >> KEY_HINT_BITS) as usize);
        let wanted = hint.0 & low_mask(KEY_HINT_BITS);
        let mask = shard.slots.len().checked_sub(1)?;
        let mut place = wanted as usize & mask;
        loop {
            let slot = shard.slots[place];
            if slot.key == 0 {
                return None;
            }
            if slot.key & low_mask(KEY_HINT_BITS) == wanted {
                return Some(((slot.link >> HINT_BITS) as u32, Hint(slot.link & low_mask(HINT_BITS))));
            }
            place = (place + 1) & mask;
        }
    }

    /// The size of the slots in bytes.
    pub fn bytes(&self) -> usize {
        self.slots.load(Ordering::Relaxed) * size_of::<Slot>()
    }

    fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        // A thread that panicked inside ends the run when it is joined: its remains are never read.
        self.shards[shard].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Shard {
    /// `all` counts the slots of all shards.
    fn insert(&mut self, key: u64, link: u64, all: &AtomicUsize) -> bool {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            let before = self.slots.len();
            self.grow();
            all.fetch_add(self.slots.len() - before, Ordering::Relaxed);
        }
        let mask = self.slots.len() - 1;
        let mut place = key as usize & mask;
        loop {
            let slot = &mut self.slots[place];
            if slot.key == key {
                slot.link = slot.link.min(link);
                return false;
            }
            if slot.key == 0 {
                *slot = Slot { key, link };
                self.len += 1;
                return true;
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let slots = vec![Slot::default(); (self.slots.len() * 2).max(SLOTS_MIN)];
        let mask = slots.len() - 1;
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.key != 0 {
                let mut place = slot.key as usize & mask;
                while self.slots[place].key != 0 {
                    place = (place + 1) & mask;
                }
                self.slots[place] = slot;
            }
        }
    }
}

/// The shard and the key of a fingerprint.
fn split(fingerprint: u128) -> (usize, u64) {
    let shard = (fingerprint >> (128 - SHARD_BITS)) as usize;
    (shard, (fingerprint as u64).max(1))
}

const fn low_mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use volvox_core::fingerprint_of;

    #[test]
    fn what_was_inserted_is_found_with_its_least_link() {
        let seen = Seen::new();
        for number in 0..20_000u32 {
            let fingerprint = fingerprint_of(&number);
            assert!(seen.insert(fingerprint, 7, Hint::of(fingerprint_of(&(number + 1)))));
        }
        for number in 0..20_000u32 {
            let fingerprint = fingerprint_of(&number);
            assert!(!seen.insert(fingerprint, 3 + number % 2, Hint::of(1)));
            assert!(!seen.insert(fingerprint, 9, Hint::NONE));
            assert_eq!(seen.link_of(Hint::of(fingerprint)), Some((3 + number % 2, Hint::of(1))));
        }
        assert_eq!(seen.link_of(Hint::of(fingerprint_of("another"))), None);
        assert!(seen.bytes() >= 20_000 * 16);
    }

    #[test]
    fn the_fingerprint_zero_is_a_state_like_others() {
        let seen = Seen::new();
        assert!(seen.insert(0, 1, Hint::NONE));
        assert!(!seen.insert(0, 1, Hint::NONE));
        assert_eq!(seen.link_of(Hint::of(0)), Some((1, Hint::NONE)));
    }
}

//! A hash that is the same in every run, on every machine of one word size.
//!
//! `core::hash::Hasher` over 64 x 64 -> 128 bit folded multiplication (the construction of wyhash). It is meant for
//! hash chains and state fingerprints, never against an adversary.

use core::hash::{Hash, Hasher};

const K0: u64 = 0x2d35_8dcc_aa6c_78a5;
const K1: u64 = 0x8bb8_4b93_962e_acc9;

/// A deterministic hasher with a 64-bit result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StableHasher(u64);

impl StableHasher {
    /// Starts from a seed; two seeds give independent hashes.
    pub const fn new(seed: u64) -> StableHasher {
        StableHasher(seed ^ K1)
    }
}

impl Default for StableHasher {
    fn default() -> StableHasher {
        StableHasher::new(0)
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        fold(self.0 ^ K0, K1)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0u8; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.write_u64(u64::from_le_bytes(last) ^ ((rest.len() as u64) << 59));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0 ^ value, K0).wrapping_add(K1);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

/// The 128-bit fingerprint of a value.
pub fn fingerprint_of<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut low = StableHasher::new(0);
    let mut high = StableHasher::new(0x5851_f42d_4c95_7f2d);
    value.hash(&mut low);
    value.hash(&mut high);
    (u128::from(high.finish()) << 64) | u128::from(low.finish())
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_and_repeat() {
        assert_eq!(fingerprint_of(&(1u64, "a")), fingerprint_of(&(1u64, "a")));
        assert_ne!(fingerprint_of(&(1u64, "a")), fingerprint_of(&(2u64, "a")));
        assert_ne!(fingerprint_of(&[0u8; 3]), fingerprint_of(&[0u8; 4]));
    }
}

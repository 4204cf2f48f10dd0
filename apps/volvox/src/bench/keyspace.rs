//! The keys and values of a measurement: prepared in advance, so that generating load is cheap.

use bytes::Bytes;

/// The prefix of all keys; with ten digits after it a key has 16 bytes.
pub const PREFIX: &[u8] = b"bench/";
/// The first key behind all keys.
pub const PREFIX_END: &[u8] = b"bench0";
const DIGITS: usize = 10;
const KEY_BYTES: usize = PREFIX.len() + DIGITS;
/// Values are slices at random offsets of this many random bytes, so that they differ.
const NOISE_BYTES: usize = 4096;

/// `count` keys, and noise for values.
pub struct Keyspace {
    count: u64,
    value_bytes: usize,
    noise: Bytes,
}

impl Keyspace {
    /// Keys number 0 to `count` - 1, values of `value_bytes`.
    pub fn new(count: u64, value_bytes: usize) -> Keyspace {
        let mut random = fastrand::Rng::with_seed(1);
        let mut noise = vec![0; value_bytes + NOISE_BYTES];
        random.fill(&mut noise);
        Keyspace { count, value_bytes, noise: Bytes::from(noise) }
    }

    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long a value is.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// The key of a number.
    pub fn key(&self, number: u64) -> Bytes {
        let mut key = [b'0'; KEY_BYTES];
        key[..PREFIX.len()].copy_from_slice(PREFIX);
        let mut rest = number;
        for digit in key[PREFIX.len()..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Bytes::copy_from_slice(&key)
    }

    /// Any of the keys.
    pub fn random_key(&self, random: &mut fastrand::Rng) -> Bytes {
        self.key(random.u64(0..self.count))
    }

    /// Some value: a slice, nothing is copied.
    pub fn value(&self, random: &mut fastrand::Rng) -> Bytes {
        let start = random.usize(0..NOISE_BYTES);
        self.noise.slice(start..start + self.value_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sixteen_bytes_in_the_order_of_their_numbers() {
        let keyspace = Keyspace::new(1000, 256);
        assert_eq!(keyspace.key(42), &b"bench/0000000042"[..]);
        assert_eq!(keyspace.key(9_999_999_999), &b"bench/9999999999"[..]);
        assert!(keyspace.key(99) < keyspace.key(100));
        assert!(&keyspace.key(9_999_999_999)[..] < PREFIX_END);
    }

    #[test]
    fn values_are_as_long_as_wanted_and_differ() {
        let keyspace = Keyspace::new(1, 256);
        let mut random = fastrand::Rng::with_seed(3);
        let (one, other) = (keyspace.value(&mut random), keyspace.value(&mut random));
        assert_eq!((one.len(), other.len()), (256, 256));
        assert_ne!(one, other);
    }
}

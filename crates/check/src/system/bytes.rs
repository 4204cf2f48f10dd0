//! How much memory a value takes outside of itself, as an estimate.

use std::hash::{Hash, Hasher};

/// What allocators and the spare room of collections add, at a guess: a value takes twice what it says.
const ROOM: u64 = 2;

/// The bytes of what a value has on the heap. Only the value knows where it keeps what; but to be hashed it has to show
/// all of it, so what it shows is counted. That of itself is counted too, where there is any.
pub(super) fn heap_bytes<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut counting = Counting(0);
    value.hash(&mut counting);
    counting.0 * ROOM
}

/// Counts the bytes that are hashed.
struct Counting(u64);

impl Hasher for Counting {
    fn write(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_value_keeps_elsewhere_is_counted() {
        let keeps = vec![vec![0u64; 1_000]; 10];
        let bytes = heap_bytes(&keeps);
        assert!((80_000..200_000).contains(&bytes), "{bytes} bytes");
        assert!(heap_bytes(&7u8) < 10);
    }
}

//! An estimate of the memory that a value takes outside itself.

use std::hash::{Hash, Hasher};

/// An estimate of the overhead of allocators and spare capacity: a value takes twice its reported size.
const ROOM: u64 = 2;

/// The bytes of a value on the heap. Only the value knows its layout; but hashing visits all of it, so the hashed bytes
/// are counted, including those of the value itself.
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

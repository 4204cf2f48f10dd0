//! A 64-bit digest of the content of a checkpoint part: part of its number, and a check against damage.
//!
//! CRC-32C would do for damage, but 32 bits are few for a name, and without the instruction it costs a tenth of a put.
//! This takes 16 bytes per step by one wide multiplication (the construction of wyhash). It does not resist deliberate
//! collisions, and need not: a client cannot choose the rest of the name.

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const LEFT: u64 = 0xa076_1d64_78bd_642f;
const RIGHT: u64 = 0xe703_7ed1_a0b4_28db;

/// The digest of `bytes`. Pinned by a test: it is in the names of files.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let mut hash = (bytes.len() as u64).wrapping_mul(FACTOR);
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        hash = step(hash, word(&chunk[..8]), word(&chunk[8..]));
    }
    let mut last = [0; 16];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(step(hash, word(&last[..8]), word(&last[8..])))
}

/// The finaliser of SplitMix64, with an offset so that 0 moves.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(FACTOR);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Adding the second word, and not only multiplying by it, keeps a first word that meets `LEFT` from hiding it.
fn step(hash: u64, first: u64, second: u64) -> u64 {
    let product = u128::from(first ^ LEFT) * u128::from(second ^ RIGHT);
    let folded = (product as u64) ^ (product >> 64) as u64;
    (hash.rotate_left(23).wrapping_mul(FACTOR) ^ folded).wrapping_add(second)
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec;

    #[test]
    fn it_is_pinned() {
        assert_eq!(digest(b""), DIGEST_OF_NOTHING);
        assert_eq!(digest(b"the name of a file on a disk"), DIGEST_OF_A_TEXT);
    }

    const DIGEST_OF_NOTHING: u64 = 0x48a7_1cc8_1d9a_f38c;
    const DIGEST_OF_A_TEXT: u64 = 0x4560_1562_a995_5699;

    #[test]
    fn every_bit_and_the_length_matter() {
        let mut seen = BTreeSet::new();
        for length in 0..70 {
            let mut bytes = vec![0; length];
            assert!(seen.insert(digest(&bytes)), "{length} zeros");
            for bit in 0..length * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(seen.insert(digest(&bytes)), "bit {bit} of {length} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        // A first word that makes the product 0.
        let mut bytes = vec![0; 48];
        bytes[16..24].copy_from_slice(&LEFT.to_le_bytes());
        for bit in 0..48 * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(digest(&bytes)), "bit {bit} beside the constant");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

//! The numbers of the format, and the limits of this reader.

/// The first number of a meta page's content.
pub(crate) const MAGIC: u32 = 0xed0c_daed;
/// The only version of the format.
pub(crate) const VERSION: u32 = 2;

/// The bytes of a page before its content.
pub(crate) const HEADER_BYTES: usize = 16;
/// The bytes of an entry in a leaf or branch page, without its key and value.
pub(crate) const ENTRY_BYTES: usize = 16;
/// The bytes of a meta page's content.
pub(crate) const META_BYTES: usize = 64;
/// The bytes of a bucket's value before an inline page.
pub(crate) const BUCKET_BYTES: usize = 16;

pub(crate) const BRANCH: u16 = 0x01;
pub(crate) const LEAF: u16 = 0x02;
pub(crate) const META: u16 = 0x04;
pub(crate) const FREELIST: u16 = 0x10;

/// An entry of a leaf page that is a bucket.
pub(crate) const IS_BUCKET: u32 = 1;

/// The page size that the writer uses, and etcd on most machines.
pub const PAGE_BYTES: usize = 4096;
/// The page sizes that the reader accepts, which are powers of two.
pub(crate) const PAGE_BYTES_MIN: usize = 1024;
pub(crate) const PAGE_BYTES_MAX: usize = 16 << 20;

/// The longest key, as in bbolt.
pub const KEY_BYTES_MAX: usize = 32_768;
/// The longest value, as in bbolt.
pub const VALUE_BYTES_MAX: usize = (1 << 31) - 2;
/// The most bytes of one page with its overflow: the reader holds one such page per level.
pub const RUN_BYTES_MAX: u64 = 256 << 20;
/// The most branch pages above a leaf. With two entries per page, this is already more pages than a file can have.
pub const DEPTH_MAX: usize = 32;
/// The most buckets around a bucket.
pub const NESTING_MAX: usize = 16;

/// FNV-1a, 64 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The little-endian number at `at`, which must lie inside.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

/// As [`u16_at`].
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// As [`u16_at`].
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::fnv;

    #[test]
    fn known_answers() {
        // Fowler and others 2012, appendix C.
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

//! A bucket: a tree of pages of its own, or one small page inside its entry.

use crate::format::{BUCKET_BYTES, HEADER_BYTES, u64_at};

/// A bucket of a database, by its place in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    pub(crate) place: Place,
    /// A number that programs may count up; etcd does not.
    pub sequence: u64,
    /// How many buckets enclose it; 0 is the root.
    pub(crate) nesting: usize,
    /// The page that its entry is in, to be named in errors.
    pub(crate) named_in: u64,
}

/// The pages of a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// The number of the page at the root of the tree.
    Page(u64),
    /// A leaf page, which is the rest of the entry.
    Inline(Vec<u8>),
}

impl Bucket {
    /// The bucket in the value of an entry; `None` when it is none.
    pub(crate) fn parse(value: &[u8], nesting: usize, named_in: u64) -> Option<Bucket> {
        if value.len() < BUCKET_BYTES {
            return None;
        }
        let (root, sequence) = (u64_at(value, 0), u64_at(value, 8));
        let rest = &value[BUCKET_BYTES..];
        let place = match root {
            0 if rest.len() >= HEADER_BYTES => Place::Inline(rest.to_vec()),
            0 => return None,
            page => Place::Page(page),
        };
        Some(Bucket { place, sequence, nesting, named_in })
    }
}

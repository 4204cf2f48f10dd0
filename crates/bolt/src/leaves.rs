//! A leaf page under construction.

use crate::format::{ENTRY_BYTES, HEADER_BYTES, IS_BUCKET, LEAF};
use crate::page::header;

/// The entries of a page that is not full yet.
#[derive(Default)]
pub(crate) struct Leaf {
    entries: Vec<Entry>,
    /// Keys and values, one behind the other.
    data: Vec<u8>,
    has_buckets: bool,
}

struct Entry {
    flags: u32,
    key: usize,
    value: usize,
}

impl Leaf {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn has_buckets(&self) -> bool {
        self.has_buckets
    }

    /// The bytes of the page.
    pub fn byte_length(&self) -> usize {
        HEADER_BYTES + self.entries.len() * ENTRY_BYTES + self.data.len()
    }

    /// The bytes of the page with one more entry.
    pub fn byte_length_with(&self, key: &[u8], value: &[u8]) -> usize {
        self.byte_length() + ENTRY_BYTES + key.len() + value.len()
    }

    pub fn push(&mut self, key: &[u8], value: &[u8], is_bucket: bool) {
        let flags = if is_bucket { IS_BUCKET } else { 0 };
        self.entries.push(Entry { flags, key: key.len(), value: value.len() });
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
        self.has_buckets |= is_bucket;
    }

    /// The key of the first entry.
    pub fn first_key(&self) -> Option<&[u8]> {
        self.entries.first().map(|entry| &self.data[..entry.key])
    }

    /// The page, without padding.
    pub fn to_page(&self, number: u64, overflow: u32) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.byte_length());
        page.extend_from_slice(&header(number, LEAF, self.entries.len() as u16, overflow));
        let mut position = self.entries.len() * ENTRY_BYTES;
        for entry in &self.entries {
            for word in [entry.flags, position as u32, entry.key as u32, entry.value as u32] {
                page.extend_from_slice(&word.to_le_bytes());
            }
            position += entry.key + entry.value;
            position -= ENTRY_BYTES;
        }
        page.extend_from_slice(&self.data);
        page
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.data.clear();
    }
}

//! A batch in the form in which the log writes it.

use crate::format::BATCH_HEADER;

/// Records, collected in the form in which a log writes them. The log fills in the header, and copies nothing.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Space for the header, then each record behind its length.
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: u32,
    /// The length of the largest record.
    pub(crate) largest: usize,
}

impl Batch {
    /// A batch without records.
    pub fn new() -> Batch {
        Batch { bytes: vec![0; BATCH_HEADER], count: 0, largest: 0 }
    }

    /// Adds a record, which `encode` appends to the buffer; returns by how much the batch grew.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        encode(&mut self.bytes);
        let length = self.bytes.len() - start - 4;
        // A length beyond 4 GiB is cut here, and the batch refused when it is appended.
        self.bytes[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
        self.count += 1;
        self.largest = self.largest.max(length);
        length + 4
    }

    /// The number of records.
    pub fn count(&self) -> u64 {
        u64::from(self.count)
    }

    /// The bytes of all records, with their lengths.
    pub fn bytes(&self) -> usize {
        self.bytes.len() - BATCH_HEADER
    }

    /// The size of its buffer.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes all records, and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.truncate(BATCH_HEADER);
        self.count = 0;
        self.largest = 0;
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

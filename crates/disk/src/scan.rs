//! Reading segments back: it finds the batches, their order, and the positions that are proven durable.

use crate::format::{BATCH_HEADER, BatchHeader, Decoded, SECTOR, body_checksum, record_ranges};
use crate::log::SEGMENT_BYTES_MIN;
use volvox_core::{Bytes, Position};

/// A batch header that verifies, at any place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Its offset in the segment.
    pub offset: u64,
    /// The header.
    pub header: BatchHeader,
}

impl Found {
    /// The end of the batch.
    pub fn end(&self) -> u64 {
        self.offset + self.header.padded()
    }
}

/// A newer program wrote a batch; this is its version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NewerBatch(pub u32);

/// The log as far as it was read, segment by segment in ascending order.
#[derive(Debug)]
pub(crate) struct Chain {
    nonce: u64,
    /// Every position up to this one is in the checkpoint or verified.
    pub verified: Position,
    /// The highest position that any batch or manifest proves durable.
    pub proven: Position,
    /// The first segment whose file is shorter than it was.
    pub cut_short: Option<u64>,
    /// The highest sequence number of a manifest that any batch names.
    pub manifest: u64,
    /// The recovered records.
    pub records: Vec<(Position, Bytes)>,
    /// The batches that follow one another.
    pub linked: Vec<Found>,
    /// Headers of batches that do not: their body is damaged, or there is a gap before them.
    pub stray: Vec<Found>,
    broken: bool,
}

impl Chain {
    /// A chain that continues where a checkpoint ends.
    pub fn new(nonce: u64, covers: Position) -> Chain {
        Chain {
            nonce,
            verified: covers,
            proven: covers,
            cut_short: None,
            manifest: 0,
            records: Vec::new(),
            linked: Vec::new(),
            stray: Vec::new(),
            broken: false,
        }
    }

    /// Reads one segment. Whole batches are stepped over; everywhere else a header may begin at any sector, so a
    /// damaged batch does not hide those behind it. Because of the nonce, data stored by clients cannot pass for a
    /// header.
    pub fn read(&mut self, segment: u64, bytes: &[u8]) -> Result<(), NewerBatch> {
        let mut offset = 0;
        let mut length = SEGMENT_BYTES_MIN;
        while offset + SECTOR <= bytes.len() {
            let header = match BatchHeader::decode(&bytes[offset..offset + SECTOR], self.nonce, segment) {
                Decoded::Valid(header) => header,
                Decoded::Newer(version) => return Err(NewerBatch(version)),
                Decoded::Damaged => {
                    offset += SECTOR;
                    continue;
                }
            };
            self.proven = self.proven.max(header.synced_through);
            self.manifest = self.manifest.max(header.manifest);
            length = length.max(header.segment_bytes);
            let found = Found { offset: offset as u64, header };
            match whole_body(&bytes[offset..], &header) {
                Some(body) => {
                    self.link(found, body);
                    offset = (found.end() as usize).max(offset + SECTOR);
                }
                None => {
                    self.stray.push(found);
                    offset += SECTOR;
                }
            }
        }
        if (bytes.len() as u64) < length {
            self.cut_short.get_or_insert(segment);
        }
        Ok(())
    }

    /// Takes a whole batch, if it continues the chain. Once there is a gap nothing continues: what lies behind it is
    /// either proven, and then the gap is a loss, or it was never acknowledged.
    fn link(&mut self, found: Found, body: &[u8]) {
        let header = found.header;
        let ranges = record_ranges(body, header.count);
        let (Some(ranges), false, true) = (ranges, self.broken, header.first <= self.verified.next()) else {
            self.broken |= header.first > self.verified.next();
            self.stray.push(found);
            return;
        };
        self.linked.push(found);
        if header.last() <= self.verified {
            return;
        }
        let shared = Bytes::from(body);
        for (index, range) in ranges.into_iter().enumerate() {
            let position = Position(header.first.0 + index as u64);
            if position > self.verified {
                self.records.push((position, shared.slice(range)));
            }
        }
        self.verified = header.last();
    }
}

/// The body of a batch that is whole.
pub(crate) fn whole_body<'a>(batch: &'a [u8], header: &BatchHeader) -> Option<&'a [u8]> {
    let body = batch.get(BATCH_HEADER..BATCH_HEADER + header.body_length as usize)?;
    (body_checksum(body) == header.body_crc).then_some(body)
}

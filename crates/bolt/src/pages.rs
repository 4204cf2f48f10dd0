//! The output of a writer, a page at a time.

use crate::error::WriteError;
use std::io::Write;

/// The pages at the front of a file: two meta pages and the list of free pages.
pub(crate) const HEAD_PAGES: u64 = 3;

/// The pages behind the head.
pub(crate) struct Pages<W> {
    output: W,
    page_bytes: usize,
    /// The number of the next page.
    next: u64,
}

impl<W: Write> Pages<W> {
    /// An output at the end of the head.
    pub fn new(output: W, page_bytes: usize) -> Pages<W> {
        Pages { output, page_bytes, next: HEAD_PAGES }
    }

    pub fn output_mut(&mut self) -> &mut W {
        &mut self.output
    }

    pub fn into_output(self) -> W {
        self.output
    }

    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// The number that the next page would have.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// Writes a page of a length, with its overflow; returns its number.
    pub fn write(&mut self, length: usize, page: impl FnOnce(u64, u32) -> Vec<u8>) -> Result<u64, WriteError> {
        let number = self.next;
        let pages = length.div_ceil(self.page_bytes);
        let mut bytes = page(number, (pages - 1) as u32);
        assert_eq!(bytes.len(), length, "a page is as long as it was measured");
        bytes.resize(pages * self.page_bytes, 0);
        self.output.write_all(&bytes)?;
        self.next += pages as u64;
        Ok(number)
    }
}

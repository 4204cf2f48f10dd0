//! A file as an array of pages.

use crate::error::{Error, Problem};
use crate::format::{HEADER_BYTES, RUN_BYTES_MAX};
use crate::meta::Meta;
use crate::page::{Page, number_and_overflow};
use std::io::{Read, Seek, SeekFrom};

/// The position of an input that failed: too far from any page for a relative step.
const UNKNOWN: u64 = u64::MAX;

/// The pages of a database in its newest state.
#[derive(Debug)]
pub(crate) struct PageFile<R> {
    input: R,
    /// Where the input stands.
    position: u64,
    pub meta: Meta,
}

impl<R: Read + Seek> PageFile<R> {
    pub fn open(mut input: R) -> Result<PageFile<R>, Error> {
        let length = input.seek(SeekFrom::End(0))?;
        let meta = Meta::choose(&mut input, length)?;
        let position = input.stream_position()?;
        Ok(PageFile { input, position, meta })
    }

    /// Reads the page of a number with its overflow; how many pages it takes.
    pub fn read(&mut self, number: u64) -> Result<(Page, u64), Error> {
        let wrong = |problem| Error::Page { page: number, problem };
        // Pages 0 and 1 are the meta pages.
        if number < 2 || number >= self.meta.pages {
            return Err(wrong(Problem::OutOfBounds));
        }
        // The product is less than the length of the file.
        let page_bytes = u64::from(self.meta.page_bytes);
        self.seek(number * page_bytes)?;
        let mut bytes = vec![0; HEADER_BYTES];
        self.fill(&mut bytes)?;
        let (carried, overflow) = number_and_overflow(&bytes);
        if carried != number {
            return Err(wrong(Problem::WrongNumber(carried)));
        }
        let pages = 1 + u64::from(overflow);
        if pages > self.meta.pages - number {
            return Err(wrong(Problem::OverflowOutOfBounds(overflow)));
        }
        if pages * page_bytes > RUN_BYTES_MAX {
            return Err(wrong(Problem::TooLong(pages * page_bytes)));
        }
        bytes.resize((pages * page_bytes) as usize, 0);
        self.fill(&mut bytes[HEADER_BYTES..])?;
        Ok((Page::new(number, bytes)?, pages))
    }

    /// Relative to the present position, so that a buffered input keeps its buffer: most pages follow one another.
    fn seek(&mut self, to: u64) -> Result<(), Error> {
        match i64::try_from(i128::from(to) - i128::from(self.position)) {
            Ok(distance) => self.input.seek_relative(distance)?,
            Err(_) => drop(self.input.seek(SeekFrom::Start(to))?),
        }
        self.position = to;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let end = self.position + bytes.len() as u64;
        self.position = UNKNOWN;
        self.input.read_exact(bytes)?;
        self.position = end;
        Ok(())
    }
}

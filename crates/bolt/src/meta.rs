//! Meta pages: which state of the database is the newest, and how long the file is.

use crate::error::Error;
use crate::format::{
    HEADER_BYTES, MAGIC, META, META_BYTES, PAGE_BYTES_MAX, PAGE_BYTES_MIN, VERSION, fnv, u16_at, u32_at, u64_at,
};
use std::io::{Read, Seek, SeekFrom};

/// The bytes of a page that hold a meta page.
const WHOLE: usize = HEADER_BYTES + META_BYTES;

/// A valid meta page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    pub page_bytes: u32,
    /// The root page of the root bucket.
    pub root: u64,
    pub sequence: u64,
    pub freelist: u64,
    /// The high-water mark: no page has this number or a greater one.
    pub pages: u64,
    pub transaction: u64,
}

impl Meta {
    /// Reads both meta pages and chooses the newer valid one.
    ///
    /// The first page states the page size, and with it where the second one is. If the first one is damaged, the second
    /// is looked for at every page size, and must state the size at which it was found.
    pub fn choose(input: &mut (impl Read + Seek), length: u64) -> Result<Meta, Error> {
        let first = Meta::read(input, 0);
        let second = match &first {
            Ok(meta) => Meta::read(input, u64::from(meta.page_bytes)),
            Err(_) => Meta::search(input, length),
        };
        let chosen = match (first, second) {
            (Err(Error::Io(error)), _) | (_, Err(Error::Io(error))) => return Err(Error::Io(error)),
            (Ok(first), Ok(second)) if second.page_bytes == first.page_bytes => {
                if second.transaction > first.transaction { second } else { first }
            }
            (Ok(meta), _) | (Err(_), Ok(meta)) => meta,
            // A page that nearly is a meta page gives the better reason.
            (Err(Error::NotADatabase), Err(error)) | (Err(error), Err(_)) => return Err(error),
        };
        let expected = chosen.pages.saturating_mul(u64::from(chosen.page_bytes));
        if expected > length {
            return Err(Error::Cut { expected, found: length });
        }
        Ok(chosen)
    }

    /// The second meta page, if the first one does not say where it is.
    fn search(input: &mut (impl Read + Seek), length: u64) -> Result<Meta, Error> {
        let mut reason = Error::NotADatabase;
        let mut page_bytes = PAGE_BYTES_MIN as u64;
        while page_bytes <= PAGE_BYTES_MAX as u64 && page_bytes + WHOLE as u64 <= length {
            match Meta::read(input, page_bytes) {
                Ok(meta) if u64::from(meta.page_bytes) == page_bytes => return Ok(meta),
                Ok(_) | Err(Error::NotADatabase) => {}
                Err(Error::Io(error)) => return Err(Error::Io(error)),
                Err(error) => reason = error,
            }
            page_bytes *= 2;
        }
        Err(reason)
    }

    fn read(input: &mut (impl Read + Seek), at: u64) -> Result<Meta, Error> {
        let mut bytes = [0; WHOLE];
        input.seek(SeekFrom::Start(at))?;
        match input.read_exact(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(Error::NotADatabase),
            other => other?,
        }
        Meta::parse(&bytes)
    }

    fn parse(bytes: &[u8; WHOLE]) -> Result<Meta, Error> {
        let meta = &bytes[HEADER_BYTES..];
        if u32_at(meta, 0) != MAGIC {
            return Err(Error::NotADatabase);
        }
        // Before the checksum: another version may compute another one.
        let version = u32_at(meta, 4);
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let (covered, checksum) = meta.split_at(META_BYTES - 8);
        if fnv(covered) != u64_at(checksum, 0) || u16_at(bytes, 8) != META {
            return Err(Error::MetaDamaged);
        }
        let page_bytes = u32_at(meta, 8);
        let sane = (PAGE_BYTES_MIN as u32..=PAGE_BYTES_MAX as u32).contains(&page_bytes);
        if !sane || !page_bytes.is_power_of_two() {
            return Err(Error::PageSize(page_bytes));
        }
        Ok(Meta {
            page_bytes,
            root: u64_at(meta, 16),
            sequence: u64_at(meta, 24),
            freelist: u64_at(meta, 32),
            pages: u64_at(meta, 40),
            transaction: u64_at(meta, 48),
        })
    }

    /// The page of this number, `page_bytes` long.
    pub fn to_page(self, number: u64) -> Vec<u8> {
        let mut page = crate::page::header(number, META, 0, 0).to_vec();
        for word in [MAGIC, VERSION, self.page_bytes, 0] {
            page.extend_from_slice(&word.to_le_bytes());
        }
        for word in [self.root, self.sequence, self.freelist, self.pages, self.transaction] {
            page.extend_from_slice(&word.to_le_bytes());
        }
        let checksum = fnv(&page[HEADER_BYTES..]);
        page.extend_from_slice(&checksum.to_le_bytes());
        page.resize(self.page_bytes as usize, 0);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn meta(transaction: u64) -> Meta {
        Meta { page_bytes: 4096, root: 3 + transaction, sequence: 0, freelist: 2, pages: 4, transaction }
    }

    fn file(first: u64, second: u64) -> Vec<u8> {
        let mut file = [meta(first).to_page(0), meta(second).to_page(1)].concat();
        file.resize(4 * 4096, 0);
        file
    }

    fn choose(file: &[u8]) -> Result<Meta, Error> {
        Meta::choose(&mut Cursor::new(file), file.len() as u64)
    }

    #[test]
    fn the_valid_page_of_the_newer_transaction_is_chosen() {
        assert_eq!(choose(&file(4, 5)).unwrap(), meta(5));
        assert_eq!(choose(&file(6, 5)).unwrap(), meta(6));
        for torn in [0, 4096] {
            let mut file = file(6, 7);
            file[torn + 40] ^= 1;
            assert_eq!(choose(&file).unwrap(), meta(if torn == 0 { 7 } else { 6 }), "page at {torn}");
        }
    }

    #[test]
    fn every_flipped_byte_of_a_meta_page_leaves_the_other() {
        for at in 8..WHOLE {
            // Count and overflow mean nothing.
            if (10..16).contains(&at) {
                continue;
            }
            let mut newer = file(6, 7);
            newer[4096 + at] ^= 0x10;
            assert_eq!(choose(&newer).unwrap(), meta(6), "byte {at} of the second page");
            let mut both = newer.clone();
            both[at] ^= 0x10;
            let error = choose(&both).unwrap_err();
            assert!(
                matches!(error, Error::NotADatabase | Error::MetaDamaged | Error::Version(_)),
                "byte {at}: {error}"
            );
        }
    }

    #[test]
    fn a_damaged_first_page_does_not_hide_the_page_size() {
        for page_bytes in [1024, 16 << 10] {
            let second = Meta { page_bytes, ..meta(3) };
            let mut file = vec![0; 4 * page_bytes as usize];
            file[page_bytes as usize..][..page_bytes as usize].copy_from_slice(&second.to_page(1));
            assert_eq!(choose(&file).unwrap(), second);
        }
        // Bytes of a value that look like a meta page do not state the size at which they lie.
        let mut file = vec![0; 4 * 4096];
        file[1024..1024 + 4096].copy_from_slice(&meta(3).to_page(1));
        assert!(matches!(choose(&file), Err(Error::NotADatabase)));
    }

    #[test]
    fn other_versions_sizes_and_cut_files_are_named() {
        let mut other = file(0, 1);
        for page in [0, 4096] {
            other[page + 20] = 3;
        }
        assert!(matches!(choose(&other), Err(Error::Version(3))));
        let odd = Meta { page_bytes: 5000, ..meta(1) };
        let mut bytes = [odd.to_page(0), odd.to_page(1)].concat();
        bytes.resize(20_000, 0);
        assert!(matches!(choose(&bytes), Err(Error::PageSize(5000))));
        let cut = &file(0, 1)[..3 * 4096];
        assert!(matches!(choose(cut), Err(Error::Cut { expected: 16_384, found: 12_288 })));
        assert!(matches!(choose(b""), Err(Error::NotADatabase)));
    }
}

//! Files that no bbolt wrote: whatever they hold, reading them answers, and takes no more than the file has.

use crate::contents::{Contents, read_bucket};
use std::io::Cursor;
use volvox_bolt::{Database, Error, NESTING_MAX};
use volvox_core::Rng;

/// The fuzz target: reads everything that a file leads to, or says why not.
fn read_hostile(file: &[u8]) -> Result<Contents, Error> {
    let mut database = Database::open(Cursor::new(file))?;
    assert!(database.byte_length() <= file.len() as u64);
    let root = database.root();
    let mut bytes = 0;
    let result = read_bucket(&mut database, &root, &mut bytes);
    // Buckets may share pages with those around them, but no walk returns more than there is.
    let most = (file.len() * (NESTING_MAX + 1)) as u64;
    assert!(bytes <= most * 64, "{bytes} bytes from {}", file.len());
    result
}

fn corpus() -> Vec<(Contents, Vec<u8>)> {
    let sizes = [(0, 10), (3, 30), (60, 60), (300, 100), (20, 9000)];
    let seeded = sizes.iter().enumerate().map(|(seed, (pairs, value))| Contents::seeded(seed as u64, *pairs, *value));
    seeded
        .map(|contents| {
            let file = contents.write();
            (contents, file)
        })
        .collect()
}

#[test]
fn every_byte_of_every_header_flipped() {
    let (contents, file) = &corpus()[2];
    let (mut refused, mut read) = (0, 0);
    for page in 0..file.len() / 4096 {
        // The header of the page, and its first entries or all of a meta page.
        for at in 0..96 {
            for bit in [0x01, 0x80] {
                let mut damaged = file.clone();
                damaged[page * 4096 + at] ^= bit;
                match read_hostile(&damaged) {
                    // A damaged meta page leaves the other; a list of free pages is not read; a key or value is opaque.
                    Ok(found) => {
                        read += 1;
                        assert!(page > 2 || found == *contents, "page {page}, byte {at}");
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(!error.to_string().is_empty());
                        assert!(page > 2, "page {page}, byte {at}: {error}");
                    }
                }
            }
        }
    }
    assert!(refused > 100 && read > 100, "{refused} refused, {read} read");
}

#[test]
fn files_cut_at_every_page_and_around_it() {
    for (_, file) in corpus() {
        for page in 0..file.len() / 4096 {
            for length in [page * 4096, page * 4096 + 1, page * 4096 + 4095] {
                let error = read_hostile(&file[..length]).expect_err("it was cut");
                match error {
                    Error::NotADatabase => assert!(length < 80, "{length}"),
                    Error::Cut { expected, found } => {
                        assert_eq!((expected, found), (file.len() as u64, length as u64));
                    }
                    other => panic!("cut at {length}: {other}"),
                }
            }
        }
    }
}

#[test]
fn mutated_files() {
    let corpus = corpus();
    let (mut refused, mut whole) = (0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let (_, file) = &corpus[rng.below(corpus.len() as u64) as usize];
        let mut file = file.clone();
        for _ in 0..1 + rng.below(4) {
            mutate(&mut rng, &mut file);
        }
        match read_hostile(&file) {
            Ok(_) => whole += 1,
            Err(Error::Io(error)) => panic!("seed {seed}: {error}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 3000 && whole > 1000, "{refused} refused, {whole} read");
}

fn mutate(rng: &mut Rng, file: &mut Vec<u8>) {
    let pages = (file.len() / 4096) as u64;
    if pages == 0 {
        return;
    }
    // Where numbers are: in the head of a page behind the meta pages, whose checksums would hide the rest.
    let (first, span) = (if rng.below(20) == 0 { 0 } else { 2 }, if rng.below(4) == 0 { 4096 } else { 80 });
    let page = rng.between(first, pages.max(3)).min(pages - 1) as usize;
    let at = page * 4096 + rng.below(span) as usize;
    if at >= file.len() {
        return;
    }
    match rng.below(8) {
        0 => file.truncate(at),
        1 => {
            let from = rng.below(pages) as usize * 4096;
            file.copy_within(from..from + 4096, page * 4096);
        }
        2 => {
            let word = [0, 1, 16, 0xffff, u64::from(u32::MAX), rng.below(pages), rng.next_u64()][rng.below(7) as usize];
            let end = (at + 8).min(file.len());
            file[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
        }
        3 => {
            let value = [0, 1, 2, 0x10, 0x7f, 0xff][rng.below(6) as usize];
            file[at] = value;
        }
        _ => file[at] ^= 1 << rng.below(8),
    }
}

#[test]
fn arbitrary_bytes_behind_valid_meta_pages() {
    let (_, file) = &corpus()[3];
    for seed in 0..3000 {
        let mut rng = Rng::new(seed);
        let mut file = file.clone();
        for byte in &mut file[2 * 4096..] {
            // Small numbers, as pages have.
            *byte = if rng.below(3) == 0 { rng.below(8) as u8 } else { 0 };
        }
        let _ = read_hostile(&file);
        let noise: Vec<u8> = (0..rng.below(9000)).map(|_| rng.next_u64() as u8).collect();
        assert!(read_hostile(&noise).is_err());
    }
}

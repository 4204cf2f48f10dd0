//! A snapshot in a file: ours, or the database of etcd.

use crate::progress::Progress;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use volvox_core::Part;
use volvox_etcd::database::{self, DatabaseError, Import, Integrity, Origin};
use volvox_etcd::snapshot::{self, SnapshotError};
use volvox_store::{Store, StoreConfig, View};

/// The magic number of bbolt, which every database of etcd has after the header of its first page.
const BBOLT_MAGIC: [u8; 4] = 0xed0c_daed_u32.to_le_bytes();
const BBOLT_MAGIC_AT: usize = 16;

/// How much is read from the file at once.
const BUFFER_BYTES: usize = 1 << 20;

/// The store that a file contains.
pub struct Loaded {
    /// All of it, as it was.
    pub view: View,
    /// The rest of etcd's database; `None` for a snapshot of ours.
    pub origin: Option<Origin>,
}

/// Reads the whole file and assembles the store, so that only a valid store is used.
///
/// # Errors
/// When the file is neither a whole snapshot of ours nor a sound database of etcd.
pub fn load(file: &Path, integrity: Integrity, progress: &mut Progress) -> Result<Loaded> {
    let result = match load_own(file, progress)? {
        Some(view) => Ok(Loaded { view, origin: None }),
        None => load_etcd(file, integrity, progress),
    };
    progress.clear();
    result
}

/// Opens a file for reading from its beginning.
pub fn open(file: &Path) -> Result<BufReader<File>> {
    let input = File::open(file).with_context(|| format!("cannot open the snapshot {}", file.display()))?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, input))
}

/// A snapshot of ours; `None` when it is a database.
fn load_own(file: &Path, progress: &mut Progress) -> Result<Option<View>> {
    let name = file.display();
    let input = open(file)?;
    let length = input.get_ref().metadata().with_context(|| format!("cannot read the snapshot {name}"))?.len();
    let mut restore = Store::restore(StoreConfig::default());
    let (mut wrong, mut done) = (None, 0);
    let head = snapshot::read(input, |part: Part| {
        done += part.data.len() as u64;
        progress.show(done, length.saturating_sub(done));
        if wrong.is_none() {
            wrong = restore.part(&part).err();
        }
    });
    let head = match head {
        Err(SnapshotError::NotASnapshot) if is_database(file) => return Ok(None),
        head => head.with_context(|| format!("cannot restore {name}"))?,
    };
    let store = match wrong {
        Some(error) => Err(error),
        None => restore.finish(),
    };
    let store = store.map_err(|error| anyhow!("{name} is complete, but its parts do not form a store: {error:?}"))?;
    ensure!(
        store.revision() == head.revision,
        "{name} states revision {}, but contains {}: it was not written by this program",
        head.revision,
        store.revision()
    );
    Ok(Some(store.view()))
}

fn load_etcd(file: &Path, integrity: Integrity, progress: &mut Progress) -> Result<Loaded> {
    let result = database::import(open(file)?, integrity, |done, left| progress.show(done, left));
    let Import { store, origin } = match result {
        Err(DatabaseError::NoHash) => bail!("cannot restore {}: {}", file.display(), DatabaseError::NoHash),
        other => other.with_context(|| format!("cannot restore {}", file.display()))?,
    };
    Ok(Loaded { view: store.view(), origin: Some(origin) })
}

/// Whether either meta page may be there: a damaged first one is an error of the database, and not of the format.
fn is_database(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(BUFFER_BYTES as u64).read_to_end(&mut start));
    let page_starts = (0..=10).map(|power| if power == 0 { 0 } else { 512 << power });
    read.is_ok() && page_starts.map(|page| page + BBOLT_MAGIC_AT).any(|at| start.get(at..at + 4) == Some(&BBOLT_MAGIC))
}

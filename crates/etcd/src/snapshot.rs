//! The snapshot file of earlier versions, which `volvox restore` still reads. Now a snapshot is a [`database`](crate::database).
//!
//! ```text
//!   magic       16 bytes   "volvox snapshot\n"
//!   version     u32        1
//!   cluster     u64        the cluster that it was taken from
//!   revision    i64        of the store
//!   parts       u64        how many follow
//!   each part:  number u64, length u32, and this many bytes: a part of a checkpoint
//!   zeros       up to a multiple of 512
//!   SHA-256     32 bytes   of everything before
//! ```
//!
//! Fixed-size numbers are little-endian. The size modulo 512 is 32, which is what etcd's clients check before they
//! rename the file into place. Everything in it is hostile until the reader has checked it: a part is at most 1 MiB,
//! and nothing is trusted before the hash over all of it was verified.

use sha2::{Digest, Sha256};
use std::fmt;
use std::io::Read;
use volvox_core::{Bytes, PART_BYTES_MAX, Part};

const MAGIC: &[u8; 16] = b"volvox snapshot\n";
const FORMAT_VERSION: u32 = 1;
const BLOCK_BYTES: u64 = 512;
const HASH_BYTES: usize = 32;

/// The description of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The cluster that it was taken from.
    pub cluster: u64,
    /// The revision of the store.
    pub revision: i64,
    /// How many parts it has.
    pub parts: u64,
}

/// Why a file is not a snapshot that can be restored.
#[derive(Debug)]
pub enum SnapshotError {
    /// It cannot be read. Look at the file and its permissions.
    Io(std::io::Error),
    /// It does not begin like a snapshot: it was taken from another kind of server, or is not a snapshot at all.
    NotASnapshot,
    /// A newer program wrote it. Use that program.
    Version(u32),
    /// It ends too early. Take another copy.
    Cut,
    /// Its hash, its padding or a length is wrong: it was damaged. Take another copy.
    Damaged,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Io(error) => write!(f, "the snapshot cannot be read: {error}"),
            SnapshotError::NotASnapshot => f.write_str("the file is not a snapshot of volvox or etcd"),
            SnapshotError::Version(version) => write!(
                f,
                "the snapshot has format version {version}, this program reads {FORMAT_VERSION}: use a newer one"
            ),
            SnapshotError::Cut => f.write_str("the snapshot ends too early: take it again"),
            SnapshotError::Damaged => f.write_str("the snapshot is damaged: take it again"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<std::io::Error> for SnapshotError {
    fn from(error: std::io::Error) -> SnapshotError {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => SnapshotError::Cut,
            _ => SnapshotError::Io(error),
        }
    }
}

/// Reads a snapshot; passes each part to `on_part` as it arrives. **The parts are valid only if this returns `Ok`**:
/// the hash is at the end.
///
/// # Errors
/// When the file is not a snapshot, or incomplete.
pub fn read(input: impl Read, mut on_part: impl FnMut(Part)) -> Result<Head, SnapshotError> {
    let mut input = Hashed { input, hash: Sha256::new(), bytes: 0 };
    let mut magic = [0; MAGIC.len()];
    match input.fill(&mut magic) {
        Err(SnapshotError::Cut) => return Err(SnapshotError::NotASnapshot),
        other => other?,
    }
    if &magic != MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    let version = u32::from_le_bytes(input.array()?);
    if version != FORMAT_VERSION {
        return Err(SnapshotError::Version(version));
    }
    let head = Head {
        cluster: u64::from_le_bytes(input.array()?),
        revision: i64::from_le_bytes(input.array()?),
        parts: u64::from_le_bytes(input.array()?),
    };
    for _ in 0..head.parts {
        let number = u64::from_le_bytes(input.array()?);
        let length = u32::from_le_bytes(input.array()?) as usize;
        if length > PART_BYTES_MAX {
            return Err(SnapshotError::Damaged);
        }
        let mut data = vec![0; length];
        input.fill(&mut data)?;
        on_part(Part { number, data: Bytes::from(data) });
    }
    let mut padding = vec![0; (input.bytes.next_multiple_of(BLOCK_BYTES) - input.bytes) as usize];
    input.fill(&mut padding)?;
    let hash = std::mem::take(&mut input.hash).finalize();
    let said: [u8; HASH_BYTES] = input.array()?;
    let at_end = input.input.read(&mut [0; 1])? == 0;
    if hash.as_slice() != said.as_slice() || padding.iter().any(|byte| *byte != 0) || !at_end {
        return Err(SnapshotError::Damaged);
    }
    Ok(head)
}

/// Hashes and counts what is read.
struct Hashed<R> {
    input: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Hashed<R> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), SnapshotError> {
        self.input.read_exact(buffer)?;
        self.hash.update(&*buffer);
        self.bytes += buffer.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }
}

#[cfg(test)]
mod tests;

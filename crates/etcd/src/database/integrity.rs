//! The hash at the end of a snapshot.

use super::error::DatabaseError;
use sha2::{Digest, Sha256};
use std::io::{Read, Seek, SeekFrom};

/// The bytes of the hash: SHA-256.
pub const HASH_BYTES: usize = 32;

/// Databases are multiples of this: a remainder of [`HASH_BYTES`] is a hash.
const BLOCK_BYTES: u64 = 512;

/// How much a caller demands of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Integrity {
    /// The file ends with its hash.
    Hash,
    /// The file need not have a hash, and one that it has is not compared.
    Unchecked,
}

impl Integrity {
    /// Checks a file; afterwards it stands at its beginning.
    pub(super) fn check(
        self,
        input: &mut (impl Read + Seek),
        mut on_bytes: impl FnMut(u64, u64),
    ) -> Result<(), DatabaseError> {
        let length = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        if self == Integrity::Unchecked {
            return Ok(());
        }
        match length % BLOCK_BYTES {
            remainder if remainder == HASH_BYTES as u64 => {}
            0 => return Err(DatabaseError::NoHash),
            _ => return Err(DatabaseError::Cut),
        }
        let mut left = length - HASH_BYTES as u64;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let piece = left.min(buffer.len() as u64) as usize;
            input.read_exact(&mut buffer[..piece])?;
            hash.update(&buffer[..piece]);
            left -= piece as u64;
            on_bytes(length - left, left);
        }
        let mut stated = [0; HASH_BYTES];
        input.read_exact(&mut stated)?;
        input.seek(SeekFrom::Start(0))?;
        if hash.finalize()[..] == stated { Ok(()) } else { Err(DatabaseError::WrongHash) }
    }
}

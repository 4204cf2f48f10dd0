//! The faults of a database of etcd.

use std::fmt;
use volvox_store::HistoryError;

/// Why a file is refused as a database of etcd. Nothing was changed.
#[derive(Debug)]
pub enum DatabaseError {
    /// The file format is violated, or the file cannot be read.
    File(volvox_bolt::Error),
    /// The file ends without a hash: it was not saved by a client, but copied from a data folder.
    NoHash,
    /// The file ends in the middle of a block. Take another copy.
    Cut,
    /// The hash at the end is not that of the file: it was damaged. Take another copy.
    WrongHash,
    /// The file is a database of another program: it has no bucket `key`.
    NoKeys,
    /// An entry cannot be decoded: the file was damaged.
    Entry {
        /// The name of the bucket.
        bucket: &'static str,
        /// The key of the entry.
        key: Vec<u8>,
        /// The contradiction.
        problem: &'static str,
    },
    /// The entries do not form a history.
    History(HistoryError),
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::File(error) => write!(f, "{error}"),
            DatabaseError::NoHash => f.write_str(
                "the database has no hash at its end: a client's `snapshot save` writes one; \
                 --skip-hash-check accepts a file that was copied from a data folder",
            ),
            DatabaseError::Cut => f.write_str("the database ends in the middle of a block, it was cut: take it again"),
            DatabaseError::WrongHash => f.write_str("the database is damaged, its hash is wrong: take it again"),
            DatabaseError::NoKeys => f.write_str("the database is not one of etcd: it has no bucket `key`"),
            DatabaseError::Entry { bucket, key, problem } => {
                write!(f, "the database is damaged: entry {} of bucket `{bucket}` {problem}", key.escape_ascii())
            }
            DatabaseError::History(error) => write!(f, "the database is damaged: {error}"),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl From<volvox_bolt::Error> for DatabaseError {
    fn from(error: volvox_bolt::Error) -> DatabaseError {
        DatabaseError::File(error)
    }
}

impl From<std::io::Error> for DatabaseError {
    fn from(error: std::io::Error) -> DatabaseError {
        DatabaseError::File(error.into())
    }
}

impl From<HistoryError> for DatabaseError {
    fn from(error: HistoryError) -> DatabaseError {
        DatabaseError::History(error)
    }
}

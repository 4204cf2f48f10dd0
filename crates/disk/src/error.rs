//! Errors: one enum per operation. Each variant says which side erred, whether anything changed, and what to do.

use std::io;
use volvox_core::Position;

/// Why a log cannot be opened. Nothing was changed.
///
/// Lost records are not an error but an [`crate::Outcome`]: the node continues as a new incarnation.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file was written by a newer program.
    #[error("{file} has version {found}, and this program reads versions up to {supported}: run the newer program")]
    NewerVersion {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        supported: u32,
    },
    /// The disk could not read, write or list.
    #[error("cannot {action} {file}: {source}; check the disk, or give the node an empty folder")]
    Io {
        /// The failed action.
        action: &'static str,
        /// The file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch is larger than a batch may be. Nothing changed; the caller must send less at a time.
    #[error("a batch of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The disk is full. Nothing that was acknowledged changed; the same append may succeed once there is space.
    #[error("the disk is full, nothing was written: free some space and try again")]
    Full,
    /// A write failed. The state of the disk is unknown until the log is opened again: the node must stop.
    #[error("a write to {file} failed: {source}; stop the node and check the disk")]
    WriteFailed {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An fsync failed. The page cache can no longer be trusted: the node must stop.
    #[error("fsync of {file} failed: {source}; the page cache can no longer be trusted: stop the node")]
    SyncFailed {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An earlier write or fsync failed, and since then the log refuses everything.
    #[error("the log stopped at an earlier failure: stop the node")]
    Stopped,
}

impl AppendError {
    /// The error for a failed write, create or rename.
    pub(crate) fn write(file: &str, source: io::Error) -> AppendError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full,
            _ => AppendError::WriteFailed { file: file.to_owned(), source },
        }
    }

    /// The error for a failed fsync: whatever the reason, the cache may have dropped data that it could not write.
    pub(crate) fn sync(file: &str, source: io::Error) -> AppendError {
        AppendError::SyncFailed { file: file.to_owned(), source }
    }

    /// For work that can be skipped when the disk is full.
    pub(crate) fn unless_full(self) -> Result<(), AppendError> {
        if matches!(self, AppendError::Full) { Ok(()) } else { Err(self) }
    }

    /// Whether the log can continue.
    pub(crate) fn is_harmless(&self) -> bool {
        matches!(self, AppendError::TooLarge { .. } | AppendError::Full)
    }
}

/// Why a checkpoint was not made. The one before it stays current.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The part is larger than a part may be. Nothing changed.
    #[error("part {number} has {bytes} bytes, over the limit of {limit}")]
    TooLarge {
        /// The part.
        number: u64,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The manifest would name more parts than it may. Nothing changed.
    #[error("a checkpoint of {parts} parts is over the limit of {limit}")]
    TooMany {
        /// The number.
        parts: usize,
        /// The limit.
        limit: usize,
    },
    /// The manifest names a part that was never written. Nothing changed.
    #[error("the checkpoint names part {number}, which was not written")]
    NoSuchPart {
        /// The part.
        number: u64,
    },
    /// The manifest covers records that are not durable, or fewer than the one before. Nothing changed.
    #[error("a checkpoint cannot cover up to {covers}: it must lie between {low} and {high}")]
    Covers {
        /// The requested position.
        covers: Position,
        /// The last position that the current checkpoint covers.
        low: Position,
        /// The last durable record.
        high: Position,
    },
    /// Writing failed: [`AppendError::Full`] may be tried again, after the others the node must stop.
    #[error(transparent)]
    Write(#[from] AppendError),
}

/// Why a part cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadPartError {
    /// The current checkpoint has no such part.
    #[error("the checkpoint has no part {number}")]
    NoSuchPart {
        /// The part.
        number: u64,
    },
    /// It verified when the log was opened, but no longer does: the disk loses data while the node runs. Stop the node.
    #[error("part {number} is damaged: stop the node and check the disk")]
    Damaged {
        /// The part.
        number: u64,
    },
    /// The disk could not read.
    #[error("cannot read {file}: {source}; stop the node and check the disk")]
    Io {
        /// The file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

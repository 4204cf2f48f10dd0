//! The counters of a log.

/// The work of a log since it was opened.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Batches of records made durable.
    pub batches: u64,
    /// The records in them.
    pub records: u64,
    /// How often a file was synced for a batch of records; the same number as `batches`, which a test asserts.
    pub batch_syncs: u64,
    /// Every other sync: idle batches, new segments, parts, manifests, the folder.
    pub other_syncs: u64,
    /// All bytes that were written to files.
    pub bytes_written: u64,
}

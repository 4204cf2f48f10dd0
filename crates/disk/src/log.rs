//! Interface first; the bodies follow.
#![allow(unused_variables, missing_docs)]
use crate::{AppendError, CheckpointError, Directory, OpenError, ReadPartError};
use core::ops::Range;
use volvox_core::{Bytes, Incarnation, NodeId, Part, Position};

/// Whose log it is; written once a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    pub cluster: u64,
    pub node: NodeId,
    pub incarnation: Incarnation,
    /// Random, a fresh one each life: mixed into the checksums, so that neither what an earlier life wrote nor bytes
    /// that a client chose can pass for a batch.
    pub nonce: u64,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Default 64 MiB.
    pub segment_bytes: u64,
    /// How many cut segments are kept for reuse; default 4.
    pub spare_segments_max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// An empty folder: call `start_life`.
    Fresh,
    Intact,
    /// An unacknowledged write was under way; it is cut.
    TornTail {
        segment: u64,
        bytes: Range<u64>,
        first: Position,
    },
    /// Call `start_life` with a fresh incarnation.
    Lost(Loss),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loss {
    Identity,
    Manifest,
    Part { number: u64 },
    Segment { number: u64 },
    Records { first: Position, last: Position },
}

#[derive(Clone, Debug)]
pub struct Recovered {
    /// None when fresh, or when the identity file itself is lost.
    pub identity: Option<Identity>,
    pub covers: Position,
    /// Checkpoint parts in manifest order, all verified; read them with `Log::read_part`.
    pub parts: Vec<u64>,
    /// Every record after `covers`, oldest first.
    pub records: Vec<(Position, Bytes)>,
    pub next_position: Position,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    pub batches: u64,
    /// fdatasync calls for batches of records: equal to `batches`.
    pub batch_syncs: u64,
    /// every other fsync (idle batches, rolls, checkpoints, directory).
    pub other_syncs: u64,
    pub bytes_written: u64,
}

pub struct Log<D: Directory> {
    directory: D,
}

impl<D: Directory> Log<D> {
    pub fn open(directory: D, options: Options) -> Result<(Log<D>, Recovered), OpenError> {
        todo!()
    }
    /// After `Fresh`, `Lost`, or whenever the node must become somebody else: wipes everything, crash-safe at each
    /// step, and starts at position 1 under this identity.
    pub fn start_life(&mut self, identity: Identity) -> Result<(), AppendError> {
        todo!()
    }
    pub fn identity(&self) -> Option<Identity> {
        todo!()
    }
    /// One batch: one write, one fdatasync. (first, last).
    pub fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Position, Position), AppendError> {
        todo!()
    }
    /// The two halves of `append`, for a world that crashes between them.
    pub fn write<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Position, Position), AppendError> {
        todo!()
    }
    pub fn sync(&mut self) -> Result<(), AppendError> {
        todo!()
    }
    /// Call when no more work waits: closes the window. No-op (false) if it is closed already.
    pub fn write_idle(&mut self) -> Result<bool, AppendError> {
        todo!()
    }
    /// A bounded step (256 KiB) of preparing the next segment; call after acknowledgements were delivered.
    pub fn maintain(&mut self) -> Result<(), AppendError> {
        todo!()
    }
    pub fn write_part(&mut self, part: &Part) -> Result<(), CheckpointError> {
        todo!()
    }
    pub fn install_checkpoint(&mut self, covers: Position, parts: &[u64]) -> Result<(), CheckpointError> {
        todo!()
    }
    pub fn read_part(&self, number: u64) -> Result<Part, ReadPartError> {
        todo!()
    }
    pub fn next_position(&self) -> Position {
        todo!()
    }
    pub fn durable(&self) -> Position {
        todo!()
    }
    /// Bytes of the log since the last checkpoint's cut: the trigger of checkpoints.
    pub fn live_bytes(&self) -> u64 {
        todo!()
    }
    pub fn counters(&self) -> Counters {
        todo!()
    }
    pub fn directory(&self) -> &D {
        &self.directory
    }
}

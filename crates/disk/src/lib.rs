//! Volvox: disk.
#![forbid(unsafe_code)]

mod checkpoint;
mod directory;
mod error;
mod format;
mod life;
mod log;
mod names;
mod real;
mod recording;
mod recovery;
mod scan;
mod simulated;
mod spares;

pub use checkpoint::PARTS_MAX;
pub use directory::{Directory, File};
pub use error::{AppendError, CheckpointError, OpenError, ReadPartError};
pub use log::{
    BATCH_BYTES_MAX, Counters, Identity, Log, Options, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
};
pub use real::{FolderError, RealDirectory, RealFile};
pub use recording::{Recording, RecordingDirectory, RecordingFile, SequenceCounter};
pub use recovery::{Loss, Outcome, Recovered};
pub use simulated::{Faults, SimulatedDirectory, SimulatedFile};

//! Volvox: disk.
#![forbid(unsafe_code)]
mod directory;
mod error;
mod log;
mod real;
mod recording;
mod simulated;

pub use directory::{Directory, File};
pub use error::{AppendError, CheckpointError, OpenError, ReadPartError};
pub use log::{Counters, Identity, Log, Loss, Options, Outcome, Recovered};
pub use real::{FolderError, RealDirectory};
pub use recording::{Recording, RecordingDirectory, SequenceCounter};
pub use simulated::{Faults, SimulatedDirectory};

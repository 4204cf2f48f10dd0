//! Interface first; the bodies follow.
#![allow(unused_variables, missing_docs)]
use crate::SimulatedDirectory;
use crate::directory::{Directory, File};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One clock for all recordings of a cluster and for the acknowledgements its clients saw.
#[derive(Clone, Debug, Default)]
pub struct SequenceCounter(Arc<AtomicU64>);

impl SequenceCounter {
    /// The next number. A client takes one after it saw an acknowledgement.
    pub fn tick(&self) -> u64 {
        todo!()
    }
}

/// What was done to one folder, in order; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Recording {}

impl Recording {
    /// The folder as power lost at `sequence` could have left it: all synced writes, any subset of unsynced sectors.
    pub fn image_at(&self, sequence: u64, seed: u64) -> SimulatedDirectory {
        todo!()
    }
    /// The sequence numbers of all operations.
    pub fn sequences(&self) -> Vec<u64> {
        todo!()
    }
}

/// Passes everything on, and records it.
#[derive(Debug)]
pub struct RecordingDirectory<D> {
    inner: D,
}

#[derive(Debug)]
pub struct RecordingFile<F> {
    inner: F,
}

impl<D: Directory> RecordingDirectory<D> {
    /// Reads what the folder holds now (taken for durable), and records from here on.
    pub fn new(inner: D, sequence: SequenceCounter) -> io::Result<RecordingDirectory<D>> {
        todo!()
    }
    pub fn recording(&self) -> Recording {
        todo!()
    }
}

impl<D: Directory> Directory for RecordingDirectory<D> {
    type File = RecordingFile<D::File>;
    fn list(&self) -> io::Result<Vec<String>> {
        todo!()
    }
    fn open(&self, name: &str) -> io::Result<Self::File> {
        todo!()
    }
    fn create(&self, name: &str) -> io::Result<Self::File> {
        todo!()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        todo!()
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        todo!()
    }
    fn sync(&self) -> io::Result<()> {
        todo!()
    }
}

impl<F: File> File for RecordingFile<F> {
    fn length(&self) -> io::Result<u64> {
        todo!()
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        todo!()
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        todo!()
    }
    fn sync(&self) -> io::Result<()> {
        todo!()
    }
}

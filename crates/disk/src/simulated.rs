//! Interface first; the bodies follow.
#![allow(unused_variables, missing_docs)]
use crate::directory::{Directory, File};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What a simulated disk does wrong; `Faults::default()` is a good disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The folder may hold no more than this many bytes.
    pub capacity_bytes: Option<u64>,
    /// Writes that report success and never happen, in a million.
    pub lost_writes_ppm: u32,
    /// Writes that land at another sector of the same file, in a million.
    pub misdirected_writes_ppm: u32,
    /// Every fsync fails with EIO, and what it should have written may be gone.
    pub failed_sync: bool,
    /// Every read fails with EIO.
    pub failed_read: bool,
    /// Each sync adds this to what `take_delay` reports.
    pub sync_delay: Duration,
}

/// A disk in memory; clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SimulatedDirectory {}

#[derive(Debug)]
pub struct SimulatedFile {}

impl SimulatedDirectory {
    pub fn new(seed: u64) -> SimulatedDirectory {
        todo!()
    }
    pub fn set_faults(&self, faults: Faults) {
        todo!()
    }
    /// Power is cut: any subset of unsynced sectors and directory changes survives. Open files fail from now on.
    pub fn crash(&self, seed: u64) {
        todo!()
    }
    /// The process died but the machine did not: nothing is lost. Open files fail from now on.
    pub fn kill(&self) {
        todo!()
    }
    /// `rm -rf`.
    pub fn erase(&self) {
        todo!()
    }
    /// Flips one random bit of a random file at rest; says which byte. None when there is no byte.
    pub fn flip_bit(&self, seed: u64) -> Option<(String, u64)> {
        todo!()
    }
    /// The delay that syncs asked for since the last call.
    pub fn take_delay(&self) -> Duration {
        todo!()
    }
    /// An independent copy.
    pub fn fork(&self) -> SimulatedDirectory {
        todo!()
    }
    /// All files with their contents, for tests and for images.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        todo!()
    }
    /// Replaces or makes a file, durably.
    pub fn put_file(&self, name: &str, bytes: &[u8]) {
        todo!()
    }
    /// Writes all files into a real folder.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        todo!()
    }
}

impl Directory for SimulatedDirectory {
    type File = SimulatedFile;
    fn list(&self) -> io::Result<Vec<String>> {
        todo!()
    }
    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        todo!()
    }
    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
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

impl File for SimulatedFile {
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

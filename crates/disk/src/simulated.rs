//! A disk in memory that loses, tears and damages data as real disks do, from a seed.
//!
//! Written data stays in a cache until it is synced: readers see it, a crash may lose it. Each file has a durable
//! image, the image that readers see, and the writes between the two; the folder has the same for its entries.

use crate::directory::{Directory, File};
use crate::format::SECTOR;
use crate::unsynced::{Change, Content, Kept, Write, put};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use volvox_core::Rng;

/// The faults of a simulated disk; `Faults::default()` is a good disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// All files together may grow no further than this; writes into space that they have still succeed.
    pub capacity_bytes: Option<u64>,
    /// Every write fails for lack of space, even into allocated space: a copy-on-write file system.
    pub full: bool,
    /// Writes that report success and never happen, in a million.
    pub lost_writes_ppm: u32,
    /// Writes that land at another sector of the same file, in a million.
    pub misdirected_writes_ppm: u32,
    /// Unsynced sectors that a crash leaves partly old and partly new, in a million of those it keeps.
    pub torn_sectors_ppm: u32,
    /// Every sync fails. The data that it should have made durable may be gone, and later syncs do not retry it.
    pub failed_sync: bool,
    /// Every write fails, and not for lack of space.
    pub failed_write: bool,
    /// Every read fails.
    pub failed_read: bool,
    /// The time that each sync adds to [`SimulatedDirectory::take_delay`].
    pub sync_delay: Duration,
}

/// A disk in memory. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SimulatedDirectory {
    disk: Arc<Mutex<Disk>>,
}

/// An open file of a simulated disk.
#[derive(Debug)]
pub struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    file: u64,
    boot: u64,
}

#[derive(Clone, Debug)]
struct Disk {
    files: BTreeMap<u64, Content>,
    entries: BTreeMap<String, u64>,
    safe_entries: BTreeMap<String, u64>,
    changes: Vec<Change>,
    next_file: u64,
    /// Files that were open at a crash belong to an earlier boot.
    boot: u64,
    faults: Faults,
    rng: Rng,
    delay: Duration,
}

impl SimulatedDirectory {
    /// An empty disk. The seed decides which writes its faults hit.
    pub fn new(seed: u64) -> SimulatedDirectory {
        let disk = Disk {
            files: BTreeMap::new(),
            entries: BTreeMap::new(),
            safe_entries: BTreeMap::new(),
            changes: Vec::new(),
            next_file: 1,
            boot: 1,
            faults: Faults::default(),
            rng: Rng::new(seed),
            delay: Duration::ZERO,
        };
        SimulatedDirectory { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Changes the faults of the disk, from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The power fails: of what is unsynced, some sectors and some changes of the folder survive. Open files are no
    /// longer usable.
    pub fn crash(&self, seed: u64) {
        self.lock().crash(&mut Rng::new(seed));
    }

    /// The power fails, and exactly what was synced survives. Open files are no longer usable.
    pub fn crash_to_synced(&self) {
        let mut disk = self.lock();
        for content in disk.files.values_mut() {
            content.unsynced.clear();
            content.seen = content.safe.clone();
        }
        disk.changes.clear();
        disk.entries = disk.safe_entries.clone();
        disk.forget_nameless();
        disk.boot += 1;
    }

    /// The process crashes but the machine does not: everything written is still there, and still unsynced. Open files
    /// are no longer usable.
    pub fn kill(&self) {
        self.lock().boot += 1;
    }

    /// Everything is deleted. Open files are no longer usable.
    pub fn erase(&self) {
        let mut disk = self.lock();
        disk.files.clear();
        disk.entries.clear();
        disk.safe_entries.clear();
        disk.changes.clear();
        disk.boot += 1;
    }

    /// One random bit of a random file flips at rest; returns which byte of which file. `None` on an empty disk.
    pub fn flip_bit(&self, seed: u64) -> Option<(String, u64)> {
        let mut rng = Rng::new(seed);
        let sizes: Vec<(String, u64)> =
            self.files().into_iter().map(|(name, bytes)| (name, bytes.len() as u64)).collect();
        let total = sizes.iter().map(|(_, size)| size).sum();
        if total == 0 {
            return None;
        }
        let mut place = rng.below(total);
        for (name, size) in sizes {
            if place < size {
                self.flip_at(&name, place, 1 << rng.below(8));
                return Some((name, place));
            }
            place -= size;
        }
        unreachable!("the place lies in one of the files")
    }

    /// These bits of a byte flip at rest.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn flip_at(&self, name: &str, offset: u64, bits: u8) {
        let mut disk = self.lock();
        let file = disk.entries[name];
        let content = disk.files.get_mut(&file).expect("an entry's file");
        let offset = offset as usize;
        content.seen[offset] ^= bits;
        if let Some(byte) = content.safe.get_mut(offset) {
            *byte ^= bits;
        }
    }

    /// The delay of all syncs since the last call.
    pub fn take_delay(&self) -> Duration {
        std::mem::take(&mut self.lock().delay)
    }

    /// The size of all files in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.lock().used_bytes()
    }

    /// An independent copy.
    pub fn fork(&self) -> SimulatedDirectory {
        let disk = self.lock().clone();
        SimulatedDirectory { disk: Arc::new(Mutex::new(disk)) }
    }

    /// All files as readers see them, by name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let disk = self.lock();
        disk.entries.iter().map(|(name, file)| (name.clone(), disk.files[file].seen.clone())).collect()
    }

    /// Writes a file durably, replacing any of that name.
    pub fn put_file(&self, name: &str, bytes: &[u8]) {
        let mut disk = self.lock();
        let file = disk.new_file();
        disk.files.insert(file, Content { seen: bytes.to_vec(), safe: bytes.to_vec(), unsynced: Vec::new() });
        disk.entries.insert(name.to_owned(), file);
        disk.safe_entries.insert(name.to_owned(), file);
    }

    /// Copies all files into a real folder, which must exist.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (name, bytes) in self.files() {
            std::fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no panic while the disk was held")
    }

    fn open_file(&self, file: u64) -> SimulatedFile {
        SimulatedFile { disk: Arc::clone(&self.disk), file, boot: self.lock().boot }
    }
}

impl Directory for SimulatedDirectory {
    type File = SimulatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let disk = self.lock();
        if disk.faults.failed_read {
            return Err(broken());
        }
        Ok(disk.entries.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let file = self.lock().entries.get(name).copied().ok_or_else(|| missing(name))?;
        Ok(self.open_file(file))
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut disk = self.lock();
        disk.check_write()?;
        let file = disk.new_file();
        disk.files.insert(file, Content::default());
        disk.change(Change::Create { name: name.to_owned(), file });
        drop(disk);
        Ok(self.open_file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.lock();
        disk.check_write()?;
        let file = disk.entries.get(from).copied().ok_or_else(|| missing(from))?;
        disk.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.lock();
        if !disk.entries.contains_key(name) {
            return Err(missing(name));
        }
        disk.change(Change::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.lock();
        let delay = disk.faults.sync_delay;
        disk.delay += delay;
        if disk.faults.failed_sync {
            let mut rng = disk.rng.clone();
            disk.keep_changes(&mut rng);
            disk.rng = rng;
            return Err(broken());
        }
        disk.safe_entries = disk.entries.clone();
        disk.changes.clear();
        disk.forget_nameless();
        Ok(())
    }
}

impl File for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.lock()?.content(self.file)?.seen.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.lock()?;
        if disk.faults.failed_read {
            return Err(broken());
        }
        let seen = &disk.content(self.file)?.seen;
        let rest = seen.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.lock()?;
        disk.check_write()?;
        let mut offset = offset as usize;
        let length = disk.content(self.file)?.seen.len();
        let growth = (offset + bytes.len()).saturating_sub(length) as u64;
        if let Some(capacity) = disk.faults.capacity_bytes
            && growth > 0
            && disk.used_bytes() + growth > capacity
        {
            return Err(full());
        }
        let (lost, misdirected) = (disk.faults.lost_writes_ppm, disk.faults.misdirected_writes_ppm);
        if disk.rng.chance_ppm(lost) {
            return Ok(());
        }
        if disk.rng.chance_ppm(misdirected) {
            let places = (length / SECTOR).saturating_sub(bytes.len().div_ceil(SECTOR)) as u64 + 1;
            offset = disk.rng.below(places) as usize * SECTOR;
        }
        let content = disk.content(self.file)?;
        put(&mut content.seen, offset, bytes);
        content.unsynced.push(Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.lock()?;
        let delay = disk.faults.sync_delay;
        disk.delay += delay;
        if disk.faults.failed_sync {
            let (mut rng, torn) = (disk.rng.clone(), disk.faults.torn_sectors_ppm);
            disk.content(self.file)?.keep_sectors(&mut rng, torn);
            disk.rng = rng;
            return Err(broken());
        }
        let content = disk.content(self.file)?;
        for write in std::mem::take(&mut content.unsynced) {
            put(&mut content.safe, write.offset, &write.bytes);
        }
        Ok(())
    }
}

impl SimulatedFile {
    fn lock(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk.lock().expect("no panic while the disk was held");
        if disk.boot == self.boot { Ok(disk) } else { Err(broken()) }
    }
}

impl Disk {
    fn new_file(&mut self) -> u64 {
        self.next_file += 1;
        self.next_file
    }

    fn content(&mut self, file: u64) -> io::Result<&mut Content> {
        self.files.get_mut(&file).ok_or_else(broken)
    }

    fn used_bytes(&self) -> u64 {
        self.entries.values().map(|file| self.files[file].seen.len() as u64).sum()
    }

    fn check_write(&self) -> io::Result<()> {
        if self.faults.full {
            return Err(full());
        }
        if self.faults.failed_write { Err(broken()) } else { Ok(()) }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.entries);
        self.changes.push(change);
    }

    fn crash(&mut self, rng: &mut Rng) {
        let torn = self.faults.torn_sectors_ppm;
        for content in self.files.values_mut() {
            content.keep_sectors(rng, torn);
            content.seen = content.safe.clone();
        }
        self.keep_changes(rng);
        self.entries = self.safe_entries.clone();
        self.forget_nameless();
        self.boot += 1;
    }

    /// Journals keep the order of changes and lose the last ones; POSIX promises nothing. This disk does both.
    fn keep_changes(&mut self, rng: &mut Rng) {
        let kept = Kept::draw(rng, self.changes.len());
        for (index, change) in std::mem::take(&mut self.changes).into_iter().enumerate() {
            if kept.keeps(index, rng) {
                change.apply(&mut self.safe_entries);
            }
        }
    }

    fn forget_nameless(&mut self) {
        let (entries, safe) = (&self.entries, &self.safe_entries);
        let named: std::collections::BTreeSet<u64> = entries.values().chain(safe.values()).copied().collect();
        self.files.retain(|file, _| named.contains(file));
    }
}

/// The error that Linux reports when a disk fails.
fn broken() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

/// The error that Linux reports when a disk is full.
fn full() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{name} does not exist"))
}

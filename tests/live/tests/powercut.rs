//! A short `cargo xtask powercut`, and a disk that forgets its syncs, which it must notice.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use volvox_disk::{Directory, File, RealDirectory, RecordingDirectory};
use volvox_live::live_node::block_on;
use volvox_live::powercut::load::{Tape, record};
use volvox_live::powercut::restart::Image;
use volvox_live::powercut::{cuts, keep, restart_all};

const WRITES: usize = 1500;
const SEED: u64 = 5;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("volvox-powercut-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn tape<D: Directory + 'static>(name: &str, wrap: impl Fn(RecordingDirectory<RealDirectory>) -> D) -> Tape {
    let folder = folder(name);
    let tape = block_on(record(&folder, SEED, WRITES, wrap)).expect("the cluster works");
    std::fs::remove_dir_all(&folder).expect("our own folder");
    tape
}

#[test]
fn every_acknowledged_write_survives_power_cuts() {
    let tape = tape("honest", |directory| directory);
    let cuts = cuts(&tape, 20, SEED);
    let verdict = restart_all(&tape, &cuts, |_| {}).expect("threads");
    assert!(verdict.failures.is_empty(), "{:#?}", verdict.failures);
    assert_eq!(verdict.images, 20);
    assert!(verdict.found > 20 * 100, "{} writes were looked for: the test has lost its teeth", verdict.found);
}

#[test]
fn a_log_that_acknowledges_before_its_sync_is_caught_and_the_image_replays() {
    let tape = tape("forgetful", Forgetful);
    let cuts = cuts(&tape, 12, SEED);
    let verdict = restart_all(&tape, &cuts, |_| {}).expect("threads");
    assert!(!verdict.failures.is_empty(), "no image of {} noticed that nothing was synced", verdict.images);
    let folder = folder("kept");
    let (cut, what) = &verdict.failures[0];
    let kept = keep(&tape, *cut, &folder).expect("written");
    let image = Image::load(&kept).expect("just written");
    let again = block_on(image.restart()).expect_err("the same image breaks the same promise");
    assert_eq!(format!("{again:#}"), *what);
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

/// The first sync of a file is honest, and the folder's are: the log begins. No later one happens.
struct Forgetful<D>(D);

struct ForgetfulFile<F> {
    inner: F,
    syncs: AtomicU64,
}

impl<F> ForgetfulFile<F> {
    fn new(inner: F) -> ForgetfulFile<F> {
        ForgetfulFile { inner, syncs: AtomicU64::new(0) }
    }
}

impl<D: Directory> Directory for Forgetful<D> {
    type File = ForgetfulFile<D::File>;

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        self.0.open(name).map(ForgetfulFile::new)
    }

    fn create(&self, name: &str) -> io::Result<Self::File> {
        self.0.create(name).map(ForgetfulFile::new)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl<F: File> File for ForgetfulFile<F> {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        match self.syncs.fetch_add(1, Ordering::Relaxed) {
            0 => self.inner.sync(),
            _ => Ok(()),
        }
    }
}

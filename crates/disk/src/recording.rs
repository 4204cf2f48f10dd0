//! A folder that records every operation, so that a power cut at any moment can be replayed afterwards.
//!
//! `kill -9` never tests fsync: the operating system still writes what the process had not synced. A recording does:
//! for each seed it restores the folder as a power cut at any moment could have left it.

use crate::directory::{Directory, File};
use crate::simulated::{SimulatedDirectory, SimulatedFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// One clock for the recordings of all nodes of a cluster, and for the acknowledgements that their clients saw.
#[derive(Clone, Debug, Default)]
pub struct SequenceCounter(Arc<AtomicU64>);

impl SequenceCounter {
    /// The next number. A client that takes one when it has seen an acknowledgement knows that a power cut at this
    /// number, or later, must not lose the acknowledged write.
    pub fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The last number that was taken.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The operations on one folder. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Recording {
    tape: Arc<Mutex<Tape>>,
}

#[derive(Debug)]
struct Tape {
    /// The folder when the recording began.
    base: SimulatedDirectory,
    base_names: BTreeMap<String, u64>,
    names: BTreeMap<String, u64>,
    next_file: u64,
    operations: Vec<(u64, Operation)>,
    /// How far the operations were replayed last: cuts are mostly requested in ascending order.
    replay: Option<Replay>,
}

#[derive(Debug)]
struct Replay {
    state: SimulatedDirectory,
    open: BTreeMap<u64, SimulatedFile>,
    done: usize,
}

/// Files are numbered, since names change.
#[derive(Clone, Debug)]
enum Operation {
    Create {
        file: u64,
        name: String,
    },
    Write {
        file: u64,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    /// Most bytes that are written prepare segments, and are zero.
    WriteZeros {
        file: u64,
        offset: u64,
        length: usize,
    },
    Sync {
        file: u64,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        name: String,
    },
    SyncDirectory,
}

impl Recording {
    /// The folder as a power cut at `sequence` could have left it: everything that was synced by then, and of the rest
    /// a random choice of sectors and of folder changes.
    pub fn image_at(&self, sequence: u64, seed: u64) -> SimulatedDirectory {
        let image = self.state_at(sequence);
        image.crash(seed);
        image
    }

    /// The folder as it was at `sequence`, with what was unsynced still unsynced.
    pub fn state_at(&self, sequence: u64) -> SimulatedDirectory {
        let mut tape = self.lock();
        let until = tape.operations.partition_point(|(at, _)| *at <= sequence);
        let replay = tape.replay.take().filter(|replay| replay.done <= until);
        let mut replay = replay.unwrap_or_else(|| tape.rewound());
        for (_, operation) in &tape.operations[replay.done..until] {
            operation.replay(&replay.state, &mut replay.open).expect("what was possible once is possible again");
        }
        replay.done = until;
        let state = replay.state.fork();
        tape.replay = Some(replay);
        state
    }

    /// How often a file was synced, the folder not counted.
    pub fn file_syncs(&self) -> u64 {
        let is_sync = |(_, operation): &&(u64, Operation)| matches!(operation, Operation::Sync { .. });
        self.lock().operations.iter().filter(is_sync).count() as u64
    }

    /// The sequence numbers of all operations, in ascending order: every moment at which a power cut differs.
    pub fn sequences(&self) -> Vec<u64> {
        self.lock().operations.iter().map(|(sequence, _)| *sequence).collect()
    }

    /// Every name that a file got, by creation or renaming, for tests to count.
    pub fn names_ever(&self) -> Vec<String> {
        let tape = self.lock();
        let given = tape.operations.iter().filter_map(|(_, operation)| match operation {
            Operation::Create { name, .. } => Some(name.clone()),
            Operation::Rename { to, .. } => Some(to.clone()),
            _ => None,
        });
        given.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().expect("no panic while the recording was held")
    }
}

impl Tape {
    /// The beginning.
    fn rewound(&self) -> Replay {
        let state = self.base.fork();
        let open = self.base_names.iter();
        let open = open.map(|(name, file)| (*file, state.open(name).expect("a file of the base"))).collect();
        Replay { state, open, done: 0 }
    }
}

impl Operation {
    fn replay(&self, state: &SimulatedDirectory, open: &mut BTreeMap<u64, SimulatedFile>) -> io::Result<()> {
        match self {
            Operation::Create { file, name } => {
                open.insert(*file, state.create(name)?);
                Ok(())
            }
            Operation::Write { file, offset, bytes } => open[file].write_at(bytes, *offset),
            Operation::WriteZeros { file, offset, length } => open[file].write_at(&vec![0; *length], *offset),
            Operation::Sync { file } => open[file].sync(),
            Operation::Rename { from, to } => state.rename(from, to),
            Operation::Remove { name } => state.remove(name),
            Operation::SyncDirectory => state.sync(),
        }
    }
}

/// Forwards every operation, and records it. One thread at a time may change the folder, as a log does. Clones record
/// to the same tape, for the log that opens the folder next.
#[derive(Clone, Debug)]
pub struct RecordingDirectory<D> {
    inner: D,
    sequence: SequenceCounter,
    recording: Recording,
}

/// A file of a recording folder.
#[derive(Debug)]
pub struct RecordingFile<F> {
    inner: F,
    file: u64,
    sequence: SequenceCounter,
    recording: Recording,
}

impl<D: Directory> RecordingDirectory<D> {
    /// Copies the current content of the folder as durable, and records from here on.
    pub fn new(inner: D, sequence: SequenceCounter) -> io::Result<RecordingDirectory<D>> {
        let base = SimulatedDirectory::new(0);
        let mut names = BTreeMap::new();
        for (name, number) in inner.list()?.into_iter().zip(1..) {
            let file = inner.open(&name)?;
            let mut bytes = vec![0; file.length()? as usize];
            let read = file.read_at(&mut bytes, 0)?;
            base.put_file(&name, &bytes[..read]);
            names.insert(name, number);
        }
        let next_file = names.len() as u64 + 1;
        let tape = Tape { base, base_names: names.clone(), names, next_file, operations: Vec::new(), replay: None };
        Ok(RecordingDirectory { inner, sequence, recording: Recording { tape: Arc::new(Mutex::new(tape)) } })
    }

    /// The recording, which continues.
    pub fn recording(&self) -> Recording {
        self.recording.clone()
    }

    fn file(&self, inner: D::File, file: u64) -> RecordingFile<D::File> {
        RecordingFile { inner, file, sequence: self.sequence.clone(), recording: self.recording.clone() }
    }

    fn record(&self, operation: Operation) {
        self.recording.lock().operations.push((self.sequence.tick(), operation));
    }
}

// A change is recorded before it is made, a sync after it was made: an acknowledgement that a client saw then has a
// higher number than the sync that it depends on.
impl<D: Directory> Directory for RecordingDirectory<D> {
    type File = RecordingFile<D::File>;

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        let inner = self.inner.open(name)?;
        let file = self.recording.lock().names.get(name).copied();
        let file = file.ok_or_else(|| io::Error::other(format!("{name} came from elsewhere while recording")))?;
        Ok(self.file(inner, file))
    }

    fn create(&self, name: &str) -> io::Result<Self::File> {
        let inner = self.inner.create(name)?;
        let mut tape = self.recording.lock();
        let file = tape.next_file;
        tape.next_file += 1;
        tape.names.insert(name.to_owned(), file);
        drop(tape);
        self.record(Operation::Create { file, name: name.to_owned() });
        Ok(self.file(inner, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)?;
        let mut tape = self.recording.lock();
        if let Some(file) = tape.names.remove(from) {
            tape.names.insert(to.to_owned(), file);
        }
        drop(tape);
        self.record(Operation::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)?;
        self.recording.lock().names.remove(name);
        self.record(Operation::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()?;
        self.record(Operation::SyncDirectory);
        Ok(())
    }
}

impl<F: File> File for RecordingFile<F> {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let operation = match bytes.iter().all(|byte| *byte == 0) {
            true => Operation::WriteZeros { file: self.file, offset, length: bytes.len() },
            false => Operation::Write { file: self.file, offset, bytes: Arc::from(bytes) },
        };
        self.record(operation);
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()?;
        self.record(Operation::Sync { file: self.file });
        Ok(())
    }
}

impl<F> RecordingFile<F> {
    fn record(&self, operation: Operation) {
        self.recording.lock().operations.push((self.sequence.tick(), operation));
    }
}

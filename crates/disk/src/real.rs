//! A folder of the operating system.

use crate::directory::{Directory, File};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The name of the file that is locked while the folder is in use.
const LOCK: &str = "LOCK";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process, or another log of this one, holds the lock. The lock is released when that process ends,
    /// however it ends.
    #[error("the folder {0} is in use by another node: stop that node, or name another folder")]
    InUse(PathBuf),
    /// The folder could not be created, opened or locked.
    #[error("cannot use the folder {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A real folder, exclusively ours while this value lives.
#[derive(Debug)]
pub struct RealDirectory {
    path: PathBuf,
    folder: fs::File,
    _lock: fs::File,
}

/// A file of a real folder.
#[derive(Debug)]
pub struct RealFile {
    path: PathBuf,
    file: fs::File,
}

impl RealDirectory {
    /// Opens a folder, creating it if it is missing, and locks it.
    pub fn open(path: impl Into<PathBuf>) -> Result<RealDirectory, FolderError> {
        let path = path.into();
        let failed = |source| FolderError::Io { path: path.clone(), source };
        make_folder(&path).map_err(failed)?;
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(FolderError::InUse(path)),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let folder = fs::File::open(&path).map_err(failed)?;
        Ok(RealDirectory { path, folder, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Creates a folder and its missing parents, each durable in the one above.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_folder(parent)?;
    match fs::create_dir(path) {
        Ok(()) => fs::File::open(parent)?.sync_all(),
        // Another process created it between our check and our call.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

impl Directory for RealDirectory {
    type File = RealFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|error| at(&self.path, error))? {
            let entry = entry.map_err(|error| at(&self.path, error))?;
            // A name that is not UTF-8 is not ours.
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
                && entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let file = fs::OpenOptions::new().read(true).write(true).open(&path).map_err(|error| at(&path, error))?;
        Ok(RealFile { path, file })
    }

    fn create(&self, name: &str) -> io::Result<RealFile> {
        let path = self.path.join(name);
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path);
        Ok(RealFile { file: file.map_err(|error| at(&path, error))?, path })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = self.path.join(to);
        fs::rename(self.path.join(from), &to).map_err(|error| at(&to, error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        fs::remove_file(&path).map_err(|error| at(&path, error))
    }

    fn sync(&self) -> io::Result<()> {
        self.folder.sync_all().map_err(|error| at(&self.path, error))
    }
}

impl File for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(|error| at(&self.path, error))?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at(&self.path, error)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| at(&self.path, error))
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| at(&self.path, error))
    }
}

/// The same error, naming the path; its kind stays.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

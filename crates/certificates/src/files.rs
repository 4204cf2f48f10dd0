//! Files that may change while they are in use.

use crate::error::CertificatesError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Some files, and the value last loaded from them.
pub struct Files<T> {
    paths: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, CertificatesError> + Send + Sync>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    stamps: Vec<Option<Stamp>>,
    made: Arc<T>,
}

/// The metadata that reveals a change.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    is_file: bool,
    length_bytes: u64,
    changed: Option<SystemTime>,
}

impl<T> Files<T> {
    /// Loads a value from files by `read`, now and whenever one of `paths` has changed. The first path represents all
    /// of them in the log.
    ///
    /// # Errors
    /// The error of `read`.
    pub fn load(
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<T, CertificatesError> + Send + Sync + 'static,
    ) -> Result<Files<T>, CertificatesError> {
        assert!(!paths.is_empty(), "what is made of no file does not change");
        // Taken before reading, so that the next caller notices a change in between.
        let stamps = stamps(&paths);
        let current = Mutex::new(Current { stamps, made: Arc::new(read()?) });
        Ok(Files { paths, read: Box::new(read), current })
    }

    /// The value of the current files; while they cannot be used, the last good value.
    pub fn latest(&self) -> Arc<T> {
        let mut current = self.current.lock().expect("no panic holds this lock");
        let stamps = stamps(&self.paths);
        if stamps != current.stamps {
            match self.read_again(&stamps) {
                Ok(made) => {
                    tracing::info!(certificate = %self.paths[0].display(), "the files for TLS were read again");
                    current.made = Arc::new(made);
                }
                Err(error) => tracing::warn!("{error}; the certificate read before stays in use"),
            }
            // Also for unusable files, so that the error is logged once per change, not once per connection.
            current.stamps = stamps;
        }
        Arc::clone(&current.made)
    }

    /// A caller here holds up every connection, so nothing may block, as a pipe may at the start.
    fn read_again(&self, stamps: &[Option<Stamp>]) -> Result<T, CertificatesError> {
        for (path, stamp) in self.paths.iter().zip(stamps) {
            if stamp.is_some_and(|stamp| !stamp.is_file) {
                return Err(CertificatesError::NotAFile { path: path.clone() });
            }
        }
        (self.read)()
    }
}

impl<T> fmt::Debug for Files<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files").field(&self.paths).finish()
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Stamp { is_file: metadata.is_file(), length_bytes: metadata.len(), changed: metadata.modified().ok() })
    };
    paths.iter().map(|path| stamp(path)).collect()
}

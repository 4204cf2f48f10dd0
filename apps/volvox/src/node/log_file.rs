//! The log of events: readable lines, one file per node, rotated.

use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A file is renamed to `FILE.1` once it is this long; its predecessor is deleted.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Sends the log to a file or to standard error.
///
/// # Errors
/// When the file cannot be opened, or the filter is invalid.
pub fn start(filter: &str, path: Option<&Path>) -> Result<()> {
    // Directives of targets and levels, without patterns: those would bring two crates of regular expressions along.
    let filter: Targets = filter.parse().with_context(|| format!("--log {filter:?}"))?;
    let writer = match path {
        Some(path) => writer(path)?,
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    Ok(())
}

/// A writer of lines to a file that is rotated.
///
/// # Errors
/// When the file cannot be opened.
pub fn writer(path: &Path) -> Result<BoxMakeWriter> {
    let rotating = Rotating::open(path)?;
    Ok(BoxMakeWriter::new(move || rotating.clone()))
}

/// A file that is rotated when it has become long.
#[derive(Clone)]
struct Rotating {
    inner: Arc<Mutex<(File, u64)>>,
    path: PathBuf,
}

impl Rotating {
    fn open(path: &Path) -> Result<Rotating> {
        let open = || -> std::io::Result<(File, u64)> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let inner = open().with_context(|| format!("cannot open the log file {}", path.display()))?;
        Ok(Rotating { inner: Arc::new(Mutex::new(inner)), path: path.to_owned() })
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut inner = self.inner.lock().expect("no panic holds this lock");
        if inner.1 > FILE_BYTES_MAX {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            std::fs::rename(&self.path, aside)?;
            *inner = (OpenOptions::new().create(true).append(true).open(&self.path)?, 0);
        }
        inner.0.write_all(line)?;
        inner.1 += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_filter_that_is_none_is_refused_with_its_text() {
        let error = super::start("warn,volvox_net=loud", None).unwrap_err();
        assert!(format!("{error:#}").starts_with("--log \"warn,volvox_net=loud\": "), "{error:#}");
    }
}

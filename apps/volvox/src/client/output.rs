//! The output of commands: lines of bytes for people, JSON documents for machines.

use std::io::{self, BufWriter, Stdout, Write};

use anyhow::Result;
use serde_json::Value;

/// Standard output, as lines or as documents.
pub struct Printer {
    json: bool,
    out: BufWriter<Stdout>,
}

impl Printer {
    /// A printer of documents (`json`) or of lines.
    pub fn new(json: bool) -> Printer {
        let out = BufWriter::new(io::stdout());
        Printer { json, out }
    }

    /// Whether it prints documents, not lines.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Prints bytes as they are, and ends the line.
    pub fn line(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.out.write_all(bytes.as_ref())?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Prints a document on one line and flushes it.
    pub fn document(&mut self, document: &Value) -> Result<()> {
        serde_json::to_writer(&mut self.out, document).map_err(io::Error::from)?;
        self.line("")?;
        self.flush()
    }

    /// Flushes everything printed so far.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        // A failure here cannot be reported to anyone: the commands flush where it matters.
        let _ = self.out.flush();
    }
}

/// Whether the reader of our output has closed the pipe (`volvox get ... | head -1`).
pub fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

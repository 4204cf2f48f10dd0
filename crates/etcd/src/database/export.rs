//! A database of etcd from a store, to a file.

use super::fill::Fill;
use super::integrity::HASH_BYTES;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use volvox_bolt::{Image, WriteError};
use volvox_store::View;

/// A view that is written as a database: measured first, since the front of the file depends on the rest.
pub struct Export {
    view: View,
    image: Image,
}

impl Export {
    /// Measures the database of a view.
    ///
    /// # Errors
    /// When a value is longer than the format allows.
    pub fn new(view: View) -> Result<Export, WriteError> {
        let image = volvox_bolt::measure(|writer| Fill::all(&view, writer))?;
        Ok(Export { view, image })
    }

    /// The bytes of the database, without the hash at its end.
    pub fn byte_length(&self) -> u64 {
        self.image.byte_length()
    }

    /// Writes the database, and the hash of it.
    ///
    /// # Errors
    /// When the output fails.
    pub fn write(&self, output: impl Write) -> Result<(), WriteError> {
        let mut sealed = SealedWriter { output, hash: Sha256::new() };
        self.image.write(&mut sealed, |writer| Fill::all(&self.view, writer))?;
        sealed.seal()?;
        Ok(())
    }
}

/// An output that ends with the hash of what went through it.
struct SealedWriter<W> {
    output: W,
    hash: Sha256,
}

impl<W: Write> SealedWriter<W> {
    /// Writes the hash.
    fn seal(mut self) -> io::Result<()> {
        let hash: [u8; HASH_BYTES] = self.hash.finalize().into();
        self.output.write_all(&hash)?;
        self.output.flush()
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

//! Writes a whole database from its first byte to its last.

use crate::error::WriteError;
use crate::format::{FREELIST, KEY_BYTES_MAX, NESTING_MAX, PAGE_BYTES, VALUE_BYTES_MAX};
use crate::meta::Meta;
use crate::page::header;
use crate::pages::{HEAD_PAGES, Pages};
use crate::tree::Tree;
use std::io::{self, Write};

/// The numbers of a database's pages, which must be known before they are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    page_bytes: usize,
    root: u64,
    pages: u64,
}

impl Image {
    /// The bytes of the whole file.
    pub fn byte_length(&self) -> u64 {
        self.pages * self.page_bytes as u64
    }

    /// Writes the whole file, whose contents were measured before.
    ///
    /// # Errors
    /// When the output fails, or `fill` does not do what it did before.
    pub fn write<E: From<WriteError>>(
        &self,
        mut output: impl Write,
        mut fill: impl FnMut(&mut Writer<&mut dyn Write>) -> Result<(), E>,
    ) -> Result<(), E> {
        output.write_all(&self.head()).map_err(WriteError::Io)?;
        let mut writer = Writer::new(&mut output as &mut dyn Write, self.page_bytes);
        fill(&mut writer)?;
        if writer.finish()? != *self {
            return Err(WriteError::Changed.into());
        }
        output.flush().map_err(WriteError::Io)?;
        Ok(())
    }

    /// The front of the file: the pages before those that a [`Writer`] writes.
    pub fn head(&self) -> Vec<u8> {
        let meta = |transaction: u64| Meta {
            page_bytes: self.page_bytes as u32,
            root: self.root,
            sequence: 0,
            freelist: HEAD_PAGES - 1,
            pages: self.pages,
            transaction,
        };
        let mut head = [meta(0).to_page(0), meta(1).to_page(1)].concat();
        head.extend_from_slice(&header(HEAD_PAGES - 1, FREELIST, 0, 0));
        head.resize(HEAD_PAGES as usize * self.page_bytes, 0);
        head
    }
}

/// Learns what a database with these contents needs to know. `fill` offers the buckets and pairs, in order.
///
/// # Errors
/// When `fill` fails, or does something that cannot be written.
pub fn measure<E: From<WriteError>>(
    mut fill: impl FnMut(&mut Writer<&mut dyn Write>) -> Result<(), E>,
) -> Result<Image, E> {
    let mut nowhere = io::sink();
    let mut writer = Writer::new(&mut nowhere as &mut dyn Write, PAGE_BYTES);
    fill(&mut writer)?;
    Ok(writer.finish()?)
}

/// Writes a database. `fill` is called twice, since the front of the file depends on the rest, and must do the same
/// both times.
///
/// # Errors
/// When the output fails, or as [`measure`].
pub fn write<E: From<WriteError>>(
    output: impl Write,
    mut fill: impl FnMut(&mut Writer<&mut dyn Write>) -> Result<(), E>,
) -> Result<Image, E> {
    let image = measure(&mut fill)?;
    image.write(output, fill)?;
    Ok(image)
}

/// The pages of a database behind its head. Keys and names come in ascending order in every bucket.
pub struct Writer<W> {
    pages: Pages<W>,
    /// The root bucket, and those that are open in it, each with its name in the one before.
    open: Vec<(Vec<u8>, Tree)>,
}

impl<W: Write> Writer<W> {
    /// Begins with an empty database.
    pub fn new(output: W, page_bytes: usize) -> Writer<W> {
        let pages = Pages::new(output, page_bytes);
        Writer { pages, open: vec![(Vec::new(), Tree::default())] }
    }

    /// Begins a bucket inside the present one.
    ///
    /// # Errors
    /// When its name is out of bounds or order.
    pub fn open_bucket(&mut self, name: &[u8]) -> Result<(), WriteError> {
        if self.open.len() > NESTING_MAX {
            return Err(WriteError::NestedTooDeep);
        }
        check_key(name)?;
        self.open.push((name.to_vec(), Tree::default()));
        Ok(())
    }

    /// Adds a pair to the present bucket.
    ///
    /// # Errors
    /// When it is out of bounds or order, or no bucket is open.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        check_key(key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(WriteError::ValueLength(value.len()));
        }
        match self.open.last_mut() {
            Some((name, tree)) if !name.is_empty() => tree.push(key, value, false, &mut self.pages),
            _ => Err(WriteError::NoBucket),
        }
    }

    /// Ends the present bucket.
    ///
    /// # Errors
    /// When no bucket is open, or its name is not greater than those before it.
    pub fn close_bucket(&mut self) -> Result<(), WriteError> {
        let (name, tree) = self.open.pop().ok_or(WriteError::NoBucket)?;
        let (_, around) = self.open.last_mut().ok_or(WriteError::NoBucket)?;
        let value = tree.finish(&mut self.pages)?;
        around.push(&name, &value, true, &mut self.pages)
    }

    /// The output, to take away what was written so far.
    pub fn output_mut(&mut self) -> &mut W {
        self.pages.output_mut()
    }

    /// Ends the database.
    ///
    /// # Errors
    /// When a bucket is still open.
    pub fn finish(self) -> Result<Image, WriteError> {
        Ok(self.finish_with_output()?.0)
    }

    /// Ends the database, and returns the output with the last pages.
    ///
    /// # Errors
    /// When a bucket is still open.
    pub fn finish_with_output(mut self) -> Result<(Image, W), WriteError> {
        match (self.open.pop(), self.open.pop()) {
            (Some((_, mut root)), None) => {
                let root = root.finish_root(&mut self.pages)?;
                let (page_bytes, pages) = (self.pages.page_bytes(), self.pages.end());
                Ok((Image { page_bytes, root, pages }, self.pages.into_output()))
            }
            _ => Err(WriteError::NoBucket),
        }
    }
}

fn check_key(key: &[u8]) -> Result<(), WriteError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX { Err(WriteError::KeyLength(key.len())) } else { Ok(()) }
}

//! A database, open for reading.

use crate::bucket::{Bucket, Place};
use crate::error::Error;
use crate::file::PageFile;
use crate::walk::{Item, Walk};
use std::io::{Read, Seek};

/// A database of bbolt.
#[derive(Debug)]
pub struct Database<R> {
    file: PageFile<R>,
}

impl<R: Read + Seek> Database<R> {
    /// Opens a file: chooses the newest valid state.
    ///
    /// # Errors
    /// When the file is not a database, or was cut.
    pub fn open(input: R) -> Result<Database<R>, Error> {
        Ok(Database { file: PageFile::open(input)? })
    }

    /// The bytes of a page.
    pub fn page_bytes(&self) -> u64 {
        u64::from(self.file.meta.page_bytes)
    }

    /// The bytes of the whole database; what follows them in the file is not part of it.
    pub fn byte_length(&self) -> u64 {
        self.file.meta.pages * self.page_bytes()
    }

    /// The number of the transaction that wrote the state.
    pub fn transaction(&self) -> u64 {
        self.file.meta.transaction
    }

    /// The root bucket, in which all others are.
    pub fn root(&self) -> Bucket {
        let meta = &self.file.meta;
        Bucket { place: Place::Page(meta.root), sequence: meta.sequence, nesting: 0, named_in: 0 }
    }

    /// The bucket of this name in the root bucket.
    ///
    /// # Errors
    /// When the way to it is damaged.
    pub fn bucket(&mut self, name: &[u8]) -> Result<Option<Bucket>, Error> {
        let root = self.root();
        let mut walk = self.walk(&root)?;
        while let Some(item) = walk.next()? {
            match item {
                Item::Bucket { name: found, bucket } if found == name => return Ok(Some(bucket)),
                Item::Bucket { .. } | Item::Pair { .. } => {}
            }
        }
        Ok(None)
    }

    /// The entries of a bucket, in the order of their keys.
    ///
    /// # Errors
    /// When its first page is damaged.
    pub fn walk(&mut self, bucket: &Bucket) -> Result<Walk<'_, R>, Error> {
        Walk::new(&mut self.file, bucket)
    }
}

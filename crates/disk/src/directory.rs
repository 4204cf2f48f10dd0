//! The file system operations that the log needs.

use std::io;

/// One folder of files, without subfolders. Its changes of entries are durable only after [`Directory::sync`].
pub trait Directory: Send {
    /// An open file of this folder.
    type File: File;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file that exists, to read and write.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Creates an empty file, replacing any of that name.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Renames a file, replacing any that has the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Deletes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until every create, rename and remove so far is durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. Writes are durable only after [`File::sync`].
pub trait File: Send {
    /// Its length.
    fn length(&self) -> io::Result<u64>;
    /// Reads from `offset`, fewer bytes than asked for only at the end of the file; returns their number.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`; the file grows where they go past its end.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Waits until every write so far, and the length that it needs, is durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

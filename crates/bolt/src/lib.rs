//! The database file of bbolt, read and written.
//!
//! # The problem
//!
//! etcd keeps its data in one file of bbolt, and a snapshot of etcd is a copy of that file. An operator who moves between
//! etcd and another server carries this file. It comes from outside, so it may be cut, damaged or forged: a page may
//! point at itself, a length beyond the end, a hundred entries at one large value. A reader must answer with the pairs
//! or with the reason why there are none, within memory that the file's own size explains.
//!
//! # The format
//!
//! The file is an array of pages of equal size, numbered from 0. A page that does not fit into one takes the next ones
//! too: its *overflow*. All numbers are little-endian.
//!
//! ```text
//!   page 0   page 1   page 2 ...                                       high-water mark
//! +--------+--------+----------+------+------+--------+---------------+
//! | meta   | meta   | freelist | leaf | leaf | branch | leaf ........ |    any order, holes allowed
//! +--------+--------+----------+------+------+--------+---------------+
//!
//!  every page:  id u64 | flags u16: 1 branch, 2 leaf, 4 meta, 16 freelist | count u16 | overflow u32 | ...
//!
//!  meta:        magic u32 = ed0cdaed | version u32 = 2 | page size u32 | flags u32
//!               root bucket: page u64, sequence u64 | freelist u64 | high-water mark u64 | transaction u64
//!               checksum u64: FNV-1a of the 56 bytes before
//!
//!  leaf:        count times: flags u32: 1 is a bucket | position u32 | key length u32 | value length u32
//!               then the keys and values; a position counts from its own entry
//!
//!  branch:      count times: position u32 | key length u32 | page u64
//!               then the keys: each is at most the first key below that page
//!
//!  bucket:      the value of its entry: root page u64 | sequence u64 [| an inline leaf page, if the root is 0]
//!
//!  freelist:    count page numbers u64; a count of ffff stands for the first number behind it
//! ```
//!
//! A transaction writes new pages, then one of the two meta pages, in turns. So the valid meta page with the higher
//! transaction number is the newest state, and a torn write of it leaves the other one. A file whose freelist is not
//! written, as etcd's, names page ffff_ffff_ffff_ffff.
//!
//! # A worked run
//!
//! ```text
//!   write   bucket "key": a=1 b=2, 4096 bytes of c      page 3: leaf [a b]   pages 4+5: leaf [c]
//!                                                       page 6: branch [a -> 3, c -> 4]
//!           root                                        page 7: leaf ["key": bucket at 6]
//!           head                                        pages 0 and 1: meta, root 7, mark 8.  page 2: no free pages
//!   read    meta 0 has transaction 0, meta 1 has 1: root 7. "key" is at 6: a=1 b=2 c=...
//! ```
//!
//! # What the reader relies on
//!
//! - A page is named by one entry: a walk that meets a page twice ends ([`Problem::PageTwice`]). So it ends, and returns
//!   at most what the file holds.
//! - Entries of a page lie one behind the other, as bbolt writes them: two entries that share bytes are refused
//!   ([`Problem::Overlap`]), or one page could claim its largest value a hundred times.
//! - Keys ascend over the whole walk, and each separator of a branch page lies between what is before and below it.
//! - Depths have limits, of branch pages ([`DEPTH_MAX`]) and of buckets in buckets ([`NESTING_MAX`]); a page with its
//!   overflow has at most [`RUN_BYTES_MAX`].
//!
//! The writer makes a file in which every page is full, no page is free, and both meta pages agree. It writes from the
//! first byte to the last, so it can fill a stream: what is at the front depends on what follows, so the pairs are
//! offered twice ([`write()`]).
//!
//! # Caveats
//!
//! - The checksum covers the meta pages only. Damage inside a value is not noticed here: a snapshot of etcd ends with a
//!   hash of the whole file.
//! - The file is not locked: a database that a process writes to at the same time gives errors, or a mixture.
//! - Files of big-endian machines are not read; they begin with another magic number.
//! - The list of free pages is neither read nor compared with the pages in use.
//!
//! # Reference
//!
//! The format has no paper; it is that of LMDB made smaller. H. Chu, *MDB: A Memory-Mapped Database and Backend for
//! OpenLDAP* (2011), has the two meta pages and the copy-on-write tree. G. Fowler, L. Noll, K. Vo and D. Eastlake,
//! *The FNV Non-Cryptographic Hash Algorithm* (2012), has the checksum.
#![forbid(unsafe_code)]

mod bucket;
mod database;
mod error;
mod file;
mod format;
mod leaves;
mod meta;
mod page;
mod pages;
mod tree;
mod walk;
mod writer;

pub use bucket::Bucket;
pub use database::Database;
pub use error::{Error, Problem, WriteError};
pub use format::{DEPTH_MAX, KEY_BYTES_MAX, NESTING_MAX, PAGE_BYTES, RUN_BYTES_MAX, VALUE_BYTES_MAX};
pub use walk::{Item, Walk};
pub use writer::{Image, Writer, measure, write};

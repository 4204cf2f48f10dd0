//! Volvox: store.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod checkpoint;
pub mod checks;
pub mod command;
mod compaction;
mod crc32c;
pub mod error;
pub mod hash;
pub mod key_range;
pub mod lease;
mod log;
pub mod quota;
pub mod range;
pub mod request;
pub mod response;
pub mod restore;
pub mod store;
mod tree;
mod txn;
pub mod view;
mod writer;

pub use checkpoint::{Checkpoint, PartRef};
pub use command::{COMMAND_VERSION, Command, Reply};
pub use error::{Code, Error};
pub use hash::{HashKv, Hasher};
pub use key_range::{KeyRange, RangeEnd};
pub use lease::Lease;
pub use range::Changes;
pub use request::*;
pub use response::*;
pub use restore::{Restore, RestoreError};
pub use store::{Store, StoreConfig};
pub use view::View;

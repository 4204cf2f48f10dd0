//! Volvox: store.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod checks;
pub mod command;
pub mod error;
pub mod key_range;
pub mod request;
pub mod response;
mod tree;

pub use command::{COMMAND_VERSION, Command, Reply};
pub use error::{Code, Error};
pub use key_range::{KeyRange, RangeEnd};
pub use request::*;
pub use response::*;

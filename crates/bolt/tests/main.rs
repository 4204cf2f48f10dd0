//! Databases that this crate wrote, read back: whole, damaged, and forged.
#![allow(missing_docs)]

mod contents;
mod forged;
mod hostile;
mod round_trip;

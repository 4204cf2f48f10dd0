//! Leader election: who, of those who are alive, is in charge?
//!
//! | module | what it is |
//! |---|---|
//! | [`bully`] | everybody knows everybody, and the highest name that is alive wins; counts on time |
//! | [`ring`] | a list goes round a ring, past the dead, and the highest name on it wins |
//! | [`chang_roberts`] | only the highest name gets round the ring; no failures |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bully;
pub mod chang_roberts;
mod event;
pub mod ring;

pub use event::{Command, Event};

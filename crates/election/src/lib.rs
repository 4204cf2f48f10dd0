//! Leader election: of the nodes that are alive, one leads, and all know which.
//!
//! | module | protocol |
//! |---|---|
//! | [`bully`] | every node knows every other, and the highest id that is alive wins; relies on bounds on time |
//! | [`ring`] | a list circulates on a ring, skipping dead nodes, and the highest id on it wins |
//! | [`chang_roberts`] | only the highest id passes all round the ring; no failures |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bully;
pub mod chang_roberts;
mod event;
pub mod ring;

pub use event::{Command, Event};

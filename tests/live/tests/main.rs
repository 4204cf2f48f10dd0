//! The program over real processes, sockets and files.
//!
//! One program: `cargo test -p volvox-live --test live MODULE` runs one module of it.

// A test is outside the simulation: its clocks, files and threads are real.
#![allow(clippy::disallowed_methods)]

mod bad_input;
mod cli;
mod disk;
mod mistakes;
mod powercut;

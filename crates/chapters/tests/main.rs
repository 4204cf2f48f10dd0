//! Every chapter together: names, pictures, runs and shrunk runs.
//!
//! One program: `cargo test -p volvox-chapters --test chapters MODULE` runs one module of it.

// A test is outside the simulation: its clocks, files and threads are real.
#![allow(clippy::disallowed_methods)]

mod catalogue_pages;
mod names;
mod pictures;
mod reading;
mod runs;
mod shrink;

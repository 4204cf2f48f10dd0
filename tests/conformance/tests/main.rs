//! The same body of tests in every world.
//!
//! One program: `cargo test -p volvox-conformance --test conformance MODULE` runs one module of it.

mod book;
mod live;
mod simulated;
mod storm;

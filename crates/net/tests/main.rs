//! Nodes over real sockets and files.
//!
//! One program: `cargo test -p volvox-net --test net MODULE` runs one module of it.

// A test is outside the simulation: its clocks, files and threads are real.
#![allow(clippy::disallowed_methods)]

mod disk;
mod echo;
mod hostile;
mod http;
mod links;
mod support;
mod tls;

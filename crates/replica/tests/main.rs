//! The replica in the cluster of a test: scripts, golden cases, watchers, and the guarantees to clients.
//!
//! One program: `cargo test -p volvox-replica --test replica MODULE` runs one module of it.

mod behaviour;
mod fuzz;
mod golden;
mod harness;
mod scripts;
mod watch;

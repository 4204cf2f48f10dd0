//! The store beside its golden cases, an oracle that is slow and simple, and bytes that nobody wrote.
//!
//! One program: `cargo test -p volvox-store --test store MODULE` runs one module of it.

mod checkpoint;
#[path = "support/oracle.rs"]
mod dumb;
mod fuzz;
mod golden;
#[path = "support/maker.rs"]
mod maker;
mod oracle;
mod stepwise;

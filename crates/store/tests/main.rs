//! The store against its golden cases, against a slow and simple oracle, and with hostile bytes.
//!
//! One program: `cargo test -p volvox-store --test store MODULE` runs one module of it.

mod checkpoint;
#[path = "support/oracle.rs"]
mod dumb;
mod fuzz;
mod golden;
mod history;
#[path = "support/maker.rs"]
mod maker;
mod oracle;
mod reports;
mod stepwise;

//! The laboratory.
#![forbid(unsafe_code)]

mod clients;
mod damage;
mod leases;
pub mod linearizability;
mod log_disk;
mod membership;
mod operations;
#[cfg(feature = "planted-bugs")]
pub mod plants;
mod progress;
mod rare;
mod run;
mod shape;
mod streams;
pub mod sweep;
mod truth;
mod watchers;
mod workload;

pub use rare::MUST_RUN;
pub use run::{Report, run};

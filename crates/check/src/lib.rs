//! The checked world.
#![forbid(unsafe_code)]

mod checker;
mod explore;
mod liveness;
mod model;
mod path;
mod report;
mod seen;
mod system;

pub use checker::{Checker, OnState, OnStep, Order};
pub use model::{Model, Steps, hash_of, share};
pub use report::{Broken, Counterexample, Ended, Progress, Report};
pub use system::{Action, Checked, Durability, Names, Network, Schedule, State, Symmetric, System, Timed, View, What};

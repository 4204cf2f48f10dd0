//! Chaos: constant load, real faults, and a memory of every promise.

pub mod load;
pub mod replace;
pub mod rounds;
pub mod verdict;

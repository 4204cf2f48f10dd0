//! Chaos: constant load, real faults, and a record of every acknowledgement.

pub mod load;
pub mod replace;
pub mod rounds;
pub mod verdict;

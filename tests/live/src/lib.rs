//! The built program under real faults: a cluster of OS processes, and clients that record what was acknowledged.

// These tests live in real time by intent.
#![allow(clippy::disallowed_methods)]

pub mod chaos;
pub mod cluster;
pub mod live_node;
pub mod powercut;
pub mod program;
pub mod wait;

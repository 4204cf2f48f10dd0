//! A cluster on this machine: one OS process a node, one folder for all of them.
//!
//! `D/cluster.toml` holds the nodes, their ports, the flags they were started with and the active faults. A node's own
//! folder is `D/n1`, its log of what happened `D/n1.log`, and its process is named in `D/n1/process` by pid *and* start
//! time: no signal goes to a pid that somebody else has got meanwhile.

pub mod commands;
pub mod fault_table;
pub mod faults;
pub mod manifest;
pub mod processes;
pub mod restore;
pub mod up;

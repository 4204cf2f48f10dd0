//! A cluster on this machine: one OS process per node, one folder for all of them.
//!
//! `D/cluster.toml` holds the nodes, their ports, the flags that they were started with and the active faults. A node's
//! own folder is `D/n1`, its log of events `D/n1.log`, and `D/n1/process` names its process by pid *and* start time: no
//! signal goes to a pid that the kernel has reused.

pub mod commands;
pub mod export;
pub mod fault_table;
pub mod faults;
pub mod manifest;
pub mod processes;
pub mod restore;
pub mod snapshot_file;
pub mod up;

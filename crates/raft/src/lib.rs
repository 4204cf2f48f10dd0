//! Volvox: raft.

//! The built program as its users run it: a cluster of processes in a folder of its own.

// Processes run in real time.
#![allow(clippy::disallowed_methods)]

mod door;
mod faults;
mod restore;
mod scripts;
mod shutdown;
mod tls;
mod volvox;

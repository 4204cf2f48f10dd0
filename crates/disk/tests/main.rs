//! The log and its checkpoints over simulated and real files: crashes, damage, faults and hostile bytes.
//!
//! One program: `cargo test -p volvox-disk --test disk MODULE` runs one module of it.

mod crash;
mod damage;
mod faults;
mod hostile;
mod real;
mod simulated;
mod story;

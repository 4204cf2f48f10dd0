//! The `volvox` binary.
fn main() {}

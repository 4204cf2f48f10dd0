//! One test body, run in every world.

//! Volvox: replica.

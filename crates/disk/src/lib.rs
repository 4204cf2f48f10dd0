//! Volvox: disk.

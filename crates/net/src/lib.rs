//! Volvox: net.

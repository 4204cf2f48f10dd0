//! Volvox: store.

//! The registry: one module and one line a protocol.

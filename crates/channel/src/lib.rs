//! Volvox: channel.

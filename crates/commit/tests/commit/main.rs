//! The protocols of this crate, in the simulated world and message by message.

mod three_phase;
mod transaction;
mod two_phase;

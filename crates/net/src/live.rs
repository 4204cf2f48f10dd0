//! The requirements of the live world on a process.

use volvox_core::{Decode, Encode, Process};

/// A process that the live world can run: its messages and records have an encoding, and the values that cross threads
/// are `Send`.
pub trait Live:
    Process<
        Message: Encode + Decode + Send + 'static,
        Record: Encode + Decode,
        Command: Send + 'static,
        Timer: 'static,
        Event: 'static,
        View: Send + Sync + 'static,
    > + 'static
{
}

impl<P> Live for P where
    P: Process<
            Message: Encode + Decode + Send + 'static,
            Record: Encode + Decode,
            Command: Send + 'static,
            Timer: 'static,
            Event: 'static,
            View: Send + Sync + 'static,
        > + 'static
{
}

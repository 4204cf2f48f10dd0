//! Five unlike users of `Process`, written before it was frozen: what each taught is in `decisions/0001`. (The sixth,
//! Raft, grew into a crate.) They are spikes: short, real, and not complete protocols.

mod chord;
mod followed;
mod ntp;
mod ricart_agrawala;
mod swim;
mod two_phase_commit;

use volvox_core::Duration;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// In a spike the debug form is good enough for the trace.
macro_rules! shown_as_debugged {
    ($($name:ty),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )*};
}
pub(crate) use shown_as_debugged;

/// What cannot be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Never {}

shown_as_debugged!(Never);

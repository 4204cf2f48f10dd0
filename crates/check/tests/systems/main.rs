//! Explorations of protocols as they are written for every world: the properties with exact counts, and for each rule a
//! model without it, in which the counterexample is found.

mod boots;
mod detector;
mod lease;
mod promise;
mod raft;
mod reports;
mod ricart_agrawala;
mod timeless;
mod two_phase_commit;

/// In a test the debug form is good enough for the trace.
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

/// A type without values.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Never {}

shown_as_debugged!(Never);

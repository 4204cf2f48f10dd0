//! The settings of a world that is driven by hand: the time that processes see, and the order of links.

/// The time that processes see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clockwork {
    /// Clocks run, may be wrong, and a timer fires when it is due or later. Jitter comes from the seed.
    Running,
    /// As in an asynchronous model: no process may read a clock, any timer that is set may fire, and jitter is the same
    /// in every step.
    Stopped,
    /// As in a timed model: as [`Clockwork::Running`], but the wall clocks begin at zero, and jitter is the same in every
    /// step.
    Modelled {
        /// Whether the wall clock goes on while its node is down; otherwise it shows the monotonic one.
        keeps_wall_clocks: bool,
    },
}

/// The order of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// None: any message in flight may arrive.
    Free,
    /// A message that arrives makes those sent before it lost.
    Lossy,
    /// Only the oldest arrives, whichever is named: only dropped messages are lost.
    Strict,
}

//! Fragile moments, and the faults that a seed draws for them.

use volvox_core::{Duration, NodeId, Rng};
use volvox_sim::Latency;

/// How many of a hundred moments draw a fault where that is wanted.
const OFTEN_PERCENT: u64 = 70;

/// A moment at which little has to go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// This node leads from now on.
    Elected(NodeId),
    /// A follower has more of the log of this leader, which has committed nothing in its term.
    Spread(NodeId),
    /// The configuration that this leader has appended is joint.
    Joint(NodeId),
}

/// How a seed treats such moments.
#[derive(Clone, Debug)]
pub(crate) struct Strikes {
    /// How many of a hundred elections draw a fault.
    pub elected_percent: u64,
    /// How many of a hundred followers that have more of an unsettled log do.
    pub spread_percent: u64,
    /// How many of a hundred joint configurations do.
    pub joint_percent: u64,
    /// How long the fault waits, when it does not come at once.
    pub after: Latency,
    /// How long it lasts.
    pub lasting: Latency,
}

/// The kind of a strike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Strike {
    Crash(NodeId),
    Pause(NodeId),
    /// The leader is isolated.
    Isolate(NodeId),
    /// Two groups hear nothing from one another.
    Split,
    /// Machines that came together fail together: a node that is in one half only of this leader's joint configuration, with the
    /// leader or without, hears nothing from the others.
    Rack(NodeId),
    /// The power of all nodes goes.
    Power,
}

impl Strikes {
    /// The same, at most of the moments.
    pub fn often(self) -> Strikes {
        Strikes {
            elected_percent: self.elected_percent.max(OFTEN_PERCENT),
            joint_percent: self.joint_percent.max(OFTEN_PERCENT),
            ..self
        }
    }

    /// Draws how a seed treats them; half of the seeds leave them alone.
    pub fn draw(rng: &mut Rng) -> Strikes {
        let mean = |rng: &mut Rng, from: &[u64]| Latency::Exponential {
            minimum: Duration::from_micros(100),
            mean: Duration::from_millis(from[rng.below(from.len() as u64) as usize]),
        };
        let chance = |rng: &mut Rng| [0, 0, 0, 0, 15, 40, 70, 95][rng.below(8) as usize];
        Strikes {
            elected_percent: chance(rng),
            spread_percent: chance(rng),
            joint_percent: chance(rng),
            after: mean(rng, &[3, 10, 40, 150]),
            lasting: mean(rng, &[200, 600, 2_000]),
        }
    }
}

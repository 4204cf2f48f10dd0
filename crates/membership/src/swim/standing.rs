//! Beliefs about a member, and which of two updates prevails (section 4.2).

use core::fmt;
use volvox_core::{NodeId, payload};

/// The greatest incarnation and life that are accepted: far beyond any that occur, and far below the maximum.
const NUMBER_MAX: u64 = 1 << 48;

/// The status of a member in an update.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// The member is alive, in this incarnation.
    Alive(u64),
    /// The member did not answer, in this incarnation.
    Suspect(u64),
    /// The member is dead, or has left (`Confirm` in the paper).
    Faulty,
}

payload! { Verdict: "verdict";
    0 Alive(incarnation <= NUMBER_MAX)   => "alive {incarnation}",
    1 Suspect(incarnation <= NUMBER_MAX) => "suspect {incarnation}",
    2 Faulty                             => "faulty",
}

/// A belief about a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Standing {
    /// The life of the member: a living member that was declared faulty begins another.
    pub life: u64,
    /// The status of the member.
    pub verdict: Verdict,
}

payload! { struct Standing { life <= NUMBER_MAX, verdict } }

/// A statement about one member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Update {
    /// The member.
    pub member: NodeId,
    /// The standing of the member.
    pub standing: Standing,
}

payload! { struct Update { member, standing } => "{member} {standing}" }

impl Standing {
    /// The initial belief about a member of which only the id is known.
    pub const FIRST: Standing = Standing { life: 0, verdict: Verdict::Alive(0) };

    /// Whether this standing prevails when both were received. A total order: in whatever order updates arrive, and
    /// however often, the strongest remains.
    pub fn overrides(self, other: Standing) -> bool {
        self.strength() > other.strength()
    }

    fn strength(self) -> (u64, u64, u8) {
        match self.verdict {
            Verdict::Alive(incarnation) => (self.life, incarnation, 0),
            Verdict::Suspect(incarnation) => (self.life, incarnation, 1),
            Verdict::Faulty => (self.life, u64::MAX, 2),
        }
    }

    /// Whether the standing says that the member is alive and answers.
    pub fn is_alive(self) -> bool {
        matches!(self.verdict, Verdict::Alive(_))
    }

    /// Whether the standing says that the member did not answer.
    pub fn is_suspect(self) -> bool {
        matches!(self.verdict, Verdict::Suspect(_))
    }

    /// Whether the standing says that the member is dead, or has left.
    pub fn is_faulty(self) -> bool {
        self.verdict == Verdict::Faulty
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.verdict, f)?;
        if self.life > 0 { write!(f, " life {}", self.life) } else { Ok(()) }
    }
}

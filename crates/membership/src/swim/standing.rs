//! What is held of a member, and which of two updates holds (section 4.2).

use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, NodeId, Reader};

/// Incarnations and lives beyond this are not believed: far beyond what is reached, and far from where counting ends.
const NUMBER_MAX: u64 = 1 << 48;

/// What is said of a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// It lives, in this incarnation.
    Alive(u64),
    /// It did not answer, in this incarnation.
    Suspect(u64),
    /// It is dead, or gone (`Confirm` in the paper).
    Faulty,
}

/// What is held of a member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Standing {
    /// Which life is meant: who was declared faulty, and lives, begins another.
    pub life: u64,
    /// What is said of it.
    pub verdict: Verdict,
}

/// A piece of news.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Update {
    /// About whom.
    pub member: NodeId,
    /// What.
    pub standing: Standing,
}

impl Standing {
    /// What is held of a member of which only the name is known.
    pub const FIRST: Standing = Standing { life: 0, verdict: Verdict::Alive(0) };

    /// Whether this one holds when both were heard. A total order: so whatever the order of hearing, and however often
    /// something is heard, the strongest remains.
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

    /// Whether it says that the member lives and answers.
    pub fn is_alive(self) -> bool {
        matches!(self.verdict, Verdict::Alive(_))
    }

    /// Whether it says that the member did not answer.
    pub fn is_suspect(self) -> bool {
        matches!(self.verdict, Verdict::Suspect(_))
    }

    /// Whether it says that the member is dead, or gone.
    pub fn is_faulty(self) -> bool {
        self.verdict == Verdict::Faulty
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Alive(incarnation) => write!(f, "alive {incarnation}")?,
            Verdict::Suspect(incarnation) => write!(f, "suspect {incarnation}")?,
            Verdict::Faulty => f.write_str("faulty")?,
        }
        if self.life > 0 { write!(f, " life {}", self.life) } else { Ok(()) }
    }
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.member, self.standing)
    }
}

impl Encode for Standing {
    fn encode(&self, out: &mut Vec<u8>) {
        self.life.encode(out);
        match self.verdict {
            Verdict::Alive(incarnation) => {
                out.push(0);
                incarnation.encode(out);
            }
            Verdict::Suspect(incarnation) => {
                out.push(1);
                incarnation.encode(out);
            }
            Verdict::Faulty => out.push(2),
        }
    }
}

impl Decode for Standing {
    fn decode(input: &mut Reader<'_>) -> Result<Standing, DecodeError> {
        let life = number(input)?;
        let verdict = match input.u8()? {
            0 => Verdict::Alive(number(input)?),
            1 => Verdict::Suspect(number(input)?),
            2 => Verdict::Faulty,
            other => return Err(DecodeError::Unknown("verdict", other.into())),
        };
        Ok(Standing { life, verdict })
    }
}

fn number(input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let number = input.varint()?;
    if number > NUMBER_MAX { Err(DecodeError::Invalid("life or incarnation")) } else { Ok(number) }
}

impl Encode for Update {
    fn encode(&self, out: &mut Vec<u8>) {
        self.member.encode(out);
        self.standing.encode(out);
    }
}

impl Decode for Update {
    fn decode(input: &mut Reader<'_>) -> Result<Update, DecodeError> {
        Ok(Update { member: NodeId::decode(input)?, standing: Standing::decode(input)? })
    }
}

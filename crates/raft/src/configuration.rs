//! The members, and the majorities among them (Raft 6, thesis 4.3).

use crate::index::Index;
use crate::planted::{self, Bug};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Decode, DecodeError, Encode, Incarnation, NodeId, Reader};

/// The most members in each set of a configuration.
pub const MEMBERS_MAX: usize = 32;

/// A member: a node in one incarnation of its storage.
///
/// A node that lost its disk is a different member: its votes and acknowledgements do not count until the configuration
/// names its new incarnation. Incarnation 0 names a node that was added and has never started: no member has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Member {
    /// The node.
    pub node: NodeId,
    /// The incarnation of its storage.
    pub incarnation: Incarnation,
}

impl Member {
    /// The member `node` in its incarnation `incarnation`.
    pub fn new(node: u64, incarnation: u64) -> Member {
        Member { node: NodeId(node), incarnation: Incarnation(incarnation) }
    }
}

/// The voters and the learners.
///
/// While `outgoing` is not empty the configuration is *joint*: elections and commitment need a majority of the voters
/// and a majority of the outgoing voters, so the old and the new set can never decide apart (Raft 6).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Configuration {
    /// The voters.
    pub voters: BTreeSet<Member>,
    /// The voters before the change in progress; empty when there is none.
    pub outgoing: BTreeSet<Member>,
    /// Members that receive the log and do not vote (thesis 4.2.1).
    pub learners: BTreeSet<Member>,
}

impl Configuration {
    /// A configuration of these voters, with neither learners nor a change in progress.
    pub fn of(voters: impl IntoIterator<Item = Member>) -> Configuration {
        Configuration { voters: voters.into_iter().collect(), ..Configuration::default() }
    }

    /// Whether a change is in progress.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether it names no member: the knowledge of a node that has yet to join.
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty() && self.outgoing.is_empty() && self.learners.is_empty()
    }

    /// Whether `member` has a vote, in either half of a joint configuration.
    pub fn votes(&self, member: Member) -> bool {
        self.voters.contains(&member) || self.outgoing.contains(&member)
    }

    /// Whether `member` is named at all.
    pub fn names(&self, member: Member) -> bool {
        self.votes(member) || self.learners.contains(&member)
    }

    /// All named members, each once, in order.
    pub fn members(&self) -> BTreeSet<Member> {
        self.all_voters().chain(self.learners.iter().copied()).collect()
    }

    /// The voters of both halves, each once, in no particular order.
    pub fn all_voters(&self) -> impl Iterator<Item = Member> + '_ {
        self.voters.iter().chain(self.outgoing.difference(&self.voters)).copied()
    }

    /// Whether the members for which `agrees` holds are a majority, of each half while the configuration is joint.
    pub fn is_quorum(&self, agrees: impl Fn(Member) -> bool) -> bool {
        if self.is_joint() && planted::is(Bug::JointQuorumAsOneMajority) {
            let (count, agreeing) =
                self.all_voters().fold((0, 0), |(n, yes), member| (n + 1, yes + usize::from(agrees(member))));
            return agreeing > count / 2;
        }
        // Raft 6: agreement requires separate majorities from both the old and new configurations.
        is_majority(&self.voters, &agrees) && (!self.is_joint() || is_majority(&self.outgoing, &agrees))
    }

    /// The highest index that a quorum has reached, when each member has reached `reached(member)`.
    pub fn quorum_index(&self, reached: impl Fn(Member) -> Index) -> Index {
        if self.is_joint() && planted::is(Bug::JointQuorumAsOneMajority) {
            return majority_index(self.all_voters(), &reached);
        }
        let incoming = majority_index(self.voters.iter().copied(), &reached);
        if self.is_joint() { incoming.min(majority_index(self.outgoing.iter().copied(), &reached)) } else { incoming }
    }

    /// The configuration that begins the change to these voters and learners. Joint, unless the voters stay the same:
    /// then any two majorities intersect, and one step is enough.
    pub(crate) fn change_to(&self, voters: &[Member], learners: &[Member]) -> Configuration {
        assert!(!self.is_joint(), "a change begins in a joint configuration");
        let voters: BTreeSet<Member> = voters.iter().copied().collect();
        let learners = learners.iter().copied().filter(|learner| !voters.contains(learner)).collect();
        let outgoing = if voters == self.voters { BTreeSet::new() } else { self.voters.clone() };
        Configuration { voters, outgoing, learners }
    }

    /// The configuration that ends the change in progress.
    pub(crate) fn leave_joint(&self) -> Configuration {
        Configuration { outgoing: BTreeSet::new(), ..self.clone() }
    }
}

fn is_majority(set: &BTreeSet<Member>, agrees: impl Fn(Member) -> bool) -> bool {
    // An empty set has no majority: a node that knows no configuration decides nothing.
    set.iter().filter(|member| agrees(**member)).count() > set.len() / 2
}

fn majority_index(set: impl Iterator<Item = Member>, reached: impl Fn(Member) -> Index) -> Index {
    // On the stack: this runs for every acknowledgement. Both halves together fit.
    let mut indices = [Index::ZERO; 2 * MEMBERS_MAX];
    let mut count = 0;
    for member in set {
        indices[count] = reached(member);
        count += 1;
    }
    if count == 0 {
        return Index::ZERO;
    }
    let indices = &mut indices[..count];
    indices.sort_unstable();
    // Of 2f+1 sorted indices the middle one is reached by f+1; of 2f, the one below the middle.
    indices[(count - 1) / 2]
}

/// `n2@3` for its third life; its first is `n2`, since most have no other.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.incarnation {
            Incarnation::FIRST => write!(f, "{}", self.node),
            Incarnation(life) => write!(f, "{}@{life}", self.node),
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "voters {}", Set(&self.voters))?;
        if !self.outgoing.is_empty() {
            write!(f, " outgoing {}", Set(&self.outgoing))?;
        }
        if !self.learners.is_empty() {
            write!(f, " learners {}", Set(&self.learners))?;
        }
        Ok(())
    }
}

struct Set<'a>(&'a BTreeSet<Member>);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (place, member) in self.0.iter().enumerate() {
            write!(f, "{}{member}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Encode for Member {
    fn encode(&self, out: &mut Vec<u8>) {
        self.node.encode(out);
        self.incarnation.encode(out);
    }
}

impl Decode for Member {
    fn decode(input: &mut Reader<'_>) -> Result<Member, DecodeError> {
        Ok(Member { node: NodeId::decode(input)?, incarnation: Incarnation::decode(input)? })
    }
}

const VERSION: u8 = 1;

impl Encode for Configuration {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        for set in [&self.voters, &self.outgoing, &self.learners] {
            (set.len() as u64).encode(out);
            for member in set {
                member.encode(out);
            }
        }
    }
}

impl Decode for Configuration {
    fn decode(input: &mut Reader<'_>) -> Result<Configuration, DecodeError> {
        match input.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Unknown("version of a configuration", u64::from(other))),
        }
        Ok(Configuration { voters: decode_set(input)?, outgoing: decode_set(input)?, learners: decode_set(input)? })
    }
}

fn decode_set(input: &mut Reader<'_>) -> Result<BTreeSet<Member>, DecodeError> {
    let count = input.count()?;
    if count > MEMBERS_MAX {
        return Err(DecodeError::TooLong);
    }
    let mut set = BTreeSet::new();
    for _ in 0..count {
        let member = Member::decode(input)?;
        // One value, one encoding: in order and without repetition.
        if set.last().is_some_and(|last| member <= *last) {
            return Err(DecodeError::Invalid("order of members"));
        }
        set.insert(member);
    }
    Ok(set)
}

#[cfg(test)]
mod tests;

//! The properties of every schedule, written once for scripts, simulations and sweeps.
//!
//! An [`Observer`] examines each member after each of its steps, compares it with its observations so far, and reports
//! which property of the paper is broken. It only reads members. The work per step is proportional to what the step
//! changed.
//!
//! | file | property | paper |
//! |---|---|---|
//! | [`election_safety`] | a term has at most one leader | 5.2, figure 3 |
//! | [`leader_append_only`] | a leader only appends to its log | 5.3, figure 3 |
//! | [`log_matching`] | two logs with an equal entry are equal up to there | 5.3, figure 3 |
//! | [`leader_completeness`] | a committed entry is in the log of every later leader | 5.4.3, figure 3 |
//! | [`state_machine_safety`] | no two members commit different entries at one index | 5.4.3, figure 3 |
//! | [`no_way_back`] | terms, commit indices and votes are never taken back | 5.1, figure 2 |

pub mod election_safety;
pub mod leader_append_only;
pub mod leader_completeness;
pub mod log_matching;
pub mod no_way_back;
pub mod state_machine_safety;

use crate::configuration::Member;
use crate::index::Index;
use crate::node::Raft;
use alloc::string::String;
use core::fmt;

/// A violated property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The property.
    pub property: &'static str,
    /// The section of the paper that states it.
    pub section: &'static str,
    /// The observation.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Raft {}) is broken: {}", self.property, self.section, self.detail)
    }
}

impl core::error::Error for Violation {}

/// The observations of a cluster so far.
#[derive(Clone, Default, Debug)]
pub struct Observer {
    leaders: election_safety::Leaders,
    appended: leader_append_only::Appended,
    entries: log_matching::Entries,
    committed: state_machine_safety::Committed,
    lives: no_way_back::Lives,
}

impl Observer {
    /// An observer without observations.
    pub fn new() -> Observer {
        Observer::default()
    }

    /// Checks a member after a step.
    ///
    /// # Errors
    /// With the first property that is broken.
    pub fn observe(&mut self, raft: &Raft) -> Result<(), Violation> {
        no_way_back::check(&mut self.lives, raft)?;
        let is_new_leader = election_safety::check(&mut self.leaders, raft)?;
        leader_append_only::check(&mut self.appended, raft)?;
        log_matching::check(&mut self.entries, raft)?;
        if is_new_leader {
            leader_completeness::check(&self.committed, raft)?;
        }
        state_machine_safety::check(&mut self.committed, raft)
    }

    /// Notes that a member crashed: it may take back what it had not written to its disk.
    pub fn crashed(&mut self, member: Member) {
        self.lives.forget(member);
        self.committed.forget(member);
        self.entries.forget(member);
        self.appended.forget(member);
    }

    /// The highest index that any member has committed.
    pub fn highest_commit(&self) -> Index {
        self.committed.highest()
    }

    /// The number of terms with a leader.
    pub fn terms_with_leader(&self) -> usize {
        self.leaders.count()
    }
}

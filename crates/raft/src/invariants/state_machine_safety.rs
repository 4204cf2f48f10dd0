//! State machine safety: if a server has applied a log entry at a given index to its state machine, no other server will
//! ever apply a different log entry for the same index (Raft 5.4.3).

use super::Violation;
use crate::configuration::Member;
use crate::index::{Index, Term};
use crate::node::Raft;
use alloc::collections::BTreeMap;
use alloc::format;
use volvox_core::fingerprint_of;

/// Every entry ever committed anywhere.
#[derive(Clone, Default, Debug)]
pub struct Committed {
    entries: BTreeMap<Index, CommittedEntry>,
    /// The commit index up to which each member was checked.
    looked_at: BTreeMap<Member, Index>,
}

/// A committed entry.
#[derive(Clone, Copy, Debug)]
pub struct CommittedEntry {
    /// Its term.
    pub term: Term,
    /// The term in which it was first seen to be committed.
    pub committed_in: Term,
    said: u128,
}

impl Committed {
    /// The committed entries from `index` on.
    pub fn since(&self, index: Index) -> impl Iterator<Item = (Index, CommittedEntry)> {
        self.entries.range(index..).map(|(index, entry)| (*index, *entry))
    }

    pub(super) fn highest(&self) -> Index {
        self.entries.last_key_value().map_or(Index::ZERO, |(index, _)| *index)
    }

    pub(super) fn forget(&mut self, member: Member) {
        self.looked_at.remove(&member);
    }
}

/// Checks that the member's newly committed entries are those that the others committed there.
///
/// # Errors
/// When one differs.
pub fn check(committed: &mut Committed, raft: &Raft) -> Result<(), Violation> {
    let looked_at = committed.looked_at.insert(raft.member(), raft.commit_index()).unwrap_or_default();
    let mut index = looked_at.next().max(raft.first_index());
    while index <= raft.commit_index() {
        let Some(entry) = raft.entry(index) else { break };
        let now = CommittedEntry { term: entry.term, committed_in: raft.term(), said: fingerprint_of(&entry.payload) };
        let first = *committed.entries.entry(index).or_insert(now);
        if (first.term, first.said) != (now.term, now.said) {
            return Err(Violation {
                property: "state machine safety",
                section: "5.4.3",
                detail: format!(
                    "{} commits {index}@{} where {index}@{} was committed",
                    raft.member(),
                    now.term.0,
                    first.term.0
                ),
            });
        }
        index = index.next();
    }
    Ok(())
}

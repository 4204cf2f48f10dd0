//! Log matching: if two logs contain an entry with the same index and term, then the logs are identical in all entries
//! up through that index (Raft 5.3).
//!
//! Checked by induction, as the paper proves it: index and term of an entry determine its content and the term of the
//! entry before it.

use super::Violation;
use crate::configuration::Member;
use crate::index::{Index, Term};
use crate::node::Raft;
use alloc::collections::BTreeMap;
use alloc::format;
use volvox_core::fingerprint_of;

/// Every entry ever seen in a log.
#[derive(Clone, Default, Debug)]
pub struct Entries {
    /// The hash of its content, and the term before it.
    seen: BTreeMap<(Index, Term), (u128, Term)>,
    /// The last entry checked in each member's log: while it is in the log, so is everything before it.
    looked_at: BTreeMap<Member, (Index, Term)>,
}

impl Entries {
    pub(super) fn forget(&mut self, member: Member) {
        self.looked_at.remove(&member);
    }
}

/// Checks that the new entries in the member's log are those seen elsewhere.
///
/// # Errors
/// When one differs.
pub fn check(entries: &mut Entries, raft: &Raft) -> Result<(), Violation> {
    let known = entries.looked_at.get(&raft.member()).copied();
    let from = match known {
        Some((index, term)) if raft.term_at(index) == Some(term) => index.next().max(raft.first_index()),
        _ => raft.first_index(),
    };
    let mut index = from;
    while let Some(entry) = raft.entry(index) {
        let before = raft.term_at(index.previous()).unwrap_or_default();
        let now = (fingerprint_of(&entry.payload), before);
        let seen = *entries.seen.entry((index, entry.term)).or_insert(now);
        if seen != now {
            let what = if seen.0 == now.0 { "follows another term" } else { "says something else" };
            return Err(Violation {
                property: "log matching",
                section: "5.3",
                detail: format!("{index}@{} of {} {what} than it did elsewhere", entry.term.0, raft.member()),
            });
        }
        index = index.next();
    }
    let last = raft.last_index();
    entries.looked_at.insert(raft.member(), (last, raft.term_at(last).unwrap_or_default()));
    Ok(())
}

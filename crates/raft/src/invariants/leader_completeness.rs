//! Leader completeness: if a log entry is committed in a given term, then it will be present in the logs of the leaders
//! for all higher-numbered terms (Raft 5.4.3).

use super::Violation;
use super::state_machine_safety::Committed;
use crate::node::Raft;
use alloc::format;

/// Checks that a new leader has everything that was committed in earlier terms.
///
/// # Errors
/// When something is missing.
pub fn check(committed: &Committed, raft: &Raft) -> Result<(), Violation> {
    let missing = committed
        .since(raft.first_index())
        .find(|(index, entry)| entry.committed_in < raft.term() && raft.term_at(*index) != Some(entry.term));
    match missing {
        None => Ok(()),
        Some((index, entry)) => Err(Violation {
            property: "leader completeness",
            section: "5.4.3",
            detail: format!(
                "{} leads {} without {index}@{}, which was committed in {}",
                raft.member(),
                raft.term(),
                entry.term.0,
                entry.committed_in
            ),
        }),
    }
}

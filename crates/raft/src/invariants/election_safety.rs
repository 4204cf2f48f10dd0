//! Election safety: at most one leader can be elected in a given term (Raft 5.2).

use super::Violation;
use crate::configuration::Member;
use crate::index::Term;
use crate::interface::RoleKind;
use crate::node::Raft;
use alloc::collections::BTreeMap;
use alloc::format;

/// The leader of each term.
#[derive(Clone, Default, Debug)]
pub struct Leaders {
    by_term: BTreeMap<Term, Member>,
}

impl Leaders {
    pub(super) fn count(&self) -> usize {
        self.by_term.len()
    }
}

/// Checks that no other member led this member's term. Returns whether it is seen as leader for the first time.
///
/// # Errors
/// When another member did.
pub fn check(leaders: &mut Leaders, raft: &Raft) -> Result<bool, Violation> {
    if raft.role() != RoleKind::Leader {
        return Ok(false);
    }
    let (term, member) = (raft.term(), raft.member());
    let known = leaders.by_term.insert(term, member);
    match known {
        Some(other) if other != member => Err(Violation {
            property: "election safety",
            section: "5.2",
            detail: format!("{other} and {member} both lead {term}"),
        }),
        _ => Ok(known.is_none()),
    }
}

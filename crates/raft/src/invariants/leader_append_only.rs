//! Leader append-only: a leader never overwrites or deletes entries in its log; it only appends (Raft 5.3).

use super::Violation;
use crate::configuration::Member;
use crate::index::{Index, Term};
use crate::interface::RoleKind;
use crate::node::Raft;
use alloc::collections::BTreeMap;
use alloc::format;

/// The end of each leader's log when it was last seen.
#[derive(Clone, Default, Debug)]
pub struct Appended {
    by_leader: BTreeMap<Member, End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    led: Term,
    last_index: Index,
    last_term: Term,
}

impl Appended {
    pub(super) fn forget(&mut self, member: Member) {
        self.by_leader.remove(&member);
    }
}

/// Checks that the previous last entry of a leader's log is still in it.
///
/// # Errors
/// When it is missing.
pub fn check(appended: &mut Appended, raft: &Raft) -> Result<(), Violation> {
    let (led, member) = (raft.term(), raft.member());
    if raft.role() != RoleKind::Leader {
        appended.by_leader.remove(&member);
        return Ok(());
    }
    let last_index = raft.last_index();
    let last_term = raft.term_at(last_index).unwrap_or_default();
    let Some(before) = appended.by_leader.insert(member, End { led, last_index, last_term }) else { return Ok(()) };
    let is_kept = before.led != led
        || before.last_index.next() < raft.first_index()
        || raft.term_at(before.last_index) == Some(before.last_term);
    if is_kept {
        return Ok(());
    }
    Err(Violation {
        property: "leader append-only",
        section: "5.3",
        detail: format!("{member} leads {led} and no longer has {}@{}", before.last_index, before.last_term.0),
    })
}

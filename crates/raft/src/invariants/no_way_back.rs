//! Within one life of the process the term never falls (Raft 5.1), the commit index never falls (figure 2, "increases
//! monotonically"), and a vote is never changed within its term (Raft 5.2).

use super::Violation;
use crate::configuration::Member;
use crate::index::{Index, Term};
use crate::node::Raft;
use alloc::collections::BTreeMap;
use alloc::format;

/// The term, vote and commit index of each member since its last start.
#[derive(Clone, Default, Debug)]
pub struct Lives {
    by_member: BTreeMap<Member, Life>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    term: Term,
    commit: Index,
    vote: Option<Member>,
}

impl Lives {
    pub(super) fn forget(&mut self, member: Member) {
        self.by_member.remove(&member);
    }
}

/// Checks that the member takes nothing back.
///
/// # Errors
/// When it does.
pub fn check(lives: &mut Lives, raft: &Raft) -> Result<(), Violation> {
    let now = Life { term: raft.term(), commit: raft.commit_index(), vote: raft.vote() };
    let Some(before) = lives.by_member.insert(raft.member(), now) else { return Ok(()) };
    let what = if now.term < before.term {
        format!("from {} to {}", before.term, now.term)
    } else if now.commit < before.commit {
        format!("from commit index {} to {}", before.commit, now.commit)
    } else if now.term == before.term && before.vote.is_some() && now.vote != before.vote {
        format!("from {:?} to {:?} in {}", before.vote, now.vote, now.term)
    } else {
        return Ok(());
    };
    Err(Violation { property: "monotonic state", section: "5.1", detail: format!("{} goes {what}", raft.member()) })
}

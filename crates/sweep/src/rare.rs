//! How often each rare path ran: a sweep that never took it has tested nothing about it.
//!
//! Most paths say so themselves, in a note of the trace. The others are seen from outside, by comparing a node with
//! itself before the step.

use crate::moments::Moment;
use std::collections::{BTreeMap, BTreeSet};
use volvox_core::NodeId;
use volvox_raft::{Index, Member, Raft, RoleKind, Term};
use volvox_replica::Replica;
use volvox_sim::Counts;

/// The rare paths that must have run in a sweep of some size: the name of the count, and its meaning.
pub const MUST_RUN: &[(&str, &str)] = &[
    ("leaders elected", "a new leader"),
    ("logs truncated", "uncommitted entries of a deposed leader removed"),
    ("snapshots installed", "a snapshot, always of more than one part, takes the place of a log"),
    ("a snapshot transfer restarts", "a transfer was abandoned and another one begun"),
    ("checkpoints made", "a checkpoint, after which the log is cut"),
    ("power cuts", "the power of all nodes goes at once"),
    ("torn tails cut", "a restart finds a write that the power cut tore"),
    ("lost records found", "a restart finds that synced records are gone"),
    ("power cut in the midst of a checkpoint", "a crash between the syncs of a checkpoint"),
    ("nodes stopped by a failed sync", "the page cache can no longer be trusted"),
    ("records waited for space", "a full disk, and no room in the segment"),
    ("a checkpoint waited for space", "a full disk, while the log continues"),
    ("nodes recovered under a fresh incarnation", "a node that lost its storage votes again"),
    ("joint configurations left by a new leader", "the leader that began the change is gone"),
    ("joint configurations of several nodes", "several nodes join or leave in one change"),
    ("logs of unsettled leaders spread", "a follower takes entries of a leader that has committed nothing in its term"),
    ("steps down: no longer a voter", "a leader that was removed goes"),
    ("members added as learners", "a node joins without a vote"),
    ("members added as voters", "a node joins, to vote once it caught up"),
    ("learners promoted", "a learner gets its vote"),
    ("members removed", "a node leaves"),
    ("leaderships transferred", "a client hands leadership over"),
    ("deposed leader's reads refused", "a leader that lost its quorum refuses the reads that wait"),
    ("steps down: hears no quorum", "check-quorum"),
    ("a second copy of a proposal", "a duplicated forward is dropped by the window"),
    ("writes handed over again", "the leader that had it is gone, and the next one gets it"),
    ("compaction under a watcher", "a watcher loses the history it needs, and gets an error"),
    ("watch responses in fragments", "a response too large for one message"),
    ("watch progress told", "a stream says how far it has come"),
    ("leases expired", "a lease ends by itself"),
    ("leases expired during an election", "its time was over while no node led"),
    ("keep-alives of ended leases refused", "a lease is never revived"),
    ("compactions", "history is forgotten"),
    ("refused for want of space", "the quota is used up"),
    ("quota alarms cleared", "and there is room again"),
    ("refused: too many requests", "overload is refused"),
    ("refused by a learner", "a learner serves nothing that needs the cluster"),
    ("refused without a leader", "a caller that demands a leader is refused at once"),
    ("watch streams cut off", "a stream whose caller demands a leader ends when there is none for too long"),
    ("reads in turns", "a long read is made of pages"),
    ("transactions that only read", "they need no entry of the log"),
    ("lease ids chosen", "the server chooses the id of a lease"),
    ("registers found linearizable", "the search for an order ends with one"),
];

/// How far the log of a leader has come at any follower, while it has committed nothing in its term.
fn spread(raft: &Raft) -> Option<Index> {
    let is_unsettled = raft.role() == RoleKind::Leader && raft.term_at(raft.commit_index()) != Some(raft.term());
    is_unsettled.then(|| raft.progress().map(|(_, matched, _)| matched).max()).flatten()
}

/// The state of every node after its last step.
#[derive(Default)]
pub struct RarePaths {
    nodes: BTreeMap<NodeId, Last>,
    counts: Counts,
    leaders: BTreeMap<Term, NodeId>,
    /// The operation that began in the last step and that a fault would suit.
    pub(crate) moment: Option<Moment>,
}

#[derive(Clone, Copy)]
struct Last {
    role: RoleKind,
    last_index: Index,
    checkpoint: Index,
    applied: Index,
    is_joint: bool,
    /// How far the log has come at any follower; of a leader that has committed nothing in its term.
    spread: Option<Index>,
    /// The term in which it became leader of a configuration that was joint already.
    joint_since: Option<Term>,
}

impl RarePaths {
    /// A node made a step.
    pub fn observe(&mut self, id: NodeId, replica: &Replica) {
        let raft = replica.raft();
        let mut now = Last {
            role: raft.role(),
            last_index: raft.last_index(),
            checkpoint: raft.checkpoint_index(),
            applied: replica.applied(),
            is_joint: raft.configuration().is_joint(),
            spread: spread(raft),
            joint_since: None,
        };
        if let Some(last) = self.nodes.get(&id).copied() {
            now.joint_since = last.joint_since.filter(|term| *term == raft.term() && now.role == RoleKind::Leader);
            if now.last_index < last.last_index {
                self.counts.add("logs truncated");
            }
            if now.checkpoint > last.checkpoint {
                let installed = now.applied > last.applied && now.checkpoint == now.applied;
                let text = if installed { "snapshots installed" } else { "checkpoints made" };
                self.counts.add(text);
            }
            if now.role == RoleKind::Leader && last.role != RoleKind::Leader {
                if self.leaders.insert(raft.term(), id).is_none() {
                    self.counts.add("leaders elected");
                }
                now.joint_since = now.is_joint.then_some(raft.term());
                self.moment = Some(Moment::Elected(id));
            } else if now.is_joint && !last.is_joint && now.role == RoleKind::Leader {
                self.moment = Some(Moment::Joint(id));
                let configuration = raft.configuration();
                let names =
                    |voters: &BTreeSet<Member>| voters.iter().map(|member| member.node).collect::<BTreeSet<_>>();
                let (before, after) = (names(&configuration.outgoing), names(&configuration.voters));
                self.counts.add(if before.symmetric_difference(&after).count() > 1 {
                    "joint configurations of several nodes"
                } else {
                    "joint configurations of one node"
                });
            }
            if let (Some(before), Some(spread)) = (last.spread, now.spread)
                && spread > before
            {
                self.counts.add("logs of unsettled leaders spread");
                self.moment = Some(Moment::Spread(id));
            }
            if now.joint_since.is_some() && !now.is_joint {
                self.counts.add("joint configurations left by a new leader");
                now.joint_since = None;
            }
        }
        self.nodes.insert(id, now);
    }

    /// The process of a node ended.
    pub fn forget(&mut self, id: NodeId) {
        self.nodes.remove(&id);
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

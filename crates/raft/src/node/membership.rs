//! Membership changes by joint consensus (Raft 6, thesis 4.3).

use super::follower::Follower;
use super::{Raft, Role};
use crate::configuration::{Configuration, MEMBERS_MAX, Member};
use crate::entry::Payload;
use crate::index::Index;
use crate::interface::{Event, Refusal, Ticket};
use crate::message::{Body, Message};
use alloc::vec::Vec;
use volvox_core::{Context, Incarnation, NodeId, Position};

/// The most nodes that this one remembers, to ask them to let it join.
const KNOWN_NODES_MAX: usize = 2 * MEMBERS_MAX;

/// The configurations of the log, each with the index from which it is in force. The first is the checkpoint's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Membership {
    history: Vec<(Index, Configuration)>,
}

impl Membership {
    pub fn new(index: Index, configuration: Configuration) -> Membership {
        Membership { history: alloc::vec![(index, configuration)] }
    }

    /// The configuration in force: the last one, committed or not.
    pub fn active(&self) -> &Configuration {
        &self.last().1
    }

    /// The index at which the configuration in force was appended.
    pub fn active_since(&self) -> Index {
        self.last().0
    }

    /// The configuration that was in force at `index`.
    pub fn at(&self, index: Index) -> &Configuration {
        let known = self.history.iter().rfind(|(since, _)| *since <= index);
        &known.expect("the history reaches back to the checkpoint").1
    }

    /// The configuration at the commit index and the later ones: one of them will prevail.
    pub fn in_doubt(&self, commit: Index) -> impl Iterator<Item = &Configuration> {
        let committed = self.history.iter().rposition(|(since, _)| *since <= commit).unwrap_or(0);
        self.history[committed..].iter().map(|(_, configuration)| configuration)
    }

    pub fn append(&mut self, index: Index, configuration: Configuration) {
        assert!(index > self.active_since(), "a configuration at {index} behind {}", self.active_since());
        self.history.push((index, configuration));
    }

    /// Drops the entries from `index` on. Returns whether a different configuration is in force now.
    pub fn truncate_from(&mut self, index: Index) -> bool {
        let before = self.history.len();
        self.history.retain(|(since, _)| *since < index);
        assert!(!self.history.is_empty(), "the configuration of the checkpoint was truncated");
        self.history.len() < before
    }

    /// Drops the configurations that were replaced before `index`.
    pub fn forget_before(&mut self, index: Index) {
        let over = self.history.iter().filter(|(since, _)| *since <= index).count().saturating_sub(1);
        self.history.drain(..over);
    }

    /// The configurations appended after `after`, up to `through`.
    pub fn between(&self, after: Index, through: Index) -> Vec<Configuration> {
        let appended = self.history.iter().filter(|(since, _)| *since > after && *since <= through);
        appended.map(|(_, configuration)| configuration.clone()).collect()
    }

    fn last(&self) -> &(Index, Configuration) {
        self.history.last().expect("the history is never empty")
    }
}

impl Raft {
    pub(super) fn on_change(
        &mut self,
        ticket: Ticket,
        voters: &[Member],
        learners: &[Member],
        cx: &mut Context<'_, Raft>,
    ) {
        let next = match self.plan_change(voters, learners) {
            Ok(next) => next,
            Err(reason) => return self.server.refuse(ticket, reason, cx),
        };
        let index = self.append_as_leader(Payload::Configuration(next), cx);
        cx.emit(Event::Proposed { ticket, index, term: self.server.term });
    }

    fn plan_change(&self, voters: &[Member], learners: &[Member]) -> Result<Configuration, Refusal> {
        let Role::Leader(leader) = &self.role else { return Err(self.not_leader()) };
        if leader.transfer.is_some() {
            return Err(Refusal::Transferring);
        }
        let (active, server) = (self.server.configuration(), &self.server);
        // One change at a time (Raft 6). And a leader changes nothing before it has committed an entry of its own term:
        // only then does it know that no other leader's change is still on its way to being committed (Ongaro on
        // raft-dev, 2015; joint consensus is safe without this rule, and keeps it for its one-step changes of learners).
        let is_settled = server.membership.active_since() <= server.commit && server.commit >= leader.first_entry;
        if active.is_joint() || !is_settled {
            return Err(Refusal::ChangeInProgress);
        }
        if voters.is_empty() {
            return Err(Refusal::UnknownMember);
        }
        if voters.len() > MEMBERS_MAX || learners.len() > MEMBERS_MAX {
            return Err(Refusal::TooMany);
        }
        let next = active.change_to(voters, learners);
        if next.voters == active.voters && next.learners == active.learners {
            return Err(Refusal::NoChange);
        }
        Ok(next)
    }

    /// The commit index has moved: the current leader leaves a committed joint configuration; a leader that is no
    /// longer a voter steps down.
    pub(super) fn on_configuration_committed(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &self.role else { return };
        let server = &self.server;
        if server.membership.active_since() > server.commit || server.commit < leader.first_entry {
            return;
        }
        let active = server.configuration();
        if active.is_joint() {
            let next = active.leave_joint();
            self.append_as_leader(Payload::Configuration(next), cx);
            return;
        }
        if leader.has_leavers {
            // Messages gathered for later would no longer reach the leaving members: inform them now.
            let next = server.log.last_index().next();
            self.replicate_to_all(cx);
            self.follow_configuration(next);
        }
        let server = &self.server;
        let active = server.configuration();
        if !active.votes(server.me) {
            // Raft 6: a leader that is not in the new configuration steps down once that is committed. Until then it
            // leads a cluster that it does not count itself in.
            cx.note("steps down: no longer a voter", 0);
            self.hand_over(cx);
            self.become_follower(self.server.term, None, cx);
        }
    }

    /// A node that has no vote and hears from no leader asks every node that it knows, until it hears from a leader: it
    /// is new, or it lost its storage, or the leader that added it was deposed before any other member knew. A leader
    /// that has already added it, or is not to add it, ignores the request.
    pub(super) fn ask_to_join(&mut self, cx: &mut Context<'_, Raft>) {
        let (from, term) = (self.server.me.incarnation, self.server.term);
        let message = Message { from, to: Default::default(), term, body: Body::Join };
        let known_nodes = &self.server.known_nodes;
        cx.broadcast(known_nodes, message);
    }

    /// A node sends to an earlier incarnation of this one: if all nodes known to this one have been replaced meanwhile,
    /// it finds the leader by the heartbeats for the lost incarnation.
    pub(super) fn on_message_for_another(&mut self, from: NodeId, to: Incarnation, cx: &mut Context<'_, Raft>) {
        cx.note("ignored: for another incarnation", to.0);
        let known_nodes = &mut self.server.known_nodes;
        if to < self.server.me.incarnation && !known_nodes.contains(&from) && known_nodes.len() < KNOWN_NODES_MAX {
            known_nodes.push(from);
        }
    }

    /// A node asks to join. It may not know the leader, which may have joined later.
    pub(super) fn on_join(&mut self, from: Member, cx: &mut Context<'_, Raft>) {
        match &self.role {
            Role::Leader(_) if !self.server.configuration().names(from) => {
                // Waits for nothing: it reveals only what was just received.
                cx.emit_after(Position::NONE, Event::Joining { member: from });
            }
            Role::Follower(Follower { leader: Some(leader), .. }) if leader.node != from.node => {
                // Waits for the term only.
                self.server.send_after(self.server.hard_position, *leader, Body::ForwardJoin { member: from }, cx);
            }
            Role::Leader(_) | Role::Follower(_) | Role::Candidate(_) => {}
        }
    }

    /// Leader: a member forwards that a node asks to join.
    pub(super) fn on_forward_join(&mut self, from: Member, member: Member, cx: &mut Context<'_, Raft>) {
        let is_led = matches!(self.role, Role::Leader(_)) && self.server.configuration().names(from);
        if !is_led || member.node == self.server.me.node || member.incarnation.0 == 0 {
            return cx.note("ignored: forwards nothing usable", from.node.0);
        }
        self.on_join(member, cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_answers_for_every_index_behind_the_checkpoint() {
        let of = |node| Configuration::of([Member::new(node, 1)]);
        let mut membership = Membership::new(Index(3), of(1));
        membership.append(Index(5), of(2));
        membership.append(Index(9), of(3));
        assert_eq!(membership.at(Index(4)), &of(1));
        assert_eq!(membership.at(Index(5)), &of(2));
        assert_eq!(membership.between(Index(3), Index(8)), alloc::vec![of(2)]);
        assert!(membership.truncate_from(Index(9)) && !membership.truncate_from(Index(6)));
        assert_eq!(membership.active(), &of(2));
        membership.forget_before(Index(5));
        assert_eq!((membership.at(Index(7)), membership.active_since()), (&of(2), Index(5)));
    }
}

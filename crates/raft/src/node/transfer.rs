//! Leadership transfer (thesis 3.10): the leader brings one voter's log up to its own, takes no proposals meanwhile,
//! and tells it to campaign at once.

use super::{Raft, Role};
use crate::configuration::Member;
use crate::index::Index;
use crate::interface::{Event, Refusal, Ticket, Timer};
use crate::message::Body;
use volvox_core::{Context, NodeId};

/// A transfer in progress.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Transfer {
    pub ticket: Ticket,
    pub to: Member,
}

impl Raft {
    pub(super) fn on_transfer(&mut self, ticket: Ticket, to: NodeId, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &mut self.role else {
            return self.server.refuse(ticket, self.not_leader(), cx);
        };
        if leader.transfer.is_some() {
            return self.server.refuse(ticket, Refusal::Transferring, cx);
        }
        let server = &self.server;
        if to == server.me.node && server.configuration().votes(server.me) {
            return cx.emit(Event::Transferred { ticket });
        }
        // During a swap a node may be named in two incarnations: the one with more progress is the living one.
        let voters = server.configuration().voters.iter().copied();
        let heir = voters
            .filter(|voter| voter.node == to && server.can_reach(*voter))
            .max_by_key(|voter| leader.progress.get(voter).map_or(Index::ZERO, |progress| progress.matched));
        let Some(to) = heir else { return server.refuse(ticket, Refusal::UnknownMember, cx) };
        leader.transfer = Some(Transfer { ticket, to });
        cx.set_timer(Timer::Transfer, server.config.election_timeout);
        self.continue_transfer(to, cx);
    }

    /// Tells the receiver to campaign once its log is as long as ours.
    pub(super) fn continue_transfer(&mut self, from: Member, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &self.role else { return };
        let last = self.server.log.last_index();
        let is_there = leader.progress.get(&from).is_some_and(|progress| progress.matched == last);
        if is_there && leader.transfer.is_some_and(|transfer| transfer.to == from) {
            self.server.send(from, Body::TimeoutNow, cx);
        }
    }

    /// Receiver: campaigns at once, without a timeout and without a pre-vote, as the leader requested.
    pub(super) fn on_timeout_now(&mut self, cx: &mut Context<'_, Raft>) {
        if self.server.may_campaign() {
            self.become_candidate(true, cx);
        } else {
            cx.note("ignored: asked to campaign without a vote", 0);
        }
    }

    /// Thesis 3.10: if the transfer does not end within an election timeout, the leader resumes.
    pub(super) fn on_transfer_timer(&mut self, cx: &mut Context<'_, Raft>) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(transfer) = leader.transfer.take()
        {
            return self.server.refuse(transfer.ticket, Refusal::TransferTimedOut, cx);
        }
        if let Some((ticket, _)) = self.server.handover.take() {
            self.server.refuse(ticket, Refusal::LeaderChanged, cx);
        }
    }

    /// The leader changed, or there is none: informs the initiator of a transfer here how it ended.
    pub(super) fn on_leader_known(&mut self, leader: Option<NodeId>, cx: &mut Context<'_, Raft>) {
        let Some(leader) = leader else { return };
        let Some((ticket, to)) = self.server.handover.take() else { return };
        cx.cancel_timer(Timer::Transfer);
        if leader == to {
            cx.emit(Event::Transferred { ticket });
        } else {
            self.server.refuse(ticket, Refusal::LeaderChanged, cx);
        }
    }

    /// A leader that the new configuration does not name hands over on its way out, which saves the others an election
    /// timeout.
    pub(super) fn hand_over(&mut self, cx: &mut Context<'_, Raft>) {
        let Role::Leader(leader) = &self.role else { return };
        let voters = self.server.configuration().voters.iter().copied();
        let matched = |voter: &Member| leader.progress.get(voter).map_or(Index::ZERO, |progress| progress.matched);
        if let Some(heir) = voters.filter(|voter| self.server.can_reach(*voter)).max_by_key(matched) {
            self.server.send(heir, Body::TimeoutNow, cx);
        }
    }
}

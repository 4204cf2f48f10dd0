//! Membership: requests of users, and bringing the Raft configuration into line with the members.
//!
//! The table of members says who *should* vote; the Raft configuration says which (node, incarnation) pairs *do*. The
//! leader compares the two whenever something changed, and proposes one step at a time:
//!
//! 1. a node that the table does not name leaves the configuration;
//! 2. a named node that reports an incarnation newer than the configuration's — it is new, or lost its disk — comes in
//!    as a learner under that incarnation;
//! 3. a learner that caught up, and should vote, becomes a voter in place of the older incarnation.
//!
//! Each step is a joint change (Raft 6), and any leader can continue where another stopped, because nothing is kept
//! except the table, the configuration, and the nodes that say hello.

use super::Replica;
use super::writes::Own;
use crate::Error;
use crate::members::{Member, MemberAction, are_attributes_bounded, check_peer_urls};
use crate::message::{Refusal, Timer};
use crate::proposal::Action;
use crate::request::{Event, MemberRequest, Reply, Ticket};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Incarnation, Instant, NodeId, Position, Process};
use volvox_raft::{
    Command as RaftCommand, Configuration, Member as RaftMember, Refusal as RaftRefusal, RoleKind, Ticket as RaftTicket,
};
use volvox_store::Identity;

/// How often the leader compares, beside every change.
const RECONCILE_TICK: Duration = Duration::from_millis(250);

/// The raft ticket of every change of the configuration: no request waits for it, and the next comparison sees it.
const CHANGE: RaftTicket = RaftTicket(u64::MAX - 1);

/// A learner may vote once it lacks at most this many entries: then it needs no snapshot, and catches up in one flight.
const LEARNER_LAG_MAX: u64 = 1024;

/// After this many election timeouts without a leader, a node that was removed leaves.
const LEAVE_ANYWAY_TIMEOUTS: u32 = 30;

/// The knowledge of this node about the members, beside the replicated table.
#[derive(Clone, Debug, Default)]
pub(super) struct Membership {
    moving: Option<Moving>,
    /// The newest known incarnation of nodes that the Raft configuration does not name in it.
    joining: BTreeMap<NodeId, Incarnation>,
    /// Leader: when the last message from each other member arrived.
    heard: BTreeMap<RaftMember, Instant>,
    /// Since when the members' table says that this node was removed, and whether that was reported.
    leaving: Leaving,
}

impl Membership {
    /// A node was removed.
    pub fn forget(&mut self, id: NodeId) {
        self.joining.remove(&id);
    }

    /// A client gave up.
    pub fn forget_transfer(&mut self, ticket: Ticket) {
        self.moving.take_if(|moving| moving.ticket == ticket);
    }
}

/// A transfer of leadership that a client waits for.
#[derive(Clone, Copy, Debug)]
struct Moving {
    /// The client's.
    ticket: Ticket,
    /// Its number in consensus.
    asked: RaftTicket,
    deadline: Instant,
}

/// The progress of a removed node in leaving.
#[derive(Clone, Copy, Debug, Default)]
struct Leaving {
    /// When it saw that it was removed.
    since: Option<Instant>,
    /// Whether the world was informed.
    is_told: bool,
}

impl Replica {
    /// A client changes the members.
    pub(super) fn on_member_request(
        &mut self,
        ticket: Ticket,
        identity: Identity,
        request: MemberRequest,
        cx: &mut Context<'_, Replica>,
    ) {
        let action = match request {
            MemberRequest::Add { peer_urls, is_learner } => {
                check_peer_urls(&peer_urls).map(|()| MemberAction::Add { peer_urls, is_learner })
            }
            MemberRequest::Remove { id } => Ok(MemberAction::Remove(id)),
            MemberRequest::Update { id, peer_urls } => {
                check_peer_urls(&peer_urls).map(|()| MemberAction::Update(id, peer_urls))
            }
            MemberRequest::Promote { id } => Ok(MemberAction::Promote(id)),
        };
        let checked = action.and_then(|action| {
            let leads = self.consensus.raft().role() == RoleKind::Leader;
            let action = Action::Member(action);
            if leads {
                self.check_member_action(&action, cx.now())?;
            }
            Ok(action)
        });
        match checked {
            Ok(action) => {
                self.submit(Some(ticket), identity, action, cx);
            }
            Err(error) => self.reply(ticket, Err(error), cx),
        }
    }

    /// Checks what only the leader knows about a change of the members: whether a learner has caught up, and whether the
    /// quorum after the change is connected (book/src/etcd.md#7.2). The table of members is checked when the change is
    /// applied, on every member alike.
    pub(super) fn check_member_action(&self, action: &Action, now: Instant) -> Result<(), Refusal> {
        match action {
            Action::Member(MemberAction::Add { is_learner: false, .. }) => self.check_health(None, now),
            Action::Member(MemberAction::Remove(id)) => self.check_health(Some(*id), now),
            Action::Member(MemberAction::Promote(id)) => self.check_learner(*id),
            _ => Ok(()),
        }
    }

    /// One voter more, or one less: then the connected others must be a quorum. One voter may grow to two.
    fn check_health(&self, without: Option<NodeId>, now: Instant) -> Result<(), Refusal> {
        let votes = |id: NodeId| self.machine.members().get(id).is_some_and(|member| !member.is_learner);
        let voters = || self.machine.members().iter().map(|member| member.id).filter(|id| votes(*id));
        if without.is_some_and(|id| !votes(id)) {
            return Ok(());
        }
        let connected = voters().filter(|id| Some(*id) != without && self.is_connected(*id, now)).count();
        let after = if without.is_some() { voters().count() - 1 } else { voters().count() + 1 };
        let may_grow = without.is_none() && after <= 2;
        if may_grow || connected > after / 2 || after == 0 { Ok(()) } else { Err(Refusal::Unhealthy) }
    }

    fn is_connected(&self, id: NodeId, now: Instant) -> bool {
        let lately = 2 * self.config.raft.election_timeout;
        id == self.id || self.membership.heard.iter().any(|(member, at)| member.node == id && now.since(*at) <= lately)
    }

    /// Leader: records which members answered. Consensus itself resets that every election timeout.
    pub(super) fn hear_members(&mut self, now: Instant) {
        let progress: BTreeMap<RaftMember, bool> =
            self.consensus.raft().progress().map(|(member, _, is_active)| (member, is_active)).collect();
        self.membership.heard.retain(|member, _| progress.contains_key(member));
        self.membership
            .heard
            .extend(progress.into_iter().filter(|(_, is_active)| *is_active).map(|(member, _)| (member, now)));
    }

    fn check_learner(&self, id: NodeId) -> Result<(), Refusal> {
        let id = &id;
        if self.machine.members().get(*id).is_none_or(|member| !member.is_learner) {
            return Ok(());
        }
        let learner = self.consensus.raft().configuration().learners.iter().find(|member| member.node == *id);
        match learner {
            Some(learner) if self.has_caught_up(learner) => Ok(()),
            _ => Err(Refusal::LearnerNotReady),
        }
    }

    fn has_caught_up(&self, member: &RaftMember) -> bool {
        let commit = self.consensus.raft().commit_index().0;
        self.consensus.raft().progress().any(|(other, matched, _)| {
            other == *member && self.membership.heard.contains_key(member) && matched.0 + LEARNER_LAG_MAX >= commit
        })
    }

    /// A node says hello that the Raft configuration does not name in this incarnation.
    pub(super) fn on_joining(&mut self, member: RaftMember, cx: &mut Context<'_, Replica>) {
        if self.machine.members().get(member.node).is_none() {
            return cx.note("a node that is no member wants to join", member.node.0);
        }
        let newest = self.membership.joining.entry(member.node).or_insert(Incarnation(0));
        if member.incarnation > *newest {
            *newest = member.incarnation;
            self.reconcile(cx);
        }
    }

    /// Proposes the next step towards what the members' table says, if there is one.
    pub(super) fn reconcile(&mut self, cx: &mut Context<'_, Replica>) {
        let leads = self.consensus.raft().role() == RoleKind::Leader && self.leases.has_clock();
        if !leads {
            return;
        }
        cx.set_timer(Timer::Reconcile, RECONCILE_TICK);
        if !self.machine.members().is_formed() {
            if !self.config.bootstrap.is_empty() {
                let members = self.config.bootstrap.clone();
                self.submit_own(Own::Bootstrap, Action::Member(MemberAction::Bootstrap(members)), cx);
            }
            return;
        }
        let current = self.consensus.raft().configuration().clone();
        if !current.outgoing.is_empty() {
            return;
        }
        let (voters, learners) = self.next_step(&current);
        if voters != current.voters || learners != current.learners {
            let (voters, learners) = (voters.into_iter().collect(), learners.into_iter().collect());
            let change = RaftCommand::Change { ticket: CHANGE, voters, learners };
            self.with_raft(cx, |raft, cx| raft.on_command(change, cx));
        }
    }

    fn next_step(&self, current: &Configuration) -> (BTreeSet<RaftMember>, BTreeSet<RaftMember>) {
        let named = |member: &&RaftMember| self.machine.members().get(member.node).is_some();
        let mut voters: BTreeSet<RaftMember> = current.voters.iter().filter(named).copied().collect();
        let mut learners: BTreeSet<RaftMember> = current.learners.iter().filter(named).copied().collect();
        for member in self.machine.members().iter() {
            let known =
                |set: &BTreeSet<RaftMember>| set.iter().filter(|m| m.node == member.id).map(|m| m.incarnation).max();
            let newest = known(&voters).max(known(&learners));
            if let Some(incarnation) = self.membership.joining.get(&member.id).copied()
                && newest.is_none_or(|newest| incarnation > newest)
            {
                learners.retain(|learner| learner.node != member.id);
                learners.insert(RaftMember { node: member.id, incarnation });
            }
            let learner = learners.iter().find(|learner| learner.node == member.id).copied();
            if let Some(learner) = learner.filter(|learner| !member.is_learner && self.has_caught_up(learner)) {
                voters.retain(|voter| voter.node != member.id);
                voters.insert(learner);
                learners.remove(&learner);
            }
        }
        if voters.is_empty() { (current.voters.clone(), learners) } else { (voters, learners) }
    }

    /// A member publishes its name and URLs once it runs, and again whenever the table differs.
    pub(super) fn publish_self(&mut self, cx: &mut Context<'_, Replica>) {
        let Some(member) = self.machine.members().get(self.id) else {
            return;
        };
        let (name, client_urls) = (&self.config.name, &self.config.client_urls);
        if !are_attributes_bounded(name, client_urls) {
            return cx.note("the name or the client URLs of this node are too long", 0);
        }
        if member.name != *name || member.client_urls != *client_urls {
            let publish = MemberAction::Publish { id: self.id, name: name.clone(), client_urls: client_urls.clone() };
            self.submit_own(Own::Publish, Action::Member(publish), cx);
        }
    }

    /// A client hands leadership over.
    pub(super) fn on_move_leader(&mut self, ticket: Ticket, to: NodeId, cx: &mut Context<'_, Replica>) {
        if self.consensus.raft().role() != RoleKind::Leader {
            return self.reply(ticket, Err(Error::NotLeader), cx);
        }
        if to == self.id {
            return self.reply(ticket, Ok(Reply::LeaderMoved), cx);
        }
        if self.membership.moving.is_some()
            || !self.consensus.raft().configuration().voters.iter().any(|voter| voter.node == to)
        {
            return self.reply(ticket, Err(Error::BadTransferee), cx);
        }
        let (asked, deadline) = (self.reads.next_ticket(), cx.now() + self.config.request_timeout());
        self.membership.moving = Some(Moving { ticket, asked, deadline });
        self.with_raft(cx, |raft, cx| raft.on_command(RaftCommand::Transfer { ticket: asked, to }, cx));
    }

    pub(super) fn on_transferred(&mut self, asked: RaftTicket, cx: &mut Context<'_, Replica>) {
        if let Some(moving) = self.membership.moving.take_if(|moving| moving.asked == asked) {
            self.reply(moving.ticket, Ok(Reply::LeaderMoved), cx);
        }
    }

    /// Consensus did not hand leadership over.
    pub(super) fn on_transfer_refused(
        &mut self,
        asked: RaftTicket,
        reason: RaftRefusal,
        cx: &mut Context<'_, Replica>,
    ) {
        let Some(moving) = self.membership.moving.take_if(|moving| moving.asked == asked) else { return };
        let error = match reason {
            RaftRefusal::UnknownMember => Error::BadTransferee,
            RaftRefusal::NotLeader { .. } => Error::NotLeader,
            _ => Error::TransferTimeout,
        };
        self.reply(moving.ticket, Err(error), cx);
    }

    pub(super) fn expire_transfer(&mut self, now: Instant, cx: &mut Context<'_, Replica>) {
        if let Some(moving) = self.membership.moving.take_if(|moving| moving.deadline <= now) {
            self.reply(moving.ticket, Err(Error::TransferTimeout), cx);
        }
    }

    /// This node no longer leads.
    pub(super) fn stop_reconciling(&mut self, cx: &mut Context<'_, Replica>) {
        self.membership.heard.clear();
        cx.cancel_timer(Timer::Reconcile);
    }

    /// A node that was removed leaves once consensus counts without it, and not before: its acknowledgement may be
    /// needed to get there. Of two voters, the one that stops too early stops the other forever.
    pub(super) fn leave_if_removed(&mut self, cx: &mut Context<'_, Replica>) {
        if self.membership.leaving.is_told || !self.machine.members().was_removed(self.id) {
            return;
        }
        let now = cx.now();
        let since = *self.membership.leaving.since.get_or_insert(now);
        let committed = self.consensus.raft().meta_at(self.consensus.raft().commit_index()).configuration;
        let is_named = committed.members().iter().any(|member| member.node == self.id);
        // The leader may have been unable to report that it is done.
        let is_forgotten = self.consensus.raft().leader().is_none()
            && now.since(since) >= LEAVE_ANYWAY_TIMEOUTS * self.config.raft.election_timeout;
        if !is_named || is_forgotten {
            self.membership.leaving.is_told = true;
            cx.emit_after(Position::NONE, Event::Removed);
        }
    }

    /// The members, sorted by id.
    pub fn member_list(&self) -> Vec<Member> {
        self.machine.members().list()
    }
}

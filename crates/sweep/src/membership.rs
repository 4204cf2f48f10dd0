//! Changes of the members during a run: nodes join, as learners or to vote at once, are promoted, and leave.
//!
//! A few changes at a time, and none while a disk is damaged: an operator who removes a healthy member while another has
//! lost its disk can leave too few, which no protocol repairs.

use crate::driver::{Change, Client, Run, Wake, World};
use crate::operations::Operation;
use crate::shape::peer_url;
use volvox_core::{Duration, Incarnation, NodeId};
use volvox_raft::{Configuration, Member};
use volvox_replica::{MemberRequest, Replica};

/// There are never more members than the cluster began with and this many.
const MEMBERS_MORE: usize = 2;
/// And never fewer than this, or no fault is survived.
const MEMBERS_LEAST: usize = 3;

impl Run {
    /// Continues the changes in progress, or begins others.
    pub(crate) fn change_members(&mut self, world: &mut World) {
        self.finish_changes(world);
        if self.membership.under_way.is_empty() {
            // Every run sees one change at least, be it when all is well again.
            if !self.healing || self.membership.changes == 0 {
                self.begin_changes(world);
            }
            if self.membership.changes == 0 {
                return self.wake_between(world, 200, 600, Wake::Members);
            }
            let span = Duration::from_nanos(self.shape.members_every.draw(&mut self.rng));
            return self.wake(world, span, Wake::Members);
        }
        for change in self.membership.under_way.clone() {
            let request = change.request();
            if !self.is_asking(&request)
                && let Some(node) = self.some_running(world)
            {
                self.ask_members(world, node, request);
            }
        }
        self.wake_between(world, 100, 600, Wake::Members);
    }

    fn is_asking(&self, request: &MemberRequest) -> bool {
        self.asked.values().any(|asked| matches!(&asked.operation, Operation::Member(other) if other == request))
    }

    fn begin_changes(&mut self, world: &World) {
        if !self.damage.is_quiet() || !self.is_settled(world) {
            return;
        }
        let Some((_, replica)) = newest(world) else { return };
        let members = replica.members().list();
        let learners: Vec<NodeId> = members.iter().filter(|member| member.is_learner).map(|member| member.id).collect();
        let membership = &mut self.membership;
        if !learners.is_empty() {
            let leave = self.rng.below(4) == 0;
            let change = |id| if leave { Change::Remove(id) } else { Change::Promote(id) };
            membership.under_way = learners.into_iter().map(change).collect();
            return;
        }
        // Several at a time: then a joint configuration is one whose halves can miss one another.
        let count = 1 + self.rng.below(self.shape.changes_at_once) as usize;
        let nodes = self.shape.nodes as usize;
        let grow = members.len() < nodes + MEMBERS_MORE && (members.len() <= nodes || self.rng.below(3) == 0);
        if grow {
            let is_learner = self.rng.below(2) > 0;
            for _ in 0..count.min(nodes + MEMBERS_MORE - members.len()) {
                membership.additions += 1;
                let address = 100 + membership.additions;
                membership.under_way.push(Change::Add { is_learner, address });
            }
        } else {
            let mut ids: Vec<NodeId> = members.iter().map(|member| member.id).collect();
            self.rng.shuffle(&mut ids);
            ids.truncate(count.min(members.len() - MEMBERS_LEAST));
            membership.under_way = ids.into_iter().map(Change::Remove).collect();
        }
    }

    /// A change is over once the newest state of any node shows it, whatever its client was told.
    fn finish_changes(&mut self, world: &mut World) {
        let Some((_, replica)) = newest(world) else { return };
        let members = replica.members().list();
        for change in std::mem::take(&mut self.membership.under_way) {
            let done = match change {
                Change::Add { address, .. } => {
                    let url = peer_url(NodeId(address));
                    let added = members.iter().find(|member| member.peer_urls.contains(&url)).map(|member| member.id);
                    if let Some(id) = added {
                        self.add_node(world, id);
                    }
                    added.is_some()
                }
                Change::Promote(id) => members.iter().all(|member| member.id != id || !member.is_learner),
                Change::Remove(id) => members.iter().all(|member| member.id != id),
            };
            if !done || self.is_asking(&change.request()) {
                self.membership.under_way.push(change);
                continue;
            }
            self.counts.add(match change {
                Change::Add { is_learner: true, .. } => "members added as learners",
                Change::Add { .. } => "members added as voters",
                Change::Promote(_) => "learners promoted",
                Change::Remove(_) => "members removed",
            });
            if let Change::Remove(id) = change {
                self.membership.removed.push(id);
            }
            self.membership.changes += 1;
        }
    }

    /// A request about members was answered.
    pub(crate) fn on_members_changed(&mut self, world: &mut World, request: &MemberRequest, added: Option<NodeId>) {
        if let (MemberRequest::Add { .. }, Some(id)) = (request, added) {
            self.add_node(world, id);
        }
    }

    /// The machine of a new member is switched on.
    fn add_node(&mut self, world: &mut World, id: NodeId) {
        if world.ids().any(|known| known == id) {
            return;
        }
        let Some((_, replica)) = newest(world) else { return };
        let mut members: Vec<NodeId> = replica.members().list().iter().map(|member| member.id).collect();
        if !members.contains(&id) {
            members.push(id);
        }
        world.add_node(id, &members, self.shape.config_of_joiner(id));
        // Machines that come in one rack are switched on together: then several nodes catch up at a time, and one joint
        // configuration takes them all.
        if self.membership.switch_on <= world.now() {
            self.membership.switch_on = world.now() + Duration::from_millis(self.rng.between(10, 800));
        }
        world.fault_after(self.membership.switch_on.since(world.now()), volvox_core::Fault::Start(id));
        for _ in 0..self.shape.clients_a_node {
            self.clients.push(Client { node: id, busy: None });
            let client = self.clients.len() - 1;
            self.wake_between(world, 500, 3_000, Wake::Client(client));
        }
    }

    /// A removed node stops, as ordered.
    pub(crate) fn retire(&mut self, world: &mut World, node: NodeId) {
        let who = volvox_core::fault::Target::Node(node);
        world.apply_fault(&volvox_core::Fault::Crash { who, without_disk: false });
    }

    /// Whether consensus matches the table of members, with every member in its current incarnation.
    pub(crate) fn is_settled(&self, world: &World) -> bool {
        let Some((_, replica)) = newest(world) else { return false };
        if replica.applied().0 < self.truth.borrow().frontier() {
            // Power cuts forget what was known committed: the members may be others by now.
            return false;
        }
        let configuration = committed(replica);
        let life = |id: NodeId| Member { node: id, incarnation: world.incarnation(id).unwrap_or(Incarnation(0)) };
        let members = replica.members().list();
        let voters = members.iter().filter(|member| !member.is_learner).map(|member| life(member.id));
        let learners = members.iter().filter(|member| member.is_learner).map(|member| life(member.id));
        !members.is_empty()
            && *replica.raft().configuration() == configuration
            && !configuration.is_joint()
            && voters.collect::<std::collections::BTreeSet<Member>>() == configuration.voters
            && learners.collect::<std::collections::BTreeSet<Member>>() == configuration.learners
    }
}

/// The configuration that stays under any next leader: the one in force may yet be lost with its leader.
pub(crate) fn committed(replica: &Replica) -> Configuration {
    replica.raft().meta_at(replica.raft().commit_index()).configuration
}

/// The node that has applied most.
pub(crate) fn newest(world: &World) -> Option<(NodeId, &Replica)> {
    world.live().max_by_key(|(_, replica)| replica.applied())
}

//! Damage of disks: erased, rotten or lying, on a minority of the voters at a time. And power cuts, which damage none.
//!
//! A damaged disk counts until its node is seen to vote again in the present life of its storage, which is a fresh one
//! if it lost anything. While the members change, no disk is damaged: the budget would be unclear.

use crate::driver::{Hurt, Run, Wake, World};
use crate::membership::{committed, newest};
use volvox_core::fault::{DiskFault, Target};
use volvox_core::{Duration, Fault, Instant, NodeId};

/// Until then the first change of the members goes before: it finds no moment when disks are always being repaired.
const MEMBERS_FIRST: Duration = Duration::from_secs(15);

impl Run {
    /// Damages a disk, if one more may be.
    pub(crate) fn damage_a_disk(&mut self, world: &mut World) {
        if self.healing {
            return;
        }
        let span = Duration::from_nanos(self.shape.damage_every.draw(&mut self.rng));
        self.wake(world, span, Wake::Damage);
        if self.membership.changes == 0 && world.now().since(Instant::ZERO) < MEMBERS_FIRST {
            return;
        }
        let Some((_, replica)) = newest(world) else { return };
        let configuration = committed(replica);
        let voters: Vec<NodeId> = configuration.voters.iter().map(|voter| voter.node).collect();
        let budget = voters.len().saturating_sub(1) / 2;
        let is_new = replica.applied().0 >= self.truth.borrow().frontier();
        let is_in_force = *replica.raft().configuration() == configuration;
        let quiet = self.membership.under_way.is_empty() && is_new && is_in_force && !configuration.is_joint();
        // With a budget of more than one, others may still be on their way back; the rest must stand as it should.
        let settled = self.is_settled(world) || (!self.damage.is_quiet() && configuration.learners.is_empty());
        if !quiet || !settled || self.damage.outstanding.len() >= budget {
            return;
        }
        let node = voters[self.rng.below(voters.len() as u64) as usize];
        if world.node(node).is_none() || self.damage.outstanding.contains_key(&node) {
            return;
        }
        let before = world.incarnation(node).unwrap_or_default();
        let who = Target::Node(node);
        match self.rng.below(3) {
            0 => {
                world.apply_fault(&Fault::Crash { who, without_disk: true });
                self.start_later(world, node);
                self.counts.add("disks erased");
            }
            1 => {
                world.apply_fault(&Fault::Crash { who, without_disk: false });
                world.apply_fault(&Fault::Disk(node, DiskFault::Flip));
                self.start_later(world, node);
                self.counts.add("bits flipped at rest");
            }
            _ => {
                self.disks.lie(node, true);
                self.wake_between(world, 50, 1_500, Wake::LieEnds(node));
                self.counts.add("disks that lie");
            }
        }
        self.damage.outstanding.insert(node, Hurt { before, restarted: false });
    }

    pub(crate) fn cut_power(&mut self, world: &mut World) {
        if self.healing {
            return;
        }
        let span = Duration::from_nanos(self.shape.power_cut_every.draw(&mut self.rng));
        self.wake(world, span, Wake::PowerCut);
        self.power_goes(world);
    }

    /// The power of all nodes goes at once; when it is back, each machine takes its own time to start.
    pub(crate) fn power_goes(&mut self, world: &mut World) {
        let slowest_ms = if self.rng.below(2) == 0 { 500 } else { 4_000 };
        for node in world.ids().filter(|node| world.is_running(*node)).collect::<Vec<_>>() {
            // Writes that no sync has confirmed are gone, or torn.
            world.apply_fault(&Fault::Disk(node, DiskFault::Tear));
            world.apply_fault(&Fault::Crash { who: Target::Node(node), without_disk: false });
            let after = Duration::from_millis(self.rng.between(50, slowest_ms));
            world.fault_after(after, Fault::Start(node));
        }
        self.counts.add("power cuts");
    }

    fn start_later(&mut self, world: &mut World, node: NodeId) {
        let after = Duration::from_millis(self.rng.between(10, 3_000));
        world.fault_after(after, Fault::Start(node));
    }

    /// The disk is honest again; then the node loses its power, and what its disk lied about comes to light.
    pub(crate) fn end_lie(&mut self, world: &mut World, node: NodeId) {
        self.disks.lie(node, false);
        world.apply_fault(&Fault::Disk(node, DiskFault::Tear));
        world.apply_fault(&Fault::Crash { who: Target::Node(node), without_disk: false });
        self.start_later(world, node);
    }

    /// A process started: a disk that was damaged has been looked at.
    pub(crate) fn damage_started(&mut self, node: NodeId) {
        if let Some(hurt) = self.damage.outstanding.get_mut(&node) {
            hurt.restarted = true;
        }
    }

    /// A node that votes again has recovered.
    pub(crate) fn damage_look(&mut self, world: &World) {
        let Some((_, replica)) = newest(world) else { return };
        if replica.applied().0 < self.truth.borrow().frontier() {
            return;
        }
        let configuration = committed(replica);
        let counts = &mut self.counts;
        self.damage.outstanding.retain(|node, hurt| {
            let incarnation = world.incarnation(*node).unwrap_or_default();
            let member = volvox_raft::Member { node: *node, incarnation };
            let votes = configuration.voters.contains(&member) && !configuration.is_joint();
            let whole = hurt.restarted && votes && world.node(*node).is_some();
            if whole && incarnation != hurt.before {
                counts.add("nodes recovered under a fresh incarnation");
            }
            !whole
        });
    }
}

//! Faults that come when they hurt most.
//!
//! A fault at a random moment seldom falls into the few milliseconds in which a leader is new and its log unsettled, or a
//! configuration is joint. Yet the rules of such moments are needed nowhere else (Raft figure 8, Raft 6). So in some
//! seeds the moment itself draws the fault: at once, or after a few messages have gone through. The strikes are the
//! faults that come anyway, and nothing is known of the rule that they try.

use crate::driver::{Run, Wake, World};
use crate::moments::{Moment, Strike};
use volvox_core::fault::{DiskFault, Target};
use volvox_core::{Duration, Fault, Instant, NodeId};

/// From then on a first change of the members goes before.
const MEMBERS_BY: Duration = Duration::from_secs(6);

/// Within this time most elections end.
const ELECTION: Duration = Duration::from_secs(1);

impl Run {
    /// Something began that may draw a fault.
    pub(crate) fn on_moment(&mut self, world: &mut World, moment: Moment) {
        let strikes = &self.shape.strikes;
        // Every seed sees a change of its members: a seed that has had none for a long time gets the time for it.
        let is_late = self.membership.changes == 0 && world.now().since(Instant::ZERO) > MEMBERS_BY;
        let percent = match moment {
            Moment::Elected(_) => strikes.elected_percent,
            Moment::Spread(_) => strikes.spread_percent,
            Moment::Joint(_) => strikes.joint_percent,
        };
        if self.healing || is_late || self.striking.below(100) >= percent {
            return;
        }
        let strike = match moment {
            Moment::Elected(leader) | Moment::Spread(leader) => match self.striking.below(8) {
                0..=2 => Strike::Crash(leader),
                3..=5 => Strike::Isolate(leader),
                6 => Strike::Pause(leader),
                _ => Strike::Power,
            },
            Moment::Joint(leader) => match self.striking.below(8) {
                0 => Strike::Crash(leader),
                1 => Strike::Power,
                2..=5 => Strike::Rack(leader),
                _ => Strike::Split,
            },
        };
        // A message later the other half has learnt of the change.
        let is_at_once = self.striking.below(4) < if matches!(strike, Strike::Rack(_)) { 3 } else { 2 };
        let after = if is_at_once { 0 } else { strikes.after.draw(&mut self.striking) };
        match after {
            0 => self.strike(world, strike),
            after => self.wake(world, Duration::from_nanos(after), Wake::Strike(strike)),
        }
    }

    pub(crate) fn strike(&mut self, world: &mut World, strike: Strike) {
        if self.healing {
            return;
        }
        let mut lasting = Duration::from_nanos(self.shape.strikes.lasting.draw(&mut self.striking));
        if matches!(strike, Strike::Split | Strike::Rack(_)) {
            // Both sides have the time to elect.
            lasting += ELECTION;
        }
        let (fault, name) = match strike {
            Strike::Crash(node) => {
                if self.striking.below(2) == 0 {
                    world.apply_fault(&Fault::Disk(node, DiskFault::Tear));
                }
                (Fault::Crash { who: Target::Node(node), without_disk: false }, "strikes: crash")
            }
            Strike::Pause(node) => (Fault::Pause(node), "strikes: pause"),
            Strike::Isolate(node) => {
                let others = world.ids().filter(|id| *id != node).collect();
                (Fault::Partition(vec![vec![node], others]), "strikes: isolated leader")
            }
            Strike::Split => {
                let (some, others) = world.ids().partition(|_| self.striking.below(2) == 0);
                (Fault::Partition(vec![some, others]), "strikes: partition")
            }
            Strike::Rack(leader) => {
                let Some(replica) = world.node(leader) else { return };
                let configuration = replica.raft().configuration();
                let exchanged = configuration.voters.symmetric_difference(&configuration.outgoing);
                let mut rack: Vec<NodeId> =
                    exchanged.map(|member| member.node).filter(|node| *node != leader).collect();
                if self.striking.below(4) > 0 {
                    rack.push(leader);
                }
                let others = world.ids().filter(|id| !rack.contains(id)).collect();
                (Fault::Partition(vec![rack, others]), "strikes: partition of a rack")
            }
            Strike::Power => {
                self.counts.add("strikes: power");
                return self.power_goes(world);
            }
        };
        self.counts.add(name);
        world.fault_for(Duration::ZERO, fault, lasting);
    }
}

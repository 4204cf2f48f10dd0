//! The effect of each fault of the common vocabulary in this world.

use crate::event::{Pending, Undo};
use crate::simulation::Simulation;
use volvox_core::fault::{DiskFault, Scheduled, Target};
use volvox_core::{Duration, Fault, NodeId, Process};

impl<P: Process + 'static> Simulation<P> {
    /// Injects a fault now. One that names a missing node has no effect.
    pub fn apply_fault(&mut self, fault: &Fault) {
        self.statistics.faults.add(verb(fault));
        self.applied.push(Scheduled { fault: fault.clone(), at: Duration::from_nanos(self.now) });
        self.trace_text(format_args!("fault {fault}"));
        self.record_fault(fault);
        match fault {
            Fault::Partition(groups) => {
                let token = self.applied.len() as u64;
                self.partition(token, groups);
            }
            Fault::Cut(from, to) => self.both(*from, *to, |sim, from, to| sim.links.cut(from, to)),
            Fault::Slow(from, to, link) => self.both(*from, *to, |sim, from, to| sim.links.slow(from, to, *link)),
            Fault::Pause(id) => self.one(*id, Simulation::pause_node),
            Fault::Resume(id) => self.one(*id, Simulation::resume_node),
            Fault::Crash { who, without_disk } => {
                let target = match who {
                    Target::Node(id) => self.find(*id),
                    Target::Leader => self.leader(),
                };
                if let Some(index) = target {
                    self.stop_node(index, None);
                    if *without_disk {
                        self.erase_storage(index);
                    }
                }
            }
            Fault::Start(id) => self.one(*id, Simulation::start_node),
            Fault::Skew(id, millis) => self.one(*id, |sim, index| {
                let by = millis.saturating_mul(1_000_000);
                sim.change_clock(index, |clock, now| clock.jump_wall(now, by));
            }),
            Fault::Drift(id, ppm) => self.one(*id, |sim, index| sim.set_drift(index, *ppm)),
            Fault::Disk(id, disk) => self.one(*id, |sim, index| sim.disk_fault(index, *disk)),
            Fault::Heal => self.heal(),
        }
    }

    /// Injects a fault, and undoes it after this span.
    pub(crate) fn apply_passing(&mut self, fault: &Fault, lasting: Duration) {
        // The leader may have changed by the end of the span.
        let crashed = match fault {
            Fault::Crash { who: Target::Node(id), .. } => self.find(*id),
            Fault::Crash { who: Target::Leader, .. } => self.leader(),
            _ => None,
        };
        self.apply_fault(fault);
        let link = |from: &NodeId, to: &NodeId| self.find(*from).zip(self.find(*to));
        let undo = match fault {
            Fault::Partition(_) => Some(Undo::Partition(self.applied.len() as u64)),
            Fault::Cut(from, to) => link(from, to).map(|(from, to)| Undo::Cut(from, to)),
            Fault::Slow(from, to, _) => link(from, to).map(|(from, to)| Undo::Slow(from, to)),
            Fault::Crash { .. } => crashed.map(Undo::Node),
            Fault::Pause(id) => self.find(*id).map(Undo::Node),
            Fault::Skew(id, _) | Fault::Drift(id, _) => self.find(*id).map(Undo::Clock),
            Fault::Disk(id, DiskFault::Full | DiskFault::FailSync) => self.find(*id).map(Undo::Node),
            Fault::Disk(id, _) => self.find(*id).map(Undo::Disk),
            Fault::Resume(_) | Fault::Start(_) | Fault::Heal => None,
        };
        if let Some(undo) = undo {
            self.schedule(lasting, Pending::Undo(undo));
        }
    }

    /// Every network, clock and disk fault ends. Paused and crashed nodes stay so: see [`Simulation::revive`].
    pub fn heal(&mut self) {
        self.links.heal();
        for index in 0..self.nodes.len() as u32 {
            self.heal_clock(index);
            if self.nodes[index as usize].durability.is_some() {
                self.disk_fault(index, DiskFault::Ok);
            }
        }
    }

    pub(crate) fn partition(&mut self, token: u64, groups: &[Vec<NodeId>]) {
        let mut group_of = vec![0u16; self.nodes.len()];
        for (number, group) in groups.iter().enumerate() {
            for id in group {
                if let Some(index) = self.find(*id) {
                    group_of[index as usize] = u16::try_from(number + 1).expect("at most 65,534 groups");
                }
            }
        }
        self.links.partition(token, group_of);
    }

    pub(crate) fn disk_fault(&mut self, index: u32, fault: DiskFault) {
        if fault == DiskFault::Flip {
            self.cold[index as usize].damaged = true;
        }
        self.durability(index);
        if let Some(durability) = &mut self.nodes[index as usize].durability {
            durability.storage.fault(fault, &mut self.disk_rng);
        }
    }

    pub(crate) fn heal_clock(&mut self, index: u32) {
        let now = self.now;
        let cold = &self.cold[index as usize];
        let (origin, drift_ppm) = (cold.wall_origin, cold.drift_origin_ppm);
        // The reading of the clock if it had no faults.
        let healthy = crate::clock::Clock::new(origin, drift_ppm).read(now).1;
        self.change_clock(index, |clock, now| clock.set_wall(now, healthy.0));
        if self.nodes[index as usize].clock.drift_ppm() != drift_ppm {
            self.set_drift(index, drift_ppm);
        }
    }

    fn set_drift(&mut self, index: u32, ppm: i32) {
        self.change_clock(index, |clock, now| clock.set_drift(now, ppm));
        if !self.nodes[index as usize].stalled {
            self.arm_timers(index);
        }
    }

    /// The node that believes that it leads; of several, the one with the highest id.
    pub(crate) fn leader(&self) -> Option<u32> {
        let leads = self.leader.as_ref()?;
        let found = self.nodes.iter().enumerate().rev().find(|(_, node)| node.process.as_ref().is_some_and(leads));
        found.map(|(index, _)| index as u32)
    }

    fn one(&mut self, id: NodeId, act: impl FnOnce(&mut Self, u32)) {
        if let Some(index) = self.find(id) {
            act(self, index);
        }
    }

    fn both(&mut self, from: NodeId, to: NodeId, act: impl FnOnce(&mut Self, u32, u32)) {
        if let (Some(from), Some(to)) = (self.find(from), self.find(to)) {
            act(self, from, to);
        }
    }
}

fn verb(fault: &Fault) -> &'static str {
    match fault {
        Fault::Partition(_) => "partition",
        Fault::Cut(..) => "cut",
        Fault::Slow(..) => "slow",
        Fault::Pause(_) => "pause",
        Fault::Resume(_) => "resume",
        Fault::Crash { without_disk: false, .. } => "crash",
        Fault::Crash { without_disk: true, .. } => "crash without disk",
        Fault::Start(_) => "start",
        Fault::Skew(..) => "skew",
        Fault::Drift(..) => "drift",
        Fault::Disk(_, DiskFault::Full) => "disk full",
        Fault::Disk(_, DiskFault::Slow(_)) => "disk slow",
        Fault::Disk(_, DiskFault::FailSync) => "disk failsync",
        Fault::Disk(_, DiskFault::Flip) => "disk flip",
        Fault::Disk(_, DiskFault::Tear) => "disk tear",
        Fault::Disk(_, DiskFault::Ok) => "disk ok",
        Fault::Heal => "heal",
    }
}

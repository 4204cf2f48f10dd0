//! Drawing faults from the plan, and ending them.

use crate::event::{Pending, Undo};
use crate::plan::{Kind, draw_kind};
use crate::simulation::{Planner, Simulation};
use volvox_core::fault::{DiskFault, LinkFault, Target};
use volvox_core::{Duration, Fault, NodeId, Process};

impl<P: Process + 'static> Simulation<P> {
    /// Draws one more fault, and the time of the next.
    pub(crate) fn draw_fault(&mut self) {
        let Some(mut planner) = self.planner.take() else { return };
        if self.now <= volvox_core::time::nanos(planner.plan.until) {
            if let Some(recovered) = &mut planner.recovered {
                for index in 0..self.cold.len() {
                    if self.cold[index].damaged && recovered(self, self.cold[index].id) {
                        self.cold[index].damaged = false;
                    }
                }
            }
            let kind = draw_kind(&planner.plan.weights, &mut planner.rng);
            if let Some(kind) = kind {
                self.carry_out(kind, &mut planner);
            }
            let next = planner.plan.every.draw(&mut planner.rng);
            self.schedule(Duration::from_nanos(next), Pending::Plan);
        }
        self.planner = Some(planner);
    }

    fn carry_out(&mut self, kind: Kind, planner: &mut Planner<P>) {
        match kind {
            Kind::Partition => self.draw_partition(planner),
            Kind::Cut | Kind::Slow => self.draw_link(kind, planner),
            Kind::Skew | Kind::Drift => self.draw_clock(kind, planner),
            Kind::DiskSlow => {
                let index = self.draw_node(planner);
                let by = planner.rng.between(1, volvox_core::time::nanos(planner.plan.slow_disk_max).max(1));
                let id = self.cold[index as usize].id;
                self.apply_fault(&Fault::Disk(id, DiskFault::Slow(Duration::from_nanos(by))));
                self.undo_later(Undo::Disk(index), planner);
            }
            Kind::CrashAll => {
                for index in 0..self.nodes.len() as u32 {
                    if self.nodes[index as usize].process.is_some() {
                        self.crash(index, false);
                        // All restart at the same moment: the power is on again.
                        if !planner.afflicted.contains(&index) {
                            self.schedule(Duration::from_millis(500), Pending::Undo(Undo::Node(index)));
                        }
                    }
                }
            }
            _ => self.draw_affliction(kind, planner),
        }
    }

    fn draw_partition(&mut self, planner: &mut Planner<P>) {
        let mut ids: Vec<NodeId> = self.ids().collect();
        if ids.len() < 2 {
            return;
        }
        planner.rng.shuffle(&mut ids);
        let first = planner.rng.between(1, ids.len() as u64 - 1) as usize;
        let rest = ids.split_off(first);
        planner.token += 1;
        // Tokens of written partitions are counted from 1 upwards: these lie above.
        let token = (1 << 32) + planner.token;
        let groups = vec![ids, rest];
        let fault = Fault::Partition(groups.clone());
        self.statistics.faults.add("partition");
        self.trace_text(format_args!("fault {fault}"));
        self.applied.push(volvox_core::Scheduled { fault, at: Duration::from_nanos(self.now) });
        self.partition(token, &groups);
        self.undo_later(Undo::Partition(token), planner);
    }

    fn draw_link(&mut self, kind: Kind, planner: &mut Planner<P>) {
        let count = self.nodes.len() as u64;
        if count < 2 {
            return;
        }
        let from = planner.rng.below(count) as u32;
        let to = ((u64::from(from) + 1 + planner.rng.below(count - 1)) % count) as u32;
        let (a, b) = (self.cold[from as usize].id, self.cold[to as usize].id);
        if let Kind::Cut = kind {
            self.apply_fault(&Fault::Cut(a, b));
            self.undo_later(Undo::Cut(from, to), planner);
            return;
        }
        let worst = planner.plan.link;
        let rng = &mut planner.rng;
        let link = LinkFault {
            delay: Duration::from_nanos(rng.between(0, volvox_core::time::nanos(worst.delay))),
            loss_ppm: rng.between(0, worst.loss_ppm.into()) as u32,
            duplicate_ppm: rng.between(0, worst.duplicate_ppm.into()) as u32,
            reorder_ppm: rng.between(0, worst.reorder_ppm.into()) as u32,
            corrupt_ppm: rng.between(0, worst.corrupt_ppm.into()) as u32,
            bandwidth: if worst.bandwidth == 0 { 0 } else { rng.between(worst.bandwidth, worst.bandwidth * 16) },
        };
        if link != LinkFault::default() {
            self.apply_fault(&Fault::Slow(a, b, link));
            self.undo_later(Undo::Slow(from, to), planner);
        }
    }

    fn draw_clock(&mut self, kind: Kind, planner: &mut Planner<P>) {
        let index = self.draw_node(planner);
        let id = self.cold[index as usize].id;
        let fault = match kind {
            Kind::Skew => {
                let most = i64::try_from(planner.plan.skew_max.as_millis()).unwrap_or(i64::MAX / 2).max(1);
                Fault::Skew(id, planner.rng.between(0, 2 * most as u64) as i64 - most)
            }
            _ => {
                let most = i64::from(planner.plan.drift_ppm_max);
                Fault::Drift(id, (planner.rng.between(0, 2 * most as u64) as i64 - most) as i32)
            }
        };
        self.apply_fault(&fault);
        self.undo_later(Undo::Clock(index), planner);
    }

    /// A fault that takes a node out of service for a while.
    fn draw_affliction(&mut self, kind: Kind, planner: &mut Planner<P>) {
        let minority = (self.nodes.len() - 1) / 2;
        if planner.afflicted.len() >= planner.plan.down_max.unwrap_or(minority) {
            return;
        }
        let leader = if planner.rng.below(2) == 0 { self.leader() } else { None };
        let index = leader.unwrap_or_else(|| self.draw_node(planner));
        if planner.afflicted.contains(&index) || self.nodes[index as usize].process.is_none() {
            return;
        }
        if let Kind::CrashWithoutDisk | Kind::DiskFlip = kind {
            let others = self.cold.iter().enumerate().filter(|(other, cold)| cold.damaged && *other != index as usize);
            if others.count() >= planner.plan.damaged_max.unwrap_or(minority) {
                return;
            }
        }
        let id = self.cold[index as usize].id;
        match kind {
            Kind::Pause => self.apply_fault(&Fault::Pause(id)),
            Kind::Crash => self.crash(index, false),
            Kind::CrashWithoutDisk => self.crash(index, true),
            Kind::DiskFull => self.apply_fault(&Fault::Disk(id, DiskFault::Full)),
            Kind::DiskFailSync => self.apply_fault(&Fault::Disk(id, DiskFault::FailSync)),
            Kind::DiskFlip => {
                self.crash(index, false);
                self.apply_fault(&Fault::Disk(id, DiskFault::Flip));
            }
            _ => {
                self.apply_fault(&Fault::Disk(id, DiskFault::Tear));
                self.crash(index, false);
            }
        }
        planner.afflicted.push(index);
        self.undo_later(Undo::Node(index), planner);
    }

    fn crash(&mut self, index: u32, without_disk: bool) {
        let who = Target::Node(self.cold[index as usize].id);
        self.apply_fault(&Fault::Crash { who, without_disk });
    }

    fn draw_node(&self, planner: &mut Planner<P>) -> u32 {
        planner.rng.below(self.nodes.len() as u64) as u32
    }

    fn undo_later(&mut self, undo: Undo, planner: &mut Planner<P>) {
        let span = planner.plan.lasting.draw(&mut planner.rng);
        self.schedule(Duration::from_nanos(span), Pending::Undo(undo));
    }

    pub(crate) fn undo(&mut self, undo: Undo) {
        self.trace_text(format_args!("over: {undo:?}"));
        match undo {
            Undo::Partition(token) => self.links.mend_partition(token),
            Undo::Cut(from, to) => self.links.mend_cut(from, to),
            Undo::Slow(from, to) => self.links.mend_slow(from, to),
            Undo::Clock(index) => self.heal_clock(index),
            Undo::Disk(index) => self.disk_fault(index, DiskFault::Ok),
            Undo::Node(index) => {
                if let Some(planner) = &mut self.planner {
                    planner.afflicted.retain(|other| *other != index);
                }
                if self.nodes[index as usize].durability.is_some() {
                    self.disk_fault(index, DiskFault::Ok);
                }
                self.resume_node(index);
                self.start_node(index);
            }
        }
    }
}

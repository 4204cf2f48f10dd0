//! Faults of the live world, for nodes that were started for development.
//!
//! Network faults act on whole messages at the *receiving* node: connections stay up, handshakes and pings pass, and
//! what a fault drops or delays is what the protocol would have been handed. A delayed message keeps its place: nothing
//! from the same peer overtakes it.
//!
//! | fault | live |
//! |---|---|
//! | `partition`, one-way `partition 1->3` | messages are dropped by the node that should not receive them |
//! | `slow` with `delay` and `loss` | at the receiver |
//! | `skew` | of this node's wall clock |
//! | `disk full`, `disk slow`, `disk failsync`, `disk ok` | between the node and its log |
//! | `heal` | ends the faults before it in the list |
//! | everything else | refused: processes are paused and killed from outside, the rest is the simulator's |

use crate::clock::Clock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use volvox_core::fault::{DiskFault, LinkFault};
use volvox_core::{Duration, Fault, NodeId};

/// Why faults were not accepted. Nothing changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultRefused {
    /// The node is not a development node.
    #[error("this node does not accept faults: start it with --development")]
    NotDevelopment,
    /// The live world has no such fault.
    #[error(
        "'{0}' is not a fault of a live node: process faults are signals from outside, the rest needs the simulator"
    )]
    NotLive(Fault),
}

/// The faults that are active on one node.
pub(crate) struct FaultTable {
    me: NodeId,
    development: bool,
    /// Whether any network fault concerns this node, so that a good network costs one load per read.
    network: AtomicBool,
    active: Mutex<Active>,
}

#[derive(Default)]
struct Active {
    list: Vec<Fault>,
    disk: DiskState,
}

/// The fate of a message that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    Delay(Duration),
    Drop,
}

/// The fault of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct DiskState {
    pub(crate) full: bool,
    pub(crate) fail_sync: bool,
    pub(crate) slow_by: Duration,
}

impl FaultTable {
    pub(crate) fn new(me: NodeId, development: bool) -> FaultTable {
        FaultTable { me, development, network: AtomicBool::new(false), active: Mutex::default() }
    }

    /// Replaces the active faults.
    pub(crate) fn set(&self, faults: &[Fault], clock: &Clock) -> Result<(), FaultRefused> {
        if !self.development {
            return Err(FaultRefused::NotDevelopment);
        }
        let mut active = Active::default();
        let mut skew_millis = 0i64;
        for fault in faults {
            match fault {
                Fault::Heal => {
                    active = Active::default();
                    skew_millis = 0;
                    continue;
                }
                Fault::Partition(_) | Fault::Cut(..) => {}
                Fault::Slow(_, _, link) if only_delay_and_loss(link) => {}
                Fault::Skew(node, millis) => {
                    if *node == self.me {
                        skew_millis = skew_millis.saturating_add(*millis);
                    }
                }
                Fault::Disk(node, disk) => {
                    if !active.disk.apply(*disk, *node == self.me) {
                        return Err(FaultRefused::NotLive(fault.clone()));
                    }
                }
                other => return Err(FaultRefused::NotLive(other.clone())),
            }
            active.list.push(fault.clone());
        }
        let network = active.list.iter().any(|fault| !matches!(fault, Fault::Skew(..) | Fault::Disk(..)));
        clock.set_skew(skew_millis.saturating_mul(1_000_000));
        *self.active.lock().expect("no panic holds this lock") = active;
        self.network.store(network, Ordering::Release);
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.active.lock().expect("no panic holds this lock").list.clone()
    }

    pub(crate) fn disk(&self) -> DiskState {
        self.active.lock().expect("no panic holds this lock").disk
    }

    /// Whether [`FaultTable::verdict`] may return anything but pass.
    pub(crate) fn any_on_network(&self) -> bool {
        self.network.load(Ordering::Acquire)
    }

    /// The fate of one message from `from`.
    pub(crate) fn verdict(&self, from: NodeId) -> Verdict {
        let active = self.active.lock().expect("no panic holds this lock");
        let mut delay = Duration::ZERO;
        for fault in &active.list {
            match fault {
                Fault::Partition(groups) => {
                    let group_of = |id| groups.iter().position(|group| group.contains(&id));
                    if let (Some(theirs), Some(ours)) = (group_of(from), group_of(self.me))
                        && theirs != ours
                    {
                        return Verdict::Drop;
                    }
                }
                Fault::Cut(sender, receiver) if (*sender, *receiver) == (from, self.me) => return Verdict::Drop,
                Fault::Slow(sender, receiver, link) if (*sender, *receiver) == (from, self.me) => {
                    if fastrand::u32(0..1_000_000) < link.loss_ppm {
                        return Verdict::Drop;
                    }
                    delay += link.delay;
                }
                _ => {}
            }
        }
        if delay.is_zero() { Verdict::Pass } else { Verdict::Delay(delay) }
    }
}

fn only_delay_and_loss(link: &LinkFault) -> bool {
    *link == LinkFault { delay: link.delay, loss_ppm: link.loss_ppm, ..LinkFault::default() }
}

impl DiskState {
    /// Whether a live disk supports this fault.
    fn apply(&mut self, fault: DiskFault, mine: bool) -> bool {
        let mut after = *self;
        match fault {
            DiskFault::Full => after.full = true,
            DiskFault::Slow(by) => after.slow_by = by,
            DiskFault::FailSync => after.fail_sync = true,
            DiskFault::Ok => after = DiskState::default(),
            DiskFault::Flip | DiskFault::Tear => return false,
        }
        if mine {
            *self = after;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(me: u64, texts: &[&str]) -> Result<FaultTable, FaultRefused> {
        let table = FaultTable::new(NodeId(me), true);
        let faults: Vec<Fault> = texts.iter().map(|text| text.parse().expect("a fault")).collect();
        table.set(&faults, &Clock::start()).map(|()| table)
    }

    #[test]
    fn partitions_cut_both_ways_and_cuts_one_way() {
        let three = table(3, &["partition 1,2|3"]).expect("live");
        assert_eq!(three.verdict(NodeId(1)), Verdict::Drop);
        assert_eq!(three.verdict(NodeId(4)), Verdict::Pass, "a node in no group hears every other");
        let one = table(1, &["partition 1->3"]).expect("live");
        assert_eq!(one.verdict(NodeId(3)), Verdict::Pass);
        let three = table(3, &["partition 1->3"]).expect("live");
        assert_eq!(three.verdict(NodeId(1)), Verdict::Drop);
    }

    #[test]
    fn slow_delays_and_loses_one_way() {
        let two = table(2, &["slow 1->2 delay 50ms"]).expect("live");
        assert_eq!(two.verdict(NodeId(1)), Verdict::Delay(Duration::from_millis(50)));
        let two = table(2, &["slow 1->2 loss 100%"]).expect("live");
        assert_eq!(two.verdict(NodeId(1)), Verdict::Drop);
        assert_eq!(two.verdict(NodeId(3)), Verdict::Pass);
    }

    #[test]
    fn heal_ends_what_stands_before_it() {
        let two = table(2, &["partition 1|2", "disk 2 full", "heal", "disk 2 slow 5ms"]).expect("live");
        assert_eq!(two.verdict(NodeId(1)), Verdict::Pass);
        assert!(!two.any_on_network());
        assert_eq!(two.disk(), DiskState { slow_by: Duration::from_millis(5), ..DiskState::default() });
        assert_eq!(two.list().len(), 1);
    }

    #[test]
    fn skew_moves_the_wall_clock_of_its_node_and_heals() {
        let clock = Clock::start();
        let table = FaultTable::new(NodeId(2), true);
        let hour = 3_600_000;
        // By how many minutes, rounded.
        let skewed = |faults: &[Fault]| {
            let before = clock.wall();
            table.set(faults, &clock).expect("live");
            (clock.wall().0 - before.0 + 30_000_000_000).div_euclid(60_000_000_000)
        };
        assert_eq!(skewed(&[Fault::Skew(NodeId(2), hour)]), 60);
        assert_eq!(skewed(&[Fault::Skew(NodeId(2), hour), Fault::Heal]), -60);
        assert_eq!(skewed(&[Fault::Skew(NodeId(1), hour)]), 0, "another node's");
    }

    #[test]
    fn what_a_live_node_cannot_do_is_refused() {
        for text in ["crash 2", "pause 1", "slow 1->2 reorder 1%", "disk 2 tear", "drift 1 5ppm"] {
            assert!(matches!(table(2, &[text]), Err(FaultRefused::NotLive(_))), "{text}");
        }
        let earnest = FaultTable::new(NodeId(1), false);
        assert_eq!(earnest.set(&[Fault::Heal], &Clock::start()), Err(FaultRefused::NotDevelopment));
    }
}

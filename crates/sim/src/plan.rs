//! Faults drawn from the seed, within what the protocol claims to survive: so a failure is always a bug.

use crate::latency::Latency;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Rng};

/// The faults that are drawn, how often, and how many at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// The time of the earliest fault.
    pub from: Duration,
    /// The time of the latest fault.
    pub until: Duration,
    /// The interval between faults.
    pub every: Latency,
    /// The duration of each fault before it is undone.
    pub lasting: Latency,
    /// The weights of the kinds.
    pub weights: FaultWeights,
    /// How many nodes may be down, paused, or unable to write at a time; by default a minority.
    pub down_max: Option<usize>,
    /// How many nodes may have damaged or erased storage at a time, counted until
    /// [`Builder::recovered`](crate::Builder::recovered) reports that the node has recovered; by default a minority.
    pub damaged_max: Option<usize>,
    /// The worst link.
    pub link: LinkFault,
    /// The largest jump of a wall clock.
    pub skew_max: Duration,
    /// The largest error of a clock's rate: the bound that the protocol declares.
    pub drift_ppm_max: u32,
    /// The largest delay of a slow disk's syncs.
    pub slow_disk_max: Duration,
}

/// How likely each kind of fault is, relative to the others; 0 is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FaultWeights {
    pub partition: u32,
    pub cut: u32,
    pub slow: u32,
    pub pause: u32,
    pub crash: u32,
    /// All nodes at once, disks intact; started again together.
    pub crash_all: u32,
    pub crash_without_disk: u32,
    pub skew: u32,
    pub drift: u32,
    pub disk_slow: u32,
    pub disk_full: u32,
    pub disk_fail_sync: u32,
    /// The bit flips, and the node crashes: a restart finds it.
    pub disk_flip: u32,
    /// A crash tears the write in progress.
    pub disk_tear: u32,
}

impl FaultWeights {
    /// No faults.
    pub const NONE: FaultWeights = FaultWeights {
        partition: 0,
        cut: 0,
        slow: 0,
        pause: 0,
        crash: 0,
        crash_all: 0,
        crash_without_disk: 0,
        skew: 0,
        drift: 0,
        disk_slow: 0,
        disk_full: 0,
        disk_fail_sync: 0,
        disk_flip: 0,
        disk_tear: 0,
    };

    /// Only network faults.
    pub const NETWORK: FaultWeights = FaultWeights { partition: 3, cut: 2, slow: 3, ..FaultWeights::NONE };

    /// All faults.
    pub const ALL: FaultWeights = FaultWeights {
        partition: 4,
        cut: 3,
        slow: 3,
        pause: 3,
        crash: 5,
        crash_all: 1,
        crash_without_disk: 1,
        skew: 2,
        drift: 2,
        disk_slow: 2,
        disk_full: 1,
        disk_fail_sync: 1,
        disk_flip: 1,
        disk_tear: 2,
    };

    fn table(&self) -> [(Kind, u32); 14] {
        [
            (Kind::Partition, self.partition),
            (Kind::Cut, self.cut),
            (Kind::Slow, self.slow),
            (Kind::Pause, self.pause),
            (Kind::Crash, self.crash),
            (Kind::CrashAll, self.crash_all),
            (Kind::CrashWithoutDisk, self.crash_without_disk),
            (Kind::Skew, self.skew),
            (Kind::Drift, self.drift),
            (Kind::DiskSlow, self.disk_slow),
            (Kind::DiskFull, self.disk_full),
            (Kind::DiskFailSync, self.disk_fail_sync),
            (Kind::DiskFlip, self.disk_flip),
            (Kind::DiskTear, self.disk_tear),
        ]
    }
}

impl Default for FaultPlan {
    fn default() -> FaultPlan {
        FaultPlan {
            from: Duration::from_millis(500),
            until: Duration::from_secs(30),
            every: Latency::Exponential { minimum: Duration::from_millis(50), mean: Duration::from_millis(800) },
            lasting: Latency::Exponential { minimum: Duration::from_millis(20), mean: Duration::from_millis(1_500) },
            weights: FaultWeights::ALL,
            down_max: None,
            damaged_max: None,
            link: LinkFault {
                delay: Duration::from_millis(100),
                loss_ppm: 200_000,
                duplicate_ppm: 0,
                reorder_ppm: 0,
                corrupt_ppm: 50_000,
                bandwidth: 0,
            },
            skew_max: Duration::from_secs(10),
            drift_ppm_max: 500,
            slow_disk_max: Duration::from_millis(100),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Partition,
    Cut,
    Slow,
    Pause,
    Crash,
    CrashAll,
    CrashWithoutDisk,
    Skew,
    Drift,
    DiskSlow,
    DiskFull,
    DiskFailSync,
    DiskFlip,
    DiskTear,
}

/// Which fault comes next, by weight.
pub(crate) fn draw_kind(weights: &FaultWeights, rng: &mut Rng) -> Option<Kind> {
    let table = weights.table();
    let total: u64 = table.iter().map(|(_, weight)| u64::from(*weight)).sum();
    if total == 0 {
        return None;
    }
    let mut drawn = rng.below(total);
    for (kind, weight) in table {
        if drawn < u64::from(weight) {
            return Some(kind);
        }
        drawn -= u64::from(weight);
    }
    None
}

//! The fault plans that several chapters share.

use crate::chapter::Settings;
use std::time::Duration;
use volvox_core::fault::LinkFault;
use volvox_sim::{FaultPlan, FaultWeights, Latency};

/// From the beginning until then: how far apart faults begin, and how long each lasts, both drawn with a least value and a mean.
/// All in milliseconds. Which faults they are is said beside it.
pub fn until(until_ms: u64, every_ms: (u64, u64), lasting_ms: (u64, u64)) -> FaultPlan {
    let ms = Duration::from_millis;
    let drawn = |(least, mean)| Latency::Exponential { minimum: ms(least), mean: ms(mean) };
    FaultPlan {
        from: Duration::ZERO,
        until: ms(until_ms),
        every: drawn(every_ms),
        lasting: drawn(lasting_ms),
        ..FaultPlan::default()
    }
}

/// Everything that a network does, and nodes that stop for a while; no crash. A channel makes FIFO links of these.
pub fn network_and_pauses() -> FaultPlan {
    FaultPlan {
        weights: FaultWeights { pause: 2, skew: 1, drift: 1, ..FaultWeights::NETWORK },
        link: LinkFault {
            delay: Duration::from_millis(50),
            loss_ppm: 200_000,
            duplicate_ppm: 100_000,
            reorder_ppm: 200_000,
            ..LinkFault::default()
        },
        ..until(800, (5, 60), (5, 150))
    }
}

/// Crashes, even of several nodes at once, and no delays of messages: the interval and duration, in milliseconds on
/// average. At least one node stays alive.
pub fn crashes(settings: &Settings, every_ms: u64, lasting_ms: u64) -> FaultPlan {
    let drawn =
        |mean_ms| Latency::Exponential { minimum: Duration::from_millis(1), mean: Duration::from_millis(mean_ms) };
    FaultPlan {
        from: Duration::ZERO,
        every: drawn(every_ms),
        lasting: drawn(lasting_ms),
        weights: FaultWeights { crash: 8, crash_all: 1, ..FaultWeights::NONE },
        down_max: Some(settings.nodes as usize - 1),
        ..FaultPlan::default()
    }
}

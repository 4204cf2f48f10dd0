//! What the chapters that set clocks are swept with.

use std::time::Duration;
use volvox_core::fault::LinkFault;
use volvox_sim::{FaultPlan, FaultWeights, Latency};

/// The network and crashes; clocks that are wrong in other ways than at the start would move the truth.
pub fn network_and_crashes() -> FaultPlan {
    let ms = Duration::from_millis;
    FaultPlan {
        from: Duration::ZERO,
        until: ms(2_000),
        every: Latency::Exponential { minimum: ms(5), mean: ms(80) },
        lasting: Latency::Exponential { minimum: ms(5), mean: ms(100) },
        weights: FaultWeights { pause: 2, crash: 2, ..FaultWeights::NETWORK },
        link: LinkFault {
            delay: ms(30),
            loss_ppm: 200_000,
            duplicate_ppm: 100_000,
            reorder_ppm: 300_000,
            ..LinkFault::default()
        },
        ..FaultPlan::default()
    }
}

//! The common part of the chapters that set clocks: the faults of their sweeps, and the model without clocks.

use std::time::Duration;
use volvox_core::fault::LinkFault;
use volvox_lab::check::NO_STEP_FAILS;
use volvox_lab::model::{CheckedModel, Explored};
use volvox_lab::sim::{FaultPlan, FaultWeights, Latency};

/// The network and crashes; other clock faults would move the true time.
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

/// The negative model of an asynchronous system. A delay beyond the promised bound makes other protocols choose
/// wrongly; one that measures delays has nothing to measure, and must not continue as if it had: its first step reads a
/// clock, and fails.
pub const fn asynchronous(explore: fn() -> Explored) -> CheckedModel {
    CheckedModel::breaks(
        "asynchronous",
        "no rule removed, no clocks: its first step reads a clock, and there is none",
        (NO_STEP_FAILS, 1),
        explore,
    )
}

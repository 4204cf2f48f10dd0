//! What the chapters that set clocks have in common: what they are swept with, and that there is nothing to set where no
//! time passes.

use std::time::Duration;
use volvox_core::fault::LinkFault;
use volvox_lab::check::NO_STEP_FAILS;
use volvox_lab::model::{CheckedModel, Explored};
use volvox_lab::plans;
use volvox_lab::sim::{FaultPlan, FaultWeights};

/// The network and crashes; clocks that are wrong in other ways than at the start would move the truth.
pub fn network_and_crashes() -> FaultPlan {
    FaultPlan {
        weights: FaultWeights { pause: 2, crash: 2, ..FaultWeights::NETWORK },
        link: LinkFault {
            delay: Duration::from_millis(30),
            loss_ppm: 200_000,
            duplicate_ppm: 100_000,
            reorder_ppm: 300_000,
            ..LinkFault::default()
        },
        ..plans::until(2_000, (5, 80), (5, 100))
    }
}

/// The negative of a clock in asynchronous time. A delay that is longer than promised makes other protocols choose wrongly;
/// one that measures delays has nothing to measure, and must not go on as if it had: its first step asks for the time, and
/// fails.
pub const fn asynchronous(explore: fn() -> Explored) -> CheckedModel {
    CheckedModel::breaks(
        "asynchronous",
        "no rule taken out, no time: its first step reads a clock, of which there is none",
        (NO_STEP_FAILS, 1),
        explore,
    )
}

//! The fault plan of chapters that rely on a bound on delays.

use crate::chapter::Settings;
use std::time::Duration;
use volvox_sim::{FaultPlan, FaultWeights, Latency};

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

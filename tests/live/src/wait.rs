//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// The longest wait for any condition.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until the condition holds.
///
/// # Panics
/// When it does not come to hold.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "timed out: {what}");
        std::thread::sleep(LOOK);
    }
}

/// The same, where nodes or clients of this thread must run meanwhile.
///
/// # Panics
/// When it does not come to hold.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "timed out: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

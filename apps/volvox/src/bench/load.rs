//! The closed loop, and the window in which operations are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tonic::Status;

use super::connection::{Client, Link};
use super::tally::{Summary, Tally};
use super::work::{Done, Work};

/// An operation without a response after this long has failed.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// A client whose operation failed waits this long, so that it does not fail a million times per second.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// The times at which load begins, counting begins, and both end.
#[derive(Clone, Copy)]
pub struct Window {
    measure_from: Instant,
    stop_at: Option<Instant>,
    total: Option<u64>,
}

impl Window {
    /// A window that begins now, limited either by time or by a number of operations.
    pub fn new(warmup: Duration, secs: Duration, total: Option<u64>) -> Window {
        let measure_from = Instant::now() + warmup;
        let stop_at = total.is_none().then(|| measure_from + secs);
        Window { measure_from, stop_at, total }
    }

    /// The same without an end by number: it ends when its clients are stopped.
    pub fn without_total(self) -> Window {
        Window { total: None, ..self }
    }

    /// When counting begins.
    pub fn measure_from(&self) -> Instant {
        self.measure_from
    }
}

/// One kind of load: the state that its clients share.
pub struct Load {
    window: Window,
    issued: AtomicU64,
    tallies: Vec<Mutex<Tally>>,
}

impl Load {
    /// A load on this many members.
    pub fn new(window: Window, endpoints: usize) -> Load {
        let tallies = (0..endpoints).map(|_| Mutex::new(Tally::new())).collect();
        Load { window, issued: AtomicU64::new(0), tallies }
    }

    /// Takes the number of the next operation, unless it is time to stop.
    pub fn next(&self, now: Instant) -> Option<u64> {
        if self.window.stop_at.is_some_and(|stop_at| now >= stop_at) {
            return None;
        }
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let within = self.window.total.is_none_or(|total| number < total);
        within.then_some(number)
    }

    /// The work of one member.
    pub fn tally(&self, endpoint_index: usize) -> MutexGuard<'_, Tally> {
        self.tallies[endpoint_index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything counted so far.
    pub fn summary(&self) -> Summary {
        let endpoints = 0..self.tallies.len();
        let by_endpoint: Vec<Tally> = endpoints.map(|index| self.tally(index).clone()).collect();
        let last_end = by_endpoint.iter().filter_map(|tally| tally.last_end).max();
        let from = self.window.measure_from;
        // A member that stops responding before the window ends does not shorten the window.
        let last_end = last_end.max(self.window.stop_at);
        let elapsed = last_end.map_or(Duration::ZERO, |end| end.saturating_duration_since(from));
        Summary { by_endpoint, elapsed }
    }

    /// Counts an operation, if it began after the warm-up.
    pub fn on_end(&self, endpoint_index: usize, begun: Instant, outcome: &Result<Done, String>) {
        if begun < self.window.measure_from {
            return;
        }
        let ended = Instant::now();
        let mut tally = self.tally(endpoint_index);
        match outcome {
            Ok(done) => {
                tally.on_success(ended - begun, ended);
                tally.items += done.items;
                tally.passes += u64::from(done.whole_pass);
            }
            Err(reason) => tally.on_error(reason.clone(), 1),
        }
    }
}

/// One client: operation after operation, until the window ends.
pub async fn closed_loop(load: Arc<Load>, link: Link, mut work: Work) {
    let mut open = None;
    loop {
        let begun = Instant::now();
        let Some(number) = load.next(begun) else { return };
        let outcome = attempt(&link, &mut open, &mut work, number).await;
        load.on_end(link.endpoint_index(), begun, &outcome);
        if outcome.is_err() {
            // If the connection still works, the link returns it.
            open = None;
            sleep(ERROR_PAUSE).await;
        }
    }
}

async fn attempt(link: &Link, open: &mut Option<Client>, work: &mut Work, number: u64) -> Result<Done, String> {
    let client = match open {
        Some(client) => client,
        None => open.insert(link.client().await?),
    };
    let outcome = timeout(OPERATION_TIMEOUT, work.perform(client, number)).await;
    let silent = |_| format!("no answer within {} s", OPERATION_TIMEOUT.as_secs());
    outcome.map_err(silent)?.map_err(|status| describe(&status))
}

/// The kind of a refusal, the same text for the same cause.
pub fn describe(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_gives_out_every_number_once() {
        let load = Load::new(Window::new(Duration::ZERO, Duration::ZERO, Some(3)), 1);
        let now = Instant::now() + Duration::from_secs(1000);
        let numbers: Vec<_> = (0..5).map(|_| load.next(now)).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn a_window_of_time_ends_on_time_and_skips_the_warm_up() {
        let second = Duration::from_secs(1);
        let load = Load::new(Window::new(second, second, None), 1);
        let from = load.window.measure_from();
        assert!(load.next(from).is_some());
        assert!(load.next(from + second).is_none());
        let done = Ok(Done { items: 1, whole_pass: false });
        load.on_end(0, from - second / 2, &done);
        assert_eq!(load.summary().total().operations(), 0);
        load.on_end(0, from, &Err("x".to_owned()));
        assert_eq!(load.summary().total().error_count(), 1);
    }
}

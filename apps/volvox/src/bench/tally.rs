//! Counters of a running load.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

const LATENCY_NS_MIN: u64 = 1_000;
const LATENCY_NS_MAX: u64 = 100_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// The number of kinds of errors that are distinguished.
const ERROR_KINDS_MAX: usize = 16;
/// Linux's clock ticks of processor time per second.
const CLOCK_TICKS: f64 = 100.0;

/// The counters of one member, over all clients.
#[derive(Clone)]
pub struct Tally {
    /// Latencies of operations that succeeded, in nanoseconds.
    pub latencies: Histogram<u64>,
    /// Pairs or events in the responses.
    pub items: u64,
    /// Complete passes over all keys.
    pub passes: u64,
    /// Why operations failed, and how often.
    pub errors: BTreeMap<String, u64>,
    /// When the last operation ended.
    pub last_end: Option<Instant>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Tally {
        let latencies = Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
            .expect("the bounds are valid");
        let errors = BTreeMap::new();
        Tally { latencies, items: 0, passes: 0, errors, last_end: None }
    }

    /// Counts an operation that succeeded.
    pub fn on_success(&mut self, latency: Duration, ended: Instant) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanoseconds);
        self.last_end = self.last_end.max(Some(ended));
    }

    /// Counts an operation that failed.
    pub fn on_error(&mut self, reason: String, count: u64) {
        let is_new = !self.errors.contains_key(&reason);
        let full = self.errors.len() >= ERROR_KINDS_MAX;
        let kind = if is_new && full { "other errors".to_owned() } else { reason };
        *self.errors.entry(kind).or_default() += count;
    }

    /// Adds the counts of another tally.
    pub fn add(&mut self, other: &Tally) {
        self.latencies.add(&other.latencies).expect("all histograms have the same bounds");
        self.items += other.items;
        self.passes += other.passes;
        self.last_end = self.last_end.max(other.last_end);
        for (reason, count) in &other.errors {
            self.on_error(reason.clone(), *count);
        }
    }

    /// Operations that succeeded.
    pub fn operations(&self) -> u64 {
        self.latencies.len()
    }

    /// Operations that failed.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// All tallies of a load, and how long it was measured.
pub struct Summary {
    /// One per member.
    pub by_endpoint: Vec<Tally>,
    /// From the end of the warm-up to the end of the last operation.
    pub elapsed: Duration,
}

impl Summary {
    /// All members' tallies merged into one.
    pub fn total(&self) -> Tally {
        let mut total = Tally::new();
        self.by_endpoint.iter().for_each(|tally| total.add(tally));
        total
    }

    /// A count as a rate per second.
    pub fn rate(&self, count: u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }
}

/// How much processor time this program uses.
pub struct CpuMeter {
    begun: Instant,
    used_s: Option<f64>,
}

impl CpuMeter {
    /// Starts to measure.
    pub fn start() -> CpuMeter {
        CpuMeter { begun: Instant::now(), used_s: processor_seconds() }
    }

    /// The cores that were busy with this program on average, where the system reports it.
    pub fn stop(self) -> Option<f64> {
        let used_s = processor_seconds()? - self.used_s?;
        Some(used_s / self.begun.elapsed().as_secs_f64().max(f64::EPSILON))
    }
}

fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    processor_ticks(&text).map(|ticks| ticks as f64 / CLOCK_TICKS)
}

/// User and system time: the 14th and 15th field. The second, the name, may hold anything.
fn processor_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 123 77 0 0 20 0";
        assert_eq!(processor_ticks(stat), Some(200));
        assert!(processor_seconds().is_some_and(|seconds| seconds >= 0.0));
    }

    #[test]
    fn errors_are_counted_by_kind_and_kinds_are_bounded() {
        let mut tally = Tally::new();
        (0..100).for_each(|number| tally.on_error(format!("kind {number}"), 1));
        tally.on_error("kind 1".to_owned(), 1);
        assert_eq!(tally.error_count(), 101);
        assert_eq!(tally.errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(tally.errors["kind 1"], 2);
    }

    #[test]
    fn sums_and_rates() {
        let now = Instant::now();
        let mut tally = Tally::new();
        tally.on_success(Duration::from_micros(400), now);
        tally.on_success(Duration::from_micros(600), now + Duration::from_secs(1));
        let by_endpoint = vec![tally.clone(), tally];
        let summary = Summary { by_endpoint, elapsed: Duration::from_secs(2) };
        let total = summary.total();
        assert_eq!(total.operations(), 4);
        assert_eq!(summary.rate(total.operations()), 2.0);
        assert_eq!(total.last_end, Some(now + Duration::from_secs(1)));
    }
}

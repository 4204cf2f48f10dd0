//! S1 of the laboratory: the same ping in three simulators. See the README.

mod ours;
mod ping;
mod with_madsim;
mod with_turmoil;

use ping::Work;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many messages are handled in each run, unless the command line says otherwise.
const DELIVERIES: u64 = 1_000_000;
/// A run that takes longer is reported as not finished, with the rate up to there.
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    let deliveries = std::env::args().nth(1).map_or(DELIVERIES, |word| word.parse().expect("a number of deliveries"));
    println!(
        "{:>8} {:<16} {:>12} {:>9} {:>14} {:>10}",
        "nodes", "simulator", "deliveries", "seconds", "deliveries/s", "ours is"
    );
    for nodes in [2, 10, 50, 200, 500, 2_000, 10_000] {
        let ours = measure(nodes, deliveries, "volvox", None, |work| {
            ours::run(nodes, deliveries, work);
            true
        });
        measure(nodes, deliveries, "madsim", Some(ours), |work| {
            with_madsim::run(nodes, deliveries, work);
            true
        });
        if nodes <= 500 {
            for (name, tick) in [("turmoil 1 ms", 1), ("turmoil 10 ms", 10)] {
                measure(nodes, deliveries, name, Some(ours), |work| {
                    with_turmoil::run(nodes, deliveries, work, Duration::from_millis(tick), LIMIT)
                });
            }
        }
    }
}

fn measure(nodes: usize, deliveries: u64, name: &str, ours: Option<f64>, run: impl FnOnce(&Arc<Work>) -> bool) -> f64 {
    let work = Arc::new(Work::default());
    let watch = Instant::now();
    let finished = run(&work);
    let seconds = watch.elapsed().as_secs_f64();
    if finished {
        // The same work: as many messages handled, and as many of them pings, but for the round in progress.
        assert_eq!(work.deliveries(), deliveries, "{name}");
        assert!(work.pings().abs_diff(work.pongs()) <= nodes as u64, "{name}");
    }
    let rate = work.deliveries() as f64 / seconds;
    let factor = match ours {
        Some(ours) if rate > 0.0 => format!("{:.1} x", ours / rate),
        _ => String::new(),
    };
    let mark = if finished { "" } else { "  (not finished)" };
    println!("{nodes:>8} {name:<16} {:>12} {seconds:>9.2} {rate:>14.0} {factor:>10}{mark}", work.deliveries());
    rate
}

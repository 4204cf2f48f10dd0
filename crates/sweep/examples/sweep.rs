//! The sweep of the store without the binary: what `volvox lab sweep store` runs.
//!
//! ```text
//! cargo run -p volvox-sweep --release --example sweep [-- SEEDS [FIRST_SEED [NODES [TRACE_LINES]]]]
//! ```
//! With all four numbers it runs the first seed only, and prints the end of its trace.

use std::time::Instant;
use volvox_sweep::sweep::{Sweep, TraceRing, replay, replay_line, running};

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = |place: usize| numbers.get(place).copied();
    let sweep = Sweep {
        first_seed: number(1).unwrap_or(1),
        seeds: number(0).unwrap_or(1_000),
        nodes: number(2),
        jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        stop_at_failure: false,
    };
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        if let Some((seed, nodes)) = running() {
            eprintln!("replay: {}", replay_line(seed, nodes));
        }
    }));
    if let (Some(nodes), Some(lines)) = (number(2), number(3)) {
        let ring = TraceRing::new(lines as usize);
        let result = replay(sweep.first_seed, nodes, &ring);
        ring.lines().iter().for_each(|line| println!("{line}"));
        return println!("{result:?}");
    }
    #[allow(clippy::disallowed_methods, reason = "an example says how long it took")]
    let started = Instant::now();
    let outcome = sweep.run(
        || {},
        |done, failed| {
            if done.is_multiple_of(50) {
                eprintln!("{done} of {} seeds, {failed} failed, {:.0?}", sweep.seeds, started.elapsed());
            }
        },
    );
    println!("{outcome}");
    println!("{:.1?} on {} threads", started.elapsed(), sweep.jobs);
    if !outcome.is_good() {
        std::process::exit(1);
    }
}

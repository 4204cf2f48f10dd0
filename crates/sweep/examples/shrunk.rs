//! How short the planted bugs of the store become.
//!
//! ```text
//! cargo run -p volvox-sweep --features planted-bugs --example shrunk [-- NAME...]
//! ```
//! For each bug seeds are swept until it is found a few times; the shortest of these runs is followed by hand, with disks
//! that keep whole records, and made shorter. Where the world that is driven by hand does not show the bug, it says so.

#![allow(clippy::disallowed_methods, reason = "how long it took is told to people, and decides nothing")]

#[cfg(not(feature = "planted-bugs"))]
fn main() {
    eprintln!("run this with --features planted-bugs");
    std::process::exit(2);
}

#[cfg(feature = "planted-bugs")]
fn main() {
    table::main();
}

#[cfg(feature = "planted-bugs")]
mod table {
    use std::process::{Command, Stdio};
    use std::time::Instant;
    use volvox_sweep::plants;
    use volvox_sweep::shrink::{ShrunkSeed, shrink_seed};
    use volvox_sweep::sweep::Sweep;

    /// A bug that is not found within so many seeds is not found.
    const SEEDS_MAX: u64 = 500;
    /// How many seeds that find it are tried by hand.
    const TRIED: usize = 4;
    /// How many actions may be followed for one of them.
    const FOLLOWED_MAX: usize = 20_000_000;
    /// Bounds the seeds that are looked at once one found it.
    const SEEDS_MORE: u64 = 40;
    /// What the process of one bug begins its line with.
    const ROW: &str = "row ";

    pub fn main() {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if let [flag, name] = words.as_slice()
            && flag == "--one"
        {
            return one(name);
        }
        println!("{:<32} {:>6} {:>9} {:>7} {:>7} {:>8}  breaks", "bug", "seed", "actions", "left", "events", "seconds");
        let mut lengths = Vec::new();
        for name in plants::names().filter(|name| words.is_empty() || words.iter().any(|word| word == name)) {
            let me = std::env::current_exe().expect("this program has a path");
            let output =
                Command::new(me).args(["--one", name]).stderr(Stdio::null()).output().expect("a process can start");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            for line in text.lines() {
                let Some(row) = line.strip_prefix(ROW) else { continue };
                let (events, row) = row.split_once(' ').unwrap_or(("-", row));
                lengths.extend(events.parse::<usize>());
                println!("{name:<32} {row}");
            }
        }
        lengths.sort_unstable();
        if let Some(median) = lengths.get(lengths.len() / 2) {
            println!("{} followed by hand, median {median} events", lengths.len());
        }
    }

    fn one(name: &str) {
        std::panic::set_hook(Box::new(|_| {}));
        let plant = |planted: bool| plants::plant(planted.then_some(name));
        let begun = Instant::now();
        let sweep = Sweep { first_seed: 1, seeds: 1, nodes: None, jobs: 1, stop_at_failure: true };
        let mut best: Option<(u64, ShrunkSeed)> = None;
        let (mut tried, mut last) = (0, SEEDS_MAX);
        let mut seed = 1;
        while seed <= last && tried < TRIED {
            if let Some(found) = shrink_seed(seed, sweep.nodes_of(seed), FOLLOWED_MAX, Some(&plant)) {
                tried += 1;
                last = last.min(seed + SEEDS_MORE);
                let events = |found: &ShrunkSeed| found.by_hand.as_ref().map_or(usize::MAX, |by_hand| by_hand.events);
                if best.as_ref().is_none_or(|(_, best)| events(&found) < events(best)) {
                    best = Some((seed, found));
                }
            }
            seed += 1;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let Some((seed, found)) = best else { return println!("{ROW}- not found within {SEEDS_MAX} seeds") };
        let ShrunkSeed { reason, actions, by_hand } = found;
        match by_hand {
            Some(by_hand) => {
                let (left, events) = (by_hand.lines.len(), by_hand.events);
                let property = by_hand.breach.property;
                println!("{ROW}{events} {seed:>6} {actions:>9} {left:>7} {events:>7} {seconds:>8.1}  {property}");
                by_hand.lines.iter().for_each(|line| println!("  {line}"));
            }
            None => {
                let reason: String = reason.lines().next().unwrap_or_default().chars().take(90).collect();
                println!("{ROW}- {seed:>6} {actions:>9} {:>7} {:>7} {seconds:>8.1}  not by hand: {reason}", "-", "-");
            }
        }
    }
}

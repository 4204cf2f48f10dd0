//! How short the planted bugs of the store become.
//!
//! ```text
//! cargo run -p volvox-sweep --profile unwinding --features planted-bugs --example planted_shrunk [-- NAME...]
//! ```
//! For each bug seeds are swept until it is found a few times; the runs of the fewest actions are followed by hand, with
//! disks that keep whole records, and made shorter. Where the world that is driven by hand does not show the bug, it says so.

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
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;
    use volvox_sweep::plants;
    use volvox_sweep::shrink::{ByHand, Failing, failing};
    use volvox_sweep::sweep::Sweep;

    /// A bug that is not found within so many seeds is not found.
    const SEEDS_MAX: u64 = 1_000;
    /// So many seeds that find it are gathered,
    const FOUND: usize = 12;
    /// and so many of them, those that took the fewest actions, are made shorter.
    const TRIED: usize = 3;
    /// How many actions may be followed for one of them.
    const FOLLOWED_MAX: usize = 20_000_000;
    /// Bounds the seeds that are looked at once one found it.
    const SEEDS_MORE: u64 = 300;
    /// What the process of one bug begins its line with.
    const ROW: &str = "row ";

    /// Each bug has a process of its own; two run at a time.
    pub fn main() {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if let [flag, name] = words.as_slice()
            && flag == "--one"
        {
            return one(name);
        }
        println!("{:<32} {:>6} {:>9} {:>7} {:>7} {:>8}  breaks", "bug", "seed", "actions", "left", "events", "seconds");
        let names = plants::names().filter(|name| words.is_empty() || words.iter().any(|word| word == name));
        let mut names = names.peekable();
        let mut running = std::collections::VecDeque::new();
        let mut lengths = Vec::new();
        while names.peek().is_some() || !running.is_empty() {
            while running.len() < 2
                && let Some(name) = names.next()
            {
                running.push_back((name, begin(name)));
            }
            if let Some((name, child)) = running.pop_front() {
                lengths.extend(finish(name, child));
            }
        }
        lengths.sort_unstable();
        if let Some(median) = lengths.get(lengths.len() / 2) {
            println!("{} followed by hand, median {median} events", lengths.len());
        }
    }

    fn begin(name: &str) -> Child {
        let me = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(me);
        command.args(["--one", name]).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("a process can start")
    }

    /// Prints the row of a bug, and what is left; gives back how many events that are.
    fn finish(name: &str, child: Child) -> Option<usize> {
        let output = child.wait_with_output().expect("a process ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let (events, row) = lines.next()?.strip_prefix(ROW)?.split_once(' ')?;
        println!("{name:<32} {row}");
        lines.for_each(|line| println!("{line}"));
        events.parse().ok()
    }

    fn one(name: &str) {
        std::panic::set_hook(Box::new(|_| {}));
        let plant = |planted: bool| plants::plant(planted.then_some(name));
        plant(true);
        let begun = Instant::now();
        let found = gather();
        let mut best: Option<(&Failing, ByHand)> = None;
        for failing in found.iter().take(TRIED) {
            if let Some(by_hand) = failing.shrink(FOLLOWED_MAX, Some(&plant))
                && best.as_ref().is_none_or(|(_, best)| by_hand.events < best.events)
            {
                best = Some((failing, by_hand));
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        match (best, found.first()) {
            (Some((failing, by_hand)), _) => {
                let (seed, actions, left) = (failing.seed, failing.actions(), by_hand.lines.len());
                let (events, property) = (by_hand.events, by_hand.breach.property);
                println!("{ROW}{events} {seed:>6} {actions:>9} {left:>7} {events:>7} {seconds:>8.1}  {property}");
                by_hand.lines.iter().for_each(|line| println!("  {line}"));
            }
            (None, Some(first)) => {
                let reason: String = first.reason.lines().next().unwrap_or_default().chars().take(90).collect();
                let (seed, actions) = (first.seed, first.actions());
                println!("{ROW}- {seed:>6} {actions:>9} {:>7} {:>7} {seconds:>8.1}  not by hand: {reason}", "-", "-");
            }
            (None, None) => println!("{ROW}- not found within {SEEDS_MAX} seeds"),
        }
    }

    /// Seeds that find the bug, those of the fewest actions first.
    fn gather() -> Vec<Failing> {
        let sweep = Sweep { first_seed: 1, seeds: 1, nodes: None, jobs: 1, stop_at_failure: true };
        let mut found: Vec<Failing> = Vec::new();
        let (mut seed, mut last) = (1, SEEDS_MAX);
        while seed <= last && found.len() < FOUND {
            if let Some(failing) = failing(seed, sweep.nodes_of(seed)) {
                last = last.min(seed + SEEDS_MORE);
                found.push(failing);
            }
            seed += 1;
        }
        found.sort_by_key(Failing::actions);
        found
    }
}

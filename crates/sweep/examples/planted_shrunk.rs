//! The shrunk sizes of the planted bugs of replicas: a course that is followed by hand holds what replicas are asked.
//!
//! ```text
//! cargo run -p volvox-sweep --profile unwinding --features planted-bugs --example planted_shrunk [-- [--show] NAME...]
//! ```
//! Each bug is looked for in lean seeds of the sweep, and in short walks through the world that is driven by hand. The
//! failure with the fewest actions is shrunk; the rest must break nothing once the bug is removed. `--show` prints it.
//! Work is bounded in seeds and in actions that are followed, so the table is the same on every machine. Fails when a
//! bug is not among those that became short, or the median is over [`MEDIAN_MAX`].

#![allow(clippy::disallowed_methods, reason = "the duration is only printed for people")]

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
    use std::collections::VecDeque;
    use std::process::{Child, Command, Stdio, exit};
    use std::time::Instant;
    use volvox_sweep::plants;
    use volvox_sweep::shrink::{ByHand, Failing, failing, wandering};
    use volvox_sweep::sweep::Sweep;

    /// The longest median that is short.
    const MEDIAN_MAX: usize = 25;
    /// How many seeds of the sweep are tried with one client per node, and how many with all clients,
    const CALM_SEEDS: u64 = 150;
    const SEEDS: u64 = 450;
    /// until this many of them found it.
    const FOUND: usize = 60;
    /// How many walks are tried, and how many when nothing else found it,
    const FEW_WALKS: u64 = 30_000;
    const WALKS: u64 = 450_000;
    /// until this many of them found it.
    const WALKS_FOUND: usize = 12;
    /// How many of those that found it are shrunk, per kind: those of the fewest actions.
    const TRIED: usize = 8;
    /// How many actions may be followed for one of them.
    const FOLLOWED_MAX: usize = 3_000_000;
    /// The prefix of the line of one bug's process.
    const ROW: &str = "row ";

    /// Each bug has a process of its own; as many run as there are cores.
    pub fn main() {
        let mut words: Vec<String> = std::env::args().skip(1).collect();
        if let [flag, name] = words.as_slice()
            && flag == "--one"
        {
            return one(name);
        }
        let shows = words.iter().any(|word| word == "--show");
        words.retain(|word| word != "--show");
        println!(
            "{:<32} {:>13} {:>9} {:>7} {:>7} {:>8}  breaks",
            "bug", "found in", "actions", "left", "events", "seconds"
        );
        let names: Vec<&str> =
            plants::of_replicas().filter(|name| words.is_empty() || words.iter().any(|word| word == name)).collect();
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (mut waiting, mut running) = (names.iter(), VecDeque::new());
        let mut lengths = Vec::new();
        loop {
            while running.len() < jobs
                && let Some(name) = waiting.next()
            {
                running.push_back((name, begin(name)));
            }
            let Some((name, child)) = running.pop_front() else { break };
            lengths.extend(finish(name, child, shows));
        }
        lengths.sort_unstable();
        let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
        println!("{} of {} planted bugs became short, median {median} events", lengths.len(), names.len());
        println!("events: {lengths:?}");
        if lengths.len() < names.len() || median > MEDIAN_MAX {
            exit(1);
        }
    }

    fn begin(name: &str) -> Child {
        let me = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(me);
        command.args(["--one", name]).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().expect("a process can start")
    }

    /// Prints the row of a bug, and what is left; gives back how many events that are.
    fn finish(name: &str, child: Child, shows: bool) -> Option<usize> {
        let output = child.wait_with_output().expect("a process ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let (events, row) = lines.next()?.strip_prefix(ROW)?.split_once(' ')?;
        println!("{name:<32} {row}");
        lines.filter(|_| shows).for_each(|line| println!("{line}"));
        events.parse().ok()
    }

    fn one(name: &str) {
        std::panic::set_hook(Box::new(|_| {}));
        let plant = |planted: bool| plants::plant(planted.then_some(name));
        plant(true);
        let begun = Instant::now();
        let sweep = Sweep { first_seed: 1, seeds: 1, nodes: None, jobs: 1, stop_at_failure: true };
        let calm = gather(CALM_SEEDS, FOUND, |seed| failing(seed, sweep.nodes_of(seed), Some(1)));
        let seeds = gather(SEEDS, FOUND, |seed| failing(seed, sweep.nodes_of(seed), None));
        let mut walks = gather(FEW_WALKS, WALKS_FOUND, |seed| wandering(seed, 3));
        if calm.is_empty() && seeds.is_empty() && walks.is_empty() {
            walks = gather(WALKS, 1, |seed| wandering(seed, 3));
        }
        let found = calm
            .iter()
            .chain(&seeds)
            .map(|failing| ("seed", failing))
            .chain(walks.iter().map(|failing| ("walk", failing)));
        let mut best: Option<(&str, &Failing, ByHand)> = None;
        for (kind, failing) in found {
            if let Some(by_hand) = failing.shrink(FOLLOWED_MAX, Some(&plant))
                && best.as_ref().is_none_or(|(_, _, best)| by_hand.events < best.events)
            {
                best = Some((kind, failing, by_hand));
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let Some((kind, failing, by_hand)) = best else {
            let count = calm.len() + seeds.len() + walks.len();
            println!(
                "{ROW}- not short: it broke something in {count} seeds and walks, and could not be followed in any"
            );
            return;
        };
        let (place, actions, left) = (format!("{kind} {}", failing.seed), failing.actions(), by_hand.lines.len());
        let (events, property) = (by_hand.events, by_hand.breach.property);
        println!("{ROW}{events} {place:>13} {actions:>9} {left:>7} {events:>7} {seconds:>8.1}  {property}");
        by_hand.lines.iter().for_each(|line| println!("  {line}"));
    }

    /// Those that find the bug and take the fewest actions.
    fn gather(most: u64, enough: usize, run: impl Fn(u64) -> Option<Failing>) -> Vec<Failing> {
        let mut found: Vec<Failing> = (1..=most).filter_map(run).take(enough).collect();
        found.sort_by_key(Failing::actions);
        found.truncate(TRIED);
        found
    }
}

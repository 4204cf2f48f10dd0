//! Plants each of the twelve bugs in turn, and runs the same sweep until it is found.
//!
//! ```text
//! cargo run -p volvox-sweep --release --features planted-bugs --example planted [-- NAME...]
//! ```
//! Each bug has its own process: a bug may crash it, which counts as a finding. Fails when a bug is not found within
//! [`SEEDS_MAX`] seeds. `-- --seed NAME SEED` runs one seed with one bug, and prints the end of its trace.

#[cfg(not(feature = "planted-bugs"))]
fn main() {
    eprintln!("run this with --features planted-bugs");
    std::process::exit(2);
}

#[cfg(feature = "planted-bugs")]
fn main() {
    hunt::main();
}

#[cfg(feature = "planted-bugs")]
mod hunt {
    use std::process::{Command, Stdio, exit};
    use volvox_sweep::plants;
    use volvox_sweep::sweep::{Sweep, TraceRing, replay, running};

    /// A bug counts as not found after this many seeds.
    const SEEDS_MAX: u64 = 1_000;
    /// Lines of the trace that one seed prints.
    const TRACE_LINES: usize = 200;
    /// The command line of this program.
    const COMMAND: &str = "cargo run -p volvox-sweep --release --features planted-bugs --example planted";
    /// The prefix of the line of a process that hunts one bug.
    const FOUND: &str = "found at seed ";

    pub fn main() {
        let words: Vec<String> = std::env::args().skip(1).collect();
        if let [flag, name] = words.as_slice()
            && flag == "--one"
        {
            return hunt_one(name);
        }
        if let [flag, name, seed] = words.as_slice()
            && flag == "--seed"
        {
            return replay_one(name, seed.parse().expect("a seed is a number"));
        }
        let mut missed = Vec::new();
        println!("{:<32} {:>6}  found by", "bug", "seeds");
        for name in plants::names().filter(|name| words.is_empty() || words.iter().any(|word| word == name)) {
            match ask_for(name) {
                Some((seed, reason)) => {
                    println!("{name:<32} {seed:>6}  {reason}");
                    println!("{:<32} {:>6}  replay: {COMMAND} -- --seed {name} {seed}", "", "");
                }
                None => {
                    println!("{name:<32} {:>6}  NOT FOUND", "-");
                    missed.push(name);
                }
            }
        }
        if !missed.is_empty() {
            eprintln!("not found within {SEEDS_MAX} seeds: {missed:?}");
            exit(1);
        }
    }

    /// Runs a process that hunts one bug; says after how many seeds it was found, and by what.
    fn ask_for(name: &str) -> Option<(u64, String)> {
        let me = std::env::current_exe().expect("this program has a path");
        let output =
            Command::new(me).args(["--one", name]).stderr(Stdio::null()).output().expect("a process can start");
        let text = String::from_utf8_lossy(&output.stdout);
        let found = text.lines().filter_map(|line| line.strip_prefix(FOUND)?.split_once(": "));
        let found = found.filter_map(|(seed, reason)| Some((seed.parse::<u64>().ok()?, reason.to_string())));
        found.min_by_key(|(seed, _)| *seed)
    }

    fn hunt_one(name: &str) {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::panic::set_hook(Box::new(|panic| {
            if let Some((seed, _)) = running() {
                println!("{FOUND}{seed}: {}", short(&panic.to_string().replace('\n', " ")));
            }
        }));
        let sweep = Sweep { first_seed: 1, seeds: SEEDS_MAX, nodes: None, jobs, stop_at_failure: true };
        let outcome = sweep.run(|| plants::plant(Some(name)), |_, _| {});
        if let Some(failure) = outcome.failures.first() {
            println!("{FOUND}{}: {}", failure.seed, short(failure.reason.lines().next().unwrap_or_default()));
        }
    }

    fn replay_one(name: &str, seed: u64) {
        plants::plant(Some(name));
        let ring = TraceRing::new(TRACE_LINES);
        let sweep = Sweep { first_seed: seed, seeds: 1, nodes: None, jobs: 1, stop_at_failure: true };
        let result = replay(seed, sweep.nodes_of(seed), &ring);
        ring.lines().iter().for_each(|line| println!("{line}"));
        match result {
            Ok(_) => println!("seed {seed} does not show {name}"),
            Err(reason) => println!("{reason}"),
        }
    }

    fn short(text: &str) -> String {
        text.chars().take(160).collect()
    }
}

//! Scratch.
use volvox_lab::sweep::Sweep;
fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().unwrap());
    let first = args.next().unwrap_or(1);
    let seeds = args.next().unwrap_or(1);
    let nodes = args.next().filter(|n| *n > 0);
    let sweep = Sweep { first_seed: first, seeds, nodes, jobs: 2, stop_at_failure: false };
    let outcome = sweep.run(|| {}, |_, _| {});
    println!("{outcome}");
}

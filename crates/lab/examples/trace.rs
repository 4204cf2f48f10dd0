//! Scratch.
use volvox_lab::sweep::replay;
use volvox_sim::TraceRing;
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse::<u64>().unwrap()).collect();
    let ring = TraceRing::new(args.get(2).copied().unwrap_or(3_000_000) as usize);
    let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| replay(args[0], args[1], &ring)));
    for line in ring.lines() { println!("{line}"); }
    println!("{r:?}");
}

//! A short sweep, the seeds that found a bug before, and the determinism of a seed.

use volvox_sweep::run;
use volvox_sweep::shrink::wandering;
use volvox_sweep::sweep::Sweep;

#[test]
fn sixty_seeds_hold() {
    let sweep = Sweep { first_seed: 1, seeds: 60, nodes: None, jobs: 2, stop_at_failure: false };
    let outcome = sweep.run(|| {}, |_, _| {});
    assert!(outcome.failures.is_empty(), "{outcome}");
    assert_eq!(outcome.seeds, 60);
    for name in ["leaders elected", "snapshots installed", "leases expired", "registers found linearizable"] {
        assert!(outcome.counts.of(name) > 0, "{name} never happened\n{outcome}");
    }
}

#[test]
fn seeds_that_found_something_hold() {
    let text = include_str!("../seeds.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let number = |place: usize| words[place].parse::<u64>().unwrap_or_else(|_| panic!("a number in {line:?}"));
        let (seed, nodes) = (number(0), number(1));
        let sweep = Sweep { first_seed: seed, seeds: 1, nodes: Some(nodes), jobs: 1, stop_at_failure: true };
        if let Err(failure) = sweep.run_one(seed) {
            panic!("it found before: {}\n{failure}", words[2]);
        }
    }
}

#[test]
fn a_seed_is_a_run() {
    for (seed, nodes) in [(7, 3), (8, 5)] {
        let first = run(seed, nodes, None).expect("a good seed");
        let second = run(seed, nodes, None).expect("a good seed");
        assert_eq!(first.chain, second.chain, "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
    }
    let chain = |seed| run(seed, 3, None).expect("a good seed").chain;
    assert_ne!(chain(7), chain(9), "different seeds are different runs");
}

#[test]
fn short_walks_hold() {
    for seed in 1..=400 {
        let nodes = if seed % 2 == 0 { 3 } else { 5 };
        if let Some(failing) = wandering(seed, nodes) {
            panic!(
                "the walk of seed {seed} with {nodes} nodes, after {} actions: {}",
                failing.actions(),
                failing.reason
            );
        }
    }
}

/// `examples/planted_shrunk.rs` makes all of those in replicas short.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_become_short() {
    use volvox_sweep::plants::plant;
    use volvox_sweep::shrink::failing;
    // The violated property, in at most this many events, and none without the bug.
    for (bug, property, events_max) in
        [("forwarded-applied-twice", "equal replicas", 16), ("watch-gap-at-compaction", "answers to clients", 60)]
    {
        let planted = |planted: bool| plant(planted.then_some(bug));
        planted(true);
        let found = (1..=150).filter_map(|seed| failing(seed, if seed % 2 == 0 { 3 } else { 5 }, Some(1)));
        let mut found: Vec<_> = found.take(20).collect();
        found.sort_by_key(|failing| failing.actions());
        let short = found.iter().take(3).filter_map(|failing| failing.shrink(1_000_000, Some(&planted)));
        let short = short.min_by_key(|short| short.events).expect("it can be followed by hand");
        assert_eq!(short.breach.property, property, "{bug}");
        assert!(short.events <= events_max, "{bug}: {} events\n{}", short.events, short.lines.join("\n"));
    }
}

/// The bugs that few seeds show; `examples/planted.rs` hunts all twelve.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_found() {
    use volvox_sweep::plants::plant;
    for bug in [
        "forwarded-applied-twice",
        "watch-gap-at-compaction",
        "lease-revived",
        "txn-reads-old-state",
        "page-repeats-a-key",
    ] {
        let sweep = Sweep { first_seed: 1, seeds: 60, nodes: None, jobs: 2, stop_at_failure: true };
        let outcome = sweep.run(|| plant(Some(bug)), |_, _| {});
        assert!(!outcome.failures.is_empty(), "{bug} is not found\n{outcome}");
    }
}

use super::*;
use std::collections::BTreeSet;
use volvox_sim::{Clocks, FaultPlan, TraceRing, run_seed};

/// All faults, while all nodes send, store and set timers.
fn tormented(seed: u64, ring: Option<&TraceRing>) -> Simulation<Probe> {
    let clocks = Clocks { offset_max: ms(50), drift_ppm_max: 100, ..Clocks::default() };
    let latency = Latency::Exponential { minimum: ms(1), mean: ms(3) };
    let mut sim = plain(seed, 5)
        .clocks(clocks)
        .latency(latency)
        .start_within(ms(20))
        .faults(FaultPlan { until: Duration::from_secs(20), ..FaultPlan::default() })
        .recovered(|sim, id| sim.node(id).is_some_and(|probe| !probe.numbers.is_empty()))
        .leader(|probe| probe.numbers.len() > 20)
        .trace(ring)
        .build();
    let mut rng = sim.rng(0);
    for number in 0..4_000 {
        let (id, peer) = (NodeId(rng.between(1, 5)), NodeId(rng.between(1, 5)));
        let at = Duration::from_micros(rng.below(20_000_000));
        let command = match rng.below(5) {
            0 => Do::Store(number),
            1 => Do::Set(rng.below(3) as u8, Duration::from_micros(rng.below(50_000))),
            2 => Do::Cancel(rng.below(3) as u8),
            _ if id != peer => Do::Send(peer, number),
            _ => Do::ReadClocks,
        };
        sim.command_after(at, id, command);
    }
    sim
}

#[test]
fn one_seed_is_one_run() {
    let mut chains = BTreeSet::new();
    for seed in 0..5 {
        let once = |ring: Option<&TraceRing>| {
            let mut sim = tormented(seed, ring);
            run(&mut sim, 20_000);
            (sim.chain(), sim.statistics().clone(), sim.applied_faults().to_vec())
        };
        let first = once(None);
        assert_eq!(first, once(None), "seed {seed}");
        assert_eq!(first, once(Some(&TraceRing::new(10))), "looking on changes nothing, seed {seed}");
        chains.insert(first.0);
    }
    assert_eq!(chains.len(), 5);
}

#[test]
fn one_message_more_gives_another_chain() {
    let chain = |extra: bool| {
        let mut sim = plain(1, 2).build();
        run(&mut sim, 1);
        send(&mut sim, [1]);
        if extra {
            sim.command_after(ms(5), ONE, Do::Send(TWO, 1));
        }
        run(&mut sim, 10);
        sim.chain()
    };
    assert_ne!(chain(false), chain(true));
}

#[test]
fn drawn_faults_are_of_every_kind_and_stay_within_the_budget() {
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let mut sim = tormented(seed, None);
        let all_at_once = |sim: &Simulation<Probe>| sim.live().next().is_none();
        let mut dark = false;
        let stop = sim.run_until(Duration::from_secs(20), |sim| {
            sim.happened().for_each(drop);
            dark |= all_at_once(sim);
            false
        });
        assert_eq!(stop, Stop::Deadline);
        seen.extend(sim.statistics().faults.iter().map(|(name, _)| name));
        let lost = sim.statistics().lost_storages;
        assert!(lost <= sim.statistics().faults.of("disk flip"), "seed {seed}");
        if sim.statistics().faults.of("crash") == 0 {
            assert!(!dark, "seed {seed}: all nodes down without a reason");
        }
        sim.revive();
        run(&mut sim, 5_000);
        assert_eq!(sim.live().count(), 5);
    }
    for kind in [
        "partition",
        "cut",
        "slow",
        "pause",
        "crash",
        "crash without disk",
        "skew",
        "drift",
        "disk slow",
        "disk full",
        "disk failsync",
        "disk flip",
        "disk tear",
    ] {
        assert!(seen.contains(kind), "{kind} was never drawn: {seen:?}");
    }
}

#[test]
fn a_minority_is_down_at_a_time() {
    let weights =
        volvox_sim::FaultWeights { crash: 3, pause: 2, crash_without_disk: 1, ..volvox_sim::FaultWeights::NONE };
    let mut most = 0;
    for seed in 0..20 {
        let plan = FaultPlan {
            weights,
            every: Latency::Constant(ms(40)),
            lasting: Latency::Exponential { minimum: ms(1), mean: ms(300) },
            ..FaultPlan::default()
        };
        let mut sim = plain(seed, 5).faults(plan).build();
        run(&mut sim, 1);
        let stop = sim.run_until(Duration::from_secs(20), |sim| {
            let down = sim.ids().filter(|id| !sim.is_running(*id)).count();
            assert!(down <= 2, "seed {seed}: {down} of 5 are down");
            most = most.max(down);
            false
        });
        assert_eq!(stop, Stop::Deadline);
        // No erased node is reported as recovered, so at most a minority is ever erased.
        let erased: BTreeSet<NodeId> =
            sim.ids().filter(|id| sim.incarnation(*id) > Some(volvox_core::Incarnation(1))).collect();
        assert!(erased.len() <= 2, "seed {seed}: {erased:?}");
    }
    assert_eq!(most, 2);
}

#[test]
fn a_failing_seed_is_told_in_one_line_with_its_trace() {
    let body = |seed: u64, ring: Option<&TraceRing>| {
        let mut sim = tormented(seed, ring);
        match sim.run_until(Duration::from_secs(20), |sim| sim.statistics().events > 500) {
            Stop::Done if seed == 2 => Err("a made-up failure".to_string()),
            Stop::Done if seed == 3 => panic!("a made-up panic"),
            _ => Ok(sim.chain()),
        }
    };
    assert!(run_seed("volvox lab sweep probe", 1, 10, body).is_ok());
    let failure = run_seed("volvox lab sweep probe", 2, 10, body).expect_err("fails");
    assert_eq!(failure.reason, "a made-up failure");
    assert_eq!(failure.trace.len(), 10);
    let text = failure.to_string();
    assert!(text.ends_with("replay: volvox lab sweep probe --seed 2"), "{text}");
    assert!(text.contains("ms n"), "{text}");
    let failure = run_seed("volvox lab sweep probe", 3, 10, body).expect_err("panics");
    assert_eq!((failure.reason.as_str(), failure.trace.len()), ("panic: a made-up panic", 10));
}

#[test]
fn a_run_that_is_not_deterministic_is_called_so() {
    let calls = std::cell::Cell::new(0);
    let failure = run_seed("x", 1, 1, |_, _| -> Result<(), String> {
        calls.set(calls.get() + 1);
        Err(format!("call {}", calls.get()))
    });
    assert!(failure.expect_err("fails").reason.contains("not deterministic"));
}

#[test]
fn the_trace_tells_what_was_said_what_arrived_and_what_was_dropped() {
    let ring = TraceRing::new(100);
    let mut sim = plain(1, 2).trace(Some(&ring)).build();
    run(&mut sim, 1);
    send(&mut sim, [7]);
    run(&mut sim, 1);
    fault(&mut sim, "partition 1|2");
    send(&mut sim, [8]);
    run(&mut sim, 1);
    let wanted = "\
        0.000ms n1 starts as i1\n\
        0.000ms n1 event Restored([], 0)\n\
        0.000ms n2 starts as i1\n\
        0.000ms n2 event Restored([], 0)\n\
        1.000ms n1 command Send(n2, 7)\n\
        1.000ms n1 -> n2 number 7\n\
        2.000ms n2 <- n1 number 7\n\
        2.000ms n2 event Got(n1, 7)\n\
        2.000ms fault partition 1|2\n\
        2.000ms n1 command Send(n2, 8)\n\
        2.000ms n1 -> n2 number 8\n\
        3.000ms n1 -x n2 number 8 (partition)";
    assert_eq!(ring.lines().join("\n"), wanted);
}

#[test]
fn a_written_schedule_happens_at_its_moments() {
    let texts = ["pause 1 @ 5ms", "crash 2 @ 10ms", "resume 1 @ 15ms", "start 2 @ 20ms", "partition 1->2 @ 20ms"];
    let schedule = texts.map(|text| text.parse().expect("a scheduled fault"));
    let mut sim = plain(1, 2).schedule(schedule).build();
    let mut states = Vec::new();
    for _ in 0..5 {
        run(&mut sim, 5);
        states.push((sim.is_running(ONE), sim.is_running(TWO)));
    }
    assert_eq!(states, [(false, true), (false, false), (true, false), (true, true), (true, true)]);
    assert_eq!(sim.applied_faults().iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
}

#[test]
fn a_fault_for_a_while_is_undone() {
    let mut sim = plain(1, 3).leader(|probe| !probe.numbers.is_empty()).build();
    sim.command(ONE, Do::Store(1));
    for (at, text) in
        [(10, "partition 1|2,3"), (30, "crash leader"), (50, "pause 1"), (70, "skew 1 +5s"), (90, "partition 1->2")]
    {
        sim.fault_for(ms(at), text.parse().expect("a fault"), ms(10));
    }
    run(&mut sim, 15);
    send(&mut sim, [7]);
    run(&mut sim, 3);
    assert_eq!(numbers(saw(&mut sim, TWO)), [], "the partition stands");
    run(&mut sim, 3);
    send(&mut sim, [8]);
    run(&mut sim, 3);
    assert_eq!(numbers(saw(&mut sim, TWO)), [8], "it is over");
    run(&mut sim, 11);
    assert!(sim.node(ONE).is_none(), "who led at 30 ms is down");
    run(&mut sim, 10);
    assert!(sim.is_running(ONE));
    run(&mut sim, 10);
    assert!(!sim.is_running(ONE), "paused");
    run(&mut sim, 10);
    assert!(sim.is_running(ONE));
    let wall = |sim: &mut Simulation<Probe>| {
        sim.command(ONE, Do::ReadClocks);
        run(sim, 1);
        let Some(Saw::Clocks(_, wall)) = saw(sim, ONE).pop() else { panic!("it tells") };
        wall.0 - sim.now().0 as i64
    };
    let true_wall = wall(&mut sim);
    run(&mut sim, 5);
    assert!(wall(&mut sim) - true_wall > 4_900_000_000);
    run(&mut sim, 12);
    assert!(wall(&mut sim) - true_wall < 10_000_000);
    run(&mut sim, 9);
    send(&mut sim, [9]);
    run(&mut sim, 3);
    assert_eq!(numbers(saw(&mut sim, TWO)), []);
    run(&mut sim, 10);
    send(&mut sim, [10]);
    run(&mut sim, 3);
    assert_eq!(numbers(saw(&mut sim, TWO)), [10]);
}

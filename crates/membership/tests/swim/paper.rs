//! Sentences of the SWIM paper, each with its section.

use std::collections::BTreeMap;
use volvox_core::{Duration, NodeId};
use volvox_membership::swim::{Command, Config, Rule, Standing, Swim, Verdict};
use volvox_sim::{Builder, Latency, Simulation, Stop};

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

fn cluster(seed: u64, nodes: u64, config: Config) -> Simulation<Swim> {
    let mut sim = Builder::new(seed, nodes, config).latency(Latency::Uniform(ms(1), ms(10))).build();
    assert_eq!(sim.run_for(ms(1_000)), Stop::Deadline);
    sim
}

fn held(sim: &Simulation<Swim>, member: u64) -> Vec<Standing> {
    let member = NodeId(member);
    sim.live().filter(|(id, _)| *id != member).filter_map(|(_, node)| node.standing(member)).collect()
}

fn apply(sim: &mut Simulation<Swim>, text: &str) {
    sim.apply_fault(&text.parse().expect("a fault"));
}

fn alive(life: u64, incarnation: u64) -> Standing {
    Standing { life, verdict: Verdict::Alive(incarnation) }
}

/// All standings of two lives with three incarnations.
fn standings() -> Vec<Standing> {
    let verdicts = (0..3).flat_map(|incarnation| [Verdict::Alive(incarnation), Verdict::Suspect(incarnation)]);
    let verdicts: Vec<Verdict> = verdicts.chain([Verdict::Faulty]).collect();
    (0..2).flat_map(|life| verdicts.iter().map(move |verdict| Standing { life, verdict: *verdict })).collect()
}

/// 4.2: which update overrides which, word for word.
#[test]
fn the_table_of_the_paper_holds() {
    for one in standings() {
        for other in standings().into_iter().filter(|other| other.life == one.life) {
            let expected = match (one.verdict, other.verdict) {
                (Verdict::Alive(i), Verdict::Suspect(j) | Verdict::Alive(j)) => i > j,
                (Verdict::Suspect(i), Verdict::Suspect(j)) => i > j,
                (Verdict::Suspect(i), Verdict::Alive(j)) => i >= j,
                (Verdict::Faulty, Verdict::Alive(_) | Verdict::Suspect(_)) => true,
                (_, Verdict::Faulty) => false,
            };
            assert_eq!(one.overrides(other), expected, "{one} over {other}");
        }
    }
}

/// 4.2 (MEM-06): in whatever order updates arrive, and however often, the same one remains.
#[test]
fn updates_commute() {
    let merged = |order: [Standing; 3]| {
        order.into_iter().reduce(|held, new| if new.overrides(held) { new } else { held }).expect("three")
    };
    for a in standings() {
        for b in standings() {
            for c in standings() {
                let all = [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a], [a, b, a]];
                let results: Vec<Standing> = all[..6].iter().map(|order| merged(*order)).collect();
                assert!(results.iter().all(|result| *result == results[0]), "{a}, {b}, {c}");
            }
            assert_eq!(merged([a, b, a]), merged([b, a, b]));
        }
    }
}

/// 3.1: all members detect a dead one, and suspect no other.
#[test]
fn a_dead_member_is_found_by_all_and_no_other_is_suspected() {
    for seed in 0..20 {
        let mut sim = cluster(seed, 20, Config::for_group(20));
        apply(&mut sim, "crash 7");
        let all = |sim: &mut Simulation<Swim>| held(sim, 7).iter().all(|held| held.is_faulty());
        assert_eq!(sim.run_until(ms(10_000), all), Stop::Done, "seed {seed}");
        let wrongly = (1..=20).filter(|id| *id != 7).any(|id| held(&sim, id).iter().any(|held| *held != alive(0, 0)));
        assert!(!wrongly, "seed {seed}");
    }
}

/// 3.1: relays carry probes around a bad link.
#[test]
fn a_bad_link_accuses_no_member() {
    let mut relayed = 0;
    for seed in 0..20 {
        let mut sim = cluster(seed, 20, Config::for_group(20));
        apply(&mut sim, "partition 1|2");
        apply(&mut sim, "partition 3->4");
        assert_eq!(sim.run_for(ms(20_000)), Stop::Deadline);
        let accused = (1..=20).any(|id| held(&sim, id).iter().any(|held| *held != alive(0, 0)));
        assert!(!accused, "seed {seed}");
        relayed += sim.statistics().kinds.of("PingReq");
    }
    assert!(relayed > 100, "{relayed}");
}

/// 4.2: a member that was paused for a moment is suspected, and refutes with a greater incarnation.
#[test]
fn a_member_that_stood_still_refutes() {
    for seed in 0..40 {
        let mut sim = cluster(seed, 20, Config::for_group(20));
        apply(&mut sim, "pause 7");
        let suspected = |sim: &mut Simulation<Swim>| held(sim, 7).iter().any(|held| held.is_suspect());
        assert_eq!(sim.run_until(ms(10_000), suspected), Stop::Done);
        apply(&mut sim, "resume 7");
        assert_eq!(sim.run_for(ms(5_000)), Stop::Deadline);
        let incarnations: Vec<Standing> = held(&sim, 7);
        assert!(incarnations.iter().all(|held| *held == alive(0, 1)), "seed {seed}: {incarnations:?}");
    }
}

/// 4.3: with a shuffled list of the n = N-1 others a target is probed again within 2n-1 periods.
#[test]
fn a_crash_is_found_by_each_within_two_passes() {
    const NODES: u64 = 10;
    let config = |without| Config { without, lambda: 0, updates_max: 0, out_of_step: false, ..Config::default() };
    let longest = |without: Option<Rule>| {
        let periods = (0..30).map(|seed| {
            let mut sim = Builder::<Swim>::new(seed, NODES, config(without)).latency(Latency::Constant(ms(2))).build();
            assert_eq!(sim.run_for(ms(199 + 200 * (seed % 9))), Stop::Deadline);
            apply(&mut sim, "crash 7");
            let crashed = sim.now();
            // No updates: each member detects it by itself.
            let all = |sim: &mut Simulation<Swim>| held(sim, 7).iter().all(|held| !held.is_alive());
            assert_eq!(sim.run_until(ms(200_000), all), Stop::Done, "seed {seed}");
            sim.now().since(crashed).as_millis() as u64 / 200
        });
        periods.max().expect("runs")
    };
    assert!(longest(None) < 2 * (NODES - 1), "{}", longest(None));
    assert!(longest(Some(Rule::RoundRobin)) >= 2 * NODES, "a target that is drawn may wait longer");
}

/// 3.1: the load on a member does not grow with the group, and messages have a bounded size.
#[test]
fn load_is_the_same_in_every_group() {
    let mut loads = BTreeMap::new();
    for nodes in [5, 20, 80] {
        let mut sim = cluster(1, nodes, Config::default());
        let before = sim.statistics().sent;
        assert_eq!(sim.run_for(ms(10_000)), Stop::Deadline);
        loads.insert(nodes, (sim.statistics().sent - before) / nodes);
    }
    assert!(loads.values().all(|load| (99..=101).contains(load)), "{loads:?}");
}

/// 4.3: all know a member that joins, and it knows all; all believe that one that leaves is gone.
#[test]
fn members_come_and_go() {
    let config = Config { contact: Some(NodeId(1)), ..Config::default() };
    let mut sim = Builder::<Swim>::new(3, 12, config).latency(Latency::Uniform(ms(1), ms(10))).build();
    let together = |size: usize| {
        move |sim: &mut Simulation<Swim>| sim.live().all(|(_, node)| volvox_core::Process::view(node) == size)
    };
    assert_eq!(sim.run_until(ms(10_000), together(12)), Stop::Done);
    sim.command(NodeId(5), Command::Leave);
    let gone = |sim: &mut Simulation<Swim>| held(sim, 5).iter().all(|held| held.is_faulty());
    assert_eq!(sim.run_until(ms(10_000), gone), Stop::Done);
    assert_eq!(sim.statistics().notes.of("no ack in the period"), 0);
}

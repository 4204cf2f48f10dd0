//! The numbers of the SWIM paper, measured: sections 3.3, 4 and 5.

use volvox_core::fault::LinkFault;
use volvox_core::{Duration, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::plot::{Against, Mark, Plot, Series};
use volvox_lab::sim::{Builder, Latency, Network, Simulation, Stop};
use volvox_membership::swim::{Config, Dissemination, Rule, Swim};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 5] = [
    Claim {
        id: "Q-MEM-1",
        text: "SWIM: the first member finds a crash after e/(e-1) = 1.58 periods, in groups of any size",
        measure: || detection(1),
        breakage: "every second member probes only in every fourth period",
        measure_broken: || detection(4),
        plot: Some(plot_detection),
    },
    Claim {
        id: "Q-MEM-2",
        text: "SWIM: 2.0 messages sent and received per member and period, in groups of any size",
        measure: || load(ms(500)),
        breakage: "an ack counts as late before it can arrive, so that others are always asked",
        measure_broken: || load(ms(1)),
        plot: Some(|rows| {
            let (values, names) = (&[8.0, 16.0, 32.0, 55.0], &["sent", "received"]);
            Against {
                title: "SWIM: load of a member",
                x_label: "group size N",
                y_label: "messages per period",
                values,
                names,
            }
            .svg(rows)
        }),
    },
    Claim {
        id: "Q-MEM-3",
        text: "SWIM: a living member is accused with probability q(1-m^2)(1-q m^4)^K e^q/(e^q-1) within the expected \
               time of a detection, 1.58 periods; m is the probability of delivery",
        measure: || false_accusations(None),
        breakage: "no member is asked to relay",
        measure_broken: || false_accusations(Some(Rule::Relays)),
        plot: None,
    },
    Claim {
        id: "Q-MEM-4",
        text: "SWIM: an update reaches every member within lambda ln n periods, and half of all cases in a few",
        measure: || dissemination(3),
        breakage: "each member forwards an update once",
        measure_broken: || dissemination(0),
        plot: Some(plot_dissemination),
    },
    Claim {
        id: "Q-MEM-5",
        text: "SWIM: of 17 that join under 10 % loss, 12 are together after 175 s with suspicion, 4 without, 2 with \
               multicast and without",
        measure: || joiners(false),
        breakage: "the accused have half a period to refute",
        measure_broken: || joiners(true),
        plot: None,
    },
];

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

/// The period of the paper's experiments (section 5).
const PERIOD: Duration = ms(2_000);
const SIZES: [u64; 7] = [8, 16, 24, 32, 40, 48, 56];
const TRIALS: u64 = 1_000;
/// e / (e - 1)
const FIRST_DETECTION: f64 = 1.581_977;

fn paper() -> Config {
    Config { period: PERIOD, ack_timeout: ms(500), relays: 1, suspicion: PERIOD * 10, ..Config::default() }
}

/// Periods are in step: a crash just before a period begins is detected at the end of the first period in which it is
/// some member's turn to probe the dead one. The formula is for random targets (section 3.1); from a shuffled list
/// (section 4.3) a small group is a little faster: by 8 % with 8 members. The mean of a thousand crashes is accurate to
/// 2 %, and the largest of seven is off by at most three times that. Every second member is `slowness` times slower.
fn detection(slowness: u32) -> Vec<Row> {
    let ways = [("list", None, 0.15), ("drawn", Some(Rule::RoundRobin), 0.1)];
    let rows = ways.into_iter().flat_map(|(way, without, tolerance)| {
        SIZES.into_iter().map(move |nodes| Row {
            label: format!("N={nodes}, {way}"),
            expected: FIRST_DETECTION,
            measured: mean_detection(nodes, without, slowness),
            tolerance: Tolerance::Relative(tolerance),
            unit: "periods",
            over: format!("{TRIALS} crashes"),
        })
    });
    rows.collect()
}

fn mean_detection(nodes: u64, without: Option<Rule>, slowness: u32) -> f64 {
    let config = Config { out_of_step: false, without, ..paper() };
    let slow = Config { period: PERIOD * slowness, ..config.clone() };
    let trial = |seed: u64| {
        let builder = Builder::<Swim>::new(seed, nodes, config.clone());
        let even = (1..=nodes / 2).map(|half| NodeId(2 * half));
        let builder = even.fold(builder, |builder, node| builder.config_of(node, slow.clone()));
        let mut sim = builder.latency(Latency::Uniform(ms(1), ms(20))).without_hash_chain().build();
        // Any position in the pass over the list.
        let begun = PERIOD * (2 + seed as u32 % 8);
        run(&mut sim, begun - ms(1));
        let victim = NodeId(1 + seed % nodes);
        crash(&mut sim, victim);
        let suspected = |sim: &mut Simulation<Swim>| holding_alive(sim, victim) + 1 < nodes;
        assert_eq!(sim.run_until(PERIOD * 200, suspected), Stop::Done, "seed {seed}");
        (Duration::from_nanos(sim.now().0) - begun).div_duration_f64(PERIOD).round()
    };
    (0..TRIALS).map(trial).sum::<f64>() / TRIALS as f64
}

fn plot_detection(rows: &[Row]) -> String {
    let points = |way: &str, value: fn(&Row) -> f64| {
        let rows = rows.iter().filter(|row| row.label.ends_with(way));
        rows.map(|row| (size_of_group(row), value(row))).collect()
    };
    Plot {
        title: "SWIM: time to the first detection of a crash".into(),
        x_label: "group size N".into(),
        y_label: "protocol periods".into(),
        x_logarithmic: false,
        y_most: Some(2.5),
        series: vec![
            Series { name: "targets from a list".into(), mark: Mark::Dots, points: points("list", |row| row.measured) },
            Series { name: "targets drawn".into(), mark: Mark::Dots, points: points("drawn", |row| row.measured) },
            Series { name: "e/(e-1) = 1.58".into(), mark: Mark::Dashes, points: points("list", |row| row.expected) },
        ],
    }
    .svg()
}

fn load(ack_timeout: Duration) -> Vec<Row> {
    const PERIODS: u32 = 100;
    let mut rows = Vec::new();
    for nodes in [8, 16, 32, 55] {
        let config = Config { ack_timeout, ..paper() };
        let mut sim = Builder::<Swim>::new(nodes, nodes, config)
            .latency(Latency::Uniform(ms(1), ms(20)))
            .without_hash_chain()
            .build();
        run(&mut sim, PERIOD);
        let (sent, received) = (sim.statistics().sent, sim.statistics().delivered);
        run(&mut sim, PERIOD * PERIODS);
        let each = |count: u64| count as f64 / nodes as f64 / f64::from(PERIODS);
        let counted = [("sent", sim.statistics().sent - sent), ("received", sim.statistics().delivered - received)];
        rows.extend(counted.map(|(what, count)| Row {
            label: format!("N={nodes}, {what}"),
            expected: 2.0,
            measured: each(count),
            tolerance: Tolerance::Relative(0.01),
            unit: "messages per member and period",
            over: format!("{PERIODS} periods"),
        }));
    }
    rows
}

/// Probes without an ack, in a living group. No member is ever declared faulty: the time to refute is infinite, so that
/// the group stays whole.
fn false_accusations(without: Option<Rule>) -> Vec<Row> {
    const NODES: u64 = 20;
    let cases = [
        (10, 0, 0.3006, 500),
        (10, 1, 0.1034, 1_000),
        (10, 3, 0.0122, 3_000),
        (5, 0, 0.154, 1_000),
        (5, 1, 0.0286, 2_000),
        (5, 3, 0.000_98, 20_000),
    ];
    let accused = |loss: u32, relays: u32, periods: u32| {
        let config = Config { relays, suspicion: Duration::from_secs(1 << 30), without, ..paper() };
        let fault = LinkFault { loss_ppm: loss * 10_000, ..LinkFault::default() };
        let network = Network { latency: Latency::Uniform(ms(1), ms(20)), fault, ordered: false, ..Network::default() };
        let seed = u64::from(loss * 10 + relays);
        let mut sim = Builder::<Swim>::new(seed, NODES, config).network(network).without_hash_chain().build();
        for _ in 0..periods / 100 {
            run(&mut sim, PERIOD * 100);
            sim.happened().for_each(drop);
        }
        let failed = sim.statistics().notes.of("no ack in the period") as f64;
        failed / NODES as f64 / f64::from(periods) * FIRST_DETECTION
    };
    cases
        .into_iter()
        .map(|(loss, relays, expected, periods)| Row {
            label: format!("{loss} % loss, K={relays}"),
            expected,
            measured: accused(loss, relays, periods),
            tolerance: Tolerance::Relative(0.2),
            unit: "accusations of a member in 1.58 periods",
            over: format!("{NODES} members, {periods} periods"),
        })
        .collect()
}

/// The time from the first suspicion of a crash until all know it: the median, and how many do not after lambda ln n
/// periods.
fn dissemination(lambda: u32) -> Vec<Row> {
    const RUNS: u64 = 200;
    // 3 ln n
    let sizes = [(8, 6.238), (16, 8.318), (32, 10.397), (56, 12.076)];
    let mut rows = Vec::new();
    for (nodes, enough) in sizes {
        let (mut spans, mut uninformed) = (Vec::new(), 0);
        for seed in 0..RUNS {
            let config = Config { lambda, ..paper() };
            let latency = Latency::Uniform(ms(1), ms(20));
            let mut sim = Builder::<Swim>::new(seed, nodes, config).latency(latency).without_hash_chain().build();
            run(&mut sim, PERIOD * (2 + seed as u32 % 8));
            let victim = NodeId(1 + seed % nodes);
            crash(&mut sim, victim);
            let suspected = |sim: &mut Simulation<Swim>| holding_alive(sim, victim) + 1 < nodes;
            assert_eq!(sim.run_until(PERIOD * 50, suspected), Stop::Done, "seed {seed}");
            let first = sim.now();
            let informed = |sim: &mut Simulation<Swim>| holding_alive(sim, victim) == 0;
            let stop = sim.run_until(PERIOD.mul_f64(enough), informed);
            uninformed += holding_alive(&sim, victim);
            if stop != Stop::Done {
                assert_eq!(sim.run_until(PERIOD * 2 * nodes as u32, informed), Stop::Done, "seed {seed}");
            }
            spans.push(sim.now().since(first).as_secs_f64() / PERIOD.as_secs_f64());
        }
        spans.sort_by(f64::total_cmp);
        let row = |what: &str, expected, measured, unit| Row {
            label: format!("N={nodes}, {what}"),
            expected,
            measured,
            tolerance: Tolerance::AtMost,
            unit,
            over: format!("{RUNS} crashes"),
        };
        rows.push(row("until all know, median", 6.0, spans[spans.len() / 2], "periods"));
        rows.push(row("without the update after 3 ln N", 0.001, uninformed as f64 / RUNS as f64, "members"));
    }
    rows.push(forwarded(lambda));
    rows
}

/// ln 7 = 1.95, rounded up: one member more, and the limit would be another.
fn forwarded(lambda: u32) -> Row {
    const NODES: u64 = 6;
    let mut sim = Builder::<Swim>::new(1, NODES, Config { lambda, ..paper() }).build();
    run(&mut sim, PERIOD);
    let limit = sim.live().map(|(_, node)| node.limit()).max().unwrap_or(0);
    Row {
        label: format!("N={NODES}, an update is forwarded at most"),
        expected: 3.0 * 2.0,
        measured: f64::from(limit),
        tolerance: Tolerance::Exact,
        unit: "times",
        over: "the members of a group".to_string(),
    }
}

fn plot_dissemination(rows: &[Row]) -> String {
    let medians = || rows.iter().filter(|row| row.label.contains("median"));
    Plot {
        title: "SWIM: from the first suspicion until all know".into(),
        x_label: "group size N".into(),
        y_label: "protocol periods, median".into(),
        x_logarithmic: false,
        y_most: Some(14.0),
        series: vec![
            Series {
                name: "measured".into(),
                mark: Mark::Dots,
                points: medians().map(|row| (size_of_group(row), row.measured)).collect(),
            },
            Series {
                name: "3 ln N".into(),
                mark: Mark::Dashes,
                points: vec![(8.0, 6.238), (16.0, 8.318), (32.0, 10.397), (56.0, 12.076)],
            },
        ],
    }
    .svg()
}

/// The size of the group as each member believes it, including itself, once the group has settled: the mean over its
/// members.
fn joiners(hasty: bool) -> Vec<Row> {
    const NODES: u64 = 17;
    const RUNS: u64 = 20;
    let size = |without, dissemination| {
        let run_one = |seed: u64| {
            let suspicion = if hasty { PERIOD / 2 } else { PERIOD * 10 };
            let config = Config {
                suspicion,
                without,
                dissemination,
                tells_the_accused: false,
                rejoins: false,
                contact: Some(NodeId(1)),
                ..paper()
            };
            let fault = LinkFault { loss_ppm: 100_000, ..LinkFault::default() };
            let network =
                Network { latency: Latency::Uniform(ms(1), ms(20)), fault, ordered: false, ..Network::default() };
            let mut sim = Builder::<Swim>::new(seed, NODES, config).network(network).without_hash_chain().build();
            run(&mut sim, Duration::from_secs(175));
            let sizes: Vec<f64> = sim
                .live()
                .filter(|(_, node)| !node.own().is_faulty())
                .map(|(_, node)| 1.0 + node.members().filter(|(_, held)| !held.is_faulty()).count() as f64)
                .collect();
            sizes.iter().sum::<f64>() / sizes.len().max(1) as f64
        };
        (0..RUNS).map(run_one).sum::<f64>() / RUNS as f64
    };
    let no_suspicion = Some(Rule::Suspicion);
    [
        ("with suspicion", 12.0, Tolerance::NotBelow, size(None, Dissemination::Piggyback)),
        ("infection only", 4.0, Tolerance::NotAbove, size(no_suspicion, Dissemination::Piggyback)),
        ("basic", 2.0, Tolerance::NotAbove, size(no_suspicion, Dissemination::Multicast)),
    ]
    .into_iter()
    .map(|(label, expected, tolerance, measured)| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance,
        unit: "members together",
        over: format!("{RUNS} runs of 175 s"),
    })
    .collect()
}

fn run(sim: &mut Simulation<Swim>, span: Duration) {
    assert_eq!(sim.run_for(span), Stop::Deadline);
}

fn crash(sim: &mut Simulation<Swim>, victim: NodeId) {
    sim.apply_fault(&format!("crash {}", victim.0).parse().expect("a fault"));
    sim.happened().for_each(drop);
}

/// The number of living members that do not know that the victim does not answer.
fn holding_alive(sim: &Simulation<Swim>, victim: NodeId) -> u64 {
    sim.live().filter(|(_, node)| node.standing(victim).is_some_and(|held| held.is_alive())).count() as u64
}

fn size_of_group(row: &Row) -> f64 {
    let digits: String = row.label.chars().skip(2).take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a row of a group size")
}

//! The numbers of leases, measured: the cost of a crash, and of a term.

use volvox_core::fault::Target;
use volvox_core::{Duration, Fault, NodeId};
use volvox_lab::claim::{Claim, Row, Tolerance};
use volvox_lab::sim::{Builder, Latency, Simulation};
use volvox_mutex::leases::{Command, Config, Leases};

/// The claims of the chapter.
pub static CLAIMS: [Claim; 2] = [
    Claim {
        id: "LCK-02.1",
        text: "leases: after a crash of the holder others wait for the rest of its term, a retry and a round trip at most",
        measure: || waits_after_a_crash(true),
        breakage: "the holder does not crash, and keeps its lease",
        measure_broken: || waits_after_a_crash(false),
        plot: None,
    },
    Claim {
        id: "Q-MTX-8",
        text: "leases: one extension per term and holder; with a term of 10 s a tenth of the consistency messages of a term of zero, and a load within 5 % of that of an infinite term",
        measure: || traffic(Duration::from_millis(1)),
        breakage: "holders stop nine seconds early",
        measure_broken: || traffic(Duration::from_secs(9)),
        plot: None,
    },
];

/// n3 keeps the lease and crashes at a random moment; n4 has asked for it, and asks again after each refusal.
fn waits_after_a_crash(crashes: bool) -> Vec<Row> {
    const RUNS: u64 = 300;
    const ONE_WAY: Duration = Duration::from_millis(1);
    let config = Config::default();
    let enough = config.term + config.retry + 2 * ONE_WAY;
    let mut worst = Duration::ZERO;
    for seed in 0..RUNS {
        let mut sim = Builder::<Leases>::new(seed, 4, config).latency(Latency::Constant(ONE_WAY)).build();
        let mut rng = sim.rng(1);
        sim.command_after(Duration::from_millis(1), NodeId(3), Command::Keep);
        sim.command_after(Duration::from_millis(10), NodeId(4), Command::Acquire);
        let _ = sim.run_for(Duration::from_nanos(rng.between(300_000_000, 600_000_000)));
        if crashes {
            sim.apply_fault(&Fault::Crash { who: Target::Node(NodeId(3)), without_disk: false });
        }
        let crashed = sim.now();
        // Longer than this is not waited for.
        let _ = sim.run_until(enough * 2, |sim| sim.node(NodeId(4)).is_some_and(|node| node.holds().is_some()));
        worst = worst.max(sim.now().since(crashed));
    }
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    vec![Row {
        label: format!("term {} ms, retry {} ms, links of 1 ms", config.term.as_millis(), config.retry.as_millis()),
        expected: ms(enough),
        measured: ms(worst),
        tolerance: Tolerance::AtMost,
        unit: "ms until another holds it, the longest",
        over: format!("{RUNS} crashes"),
    }]
}

/// The read rate of a client of the V system (Gray and Cheriton 1989, table 2: 0.864 per second).
const MEAN_BETWEEN_READS: Duration = Duration::from_nanos(1_157_407_407);
/// The share of consistency messages among those of a server that grants terms of zero (the same, section 3.1).
const SHARE_AT_ZERO: f64 = 0.3;
const READS: u32 = 20_000;
const TEN: Duration = Duration::from_secs(10);

fn client(term: Duration, margin: Duration) -> Simulation<Leases> {
    let config = Config { term, margin, drift_ppm: 100, renew_before: Duration::from_millis(50), ..Config::default() };
    Builder::new(7, 3, config).latency(Latency::Constant(Duration::from_millis(1))).build()
}

/// Reads at random times, each of which needs the lease: the messages to and from the grantor per read.
fn messages_a_read(term: Duration, margin: Duration) -> f64 {
    let mut sim = client(term, margin);
    let mut rng = sim.rng(1);
    let between = Latency::Exponential { minimum: Duration::ZERO, mean: MEAN_BETWEEN_READS };
    for _ in 0..READS {
        let _ = sim.run_for(Duration::from_nanos(between.draw(&mut rng)));
        sim.command(NodeId(3), Command::Acquire);
        let _ = sim.happened().count();
    }
    let _ = sim.run_for(TEN);
    sim.statistics().sent as f64 / f64::from(READS)
}

fn traffic(margin: Duration) -> Vec<Row> {
    const TERMS: u32 = 1_000;
    let mut keeper = client(TEN, margin);
    keeper.command_after(Duration::from_millis(1), NodeId(3), Command::Keep);
    let _ = keeper.run_for(TEN * TERMS);
    let asked = keeper.statistics().kinds.of("Acquire") + keeper.statistics().kinds.of("Extend");
    let extensions = asked as f64 / f64::from(TERMS);
    // A term of 10 ms is over before the next read, and long enough for the grant to arrive.
    let zero = messages_a_read(Duration::from_millis(10), Duration::ZERO);
    let ten = messages_a_read(TEN, margin);
    let endless = messages_a_read(Duration::from_secs(1 << 30), Duration::ZERO);
    let other = zero * (1.0 - SHARE_AT_ZERO) / SHARE_AT_ZERO;
    let row = |label: &str, expected, measured, tolerance, unit, over: String| Row {
        label: label.to_string(),
        expected,
        measured,
        tolerance,
        unit,
        over,
    };
    let reads = format!("{READS} reads, 0.864 per second");
    vec![
        row(
            "term 10 s, kept",
            1.0,
            extensions,
            Tolerance::Relative(0.02),
            "extensions per term",
            format!("{TERMS} terms"),
        ),
        row(
            "term 10 s, on demand",
            0.10,
            ten / zero,
            Tolerance::Absolute(0.01),
            "of the messages at term zero",
            reads.clone(),
        ),
        row(
            "share of the load at term zero that is for consistency",
            SHARE_AT_ZERO,
            SHARE_AT_ZERO,
            Tolerance::Input,
            "of the messages of a server",
            "Gray and Cheriton 1989, 3.1".to_string(),
        ),
        row(
            "term 10 s, with that share",
            1.05,
            (other + ten) / (other + endless),
            Tolerance::AtMost,
            "times the load of an infinite term",
            reads,
        ),
    ]
}
